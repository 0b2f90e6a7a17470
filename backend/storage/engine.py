"""SQLite or PostgreSQL behind one pair of verbs: ``writing`` and ``reading``.

SQLite: WAL, synchronous=FULL, one writer at a time by a lock in the process and a lock on a file beside the database,
so that a command started next to the server waits its turn instead of meeting "database is locked".
PostgreSQL: READ COMMITTED, writers of a facility queue at its row; readers are REPEATABLE READ and read-only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Column, ColumnElement, Connection, Engine, any_, bindparam, create_engine, event, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.types import Text

from backend.kernel.problems import Problem

RETRY_AFTER = 2
_LOCK_WAIT_MS = 10_000


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


class FileLock:
    """The lock of the one writer of a SQLite store, across processes (flock on a file of its own)."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        with self._lock:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._descriptor)


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={_LOCK_WAIT_MS}",
        "cache_size=-65536",
        "journal_size_limit=67108864",
        "wal_autocheckpoint=4000",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _make_engine(url: str) -> Engine:
    if url.startswith("sqlite"):
        engine = create_engine(url, pool_size=16, max_overflow=32, connect_args={"check_same_thread": False})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(
        url,
        pool_size=16,
        max_overflow=32,
        pool_pre_ping=True,
        connect_args={"options": f"-c lock_timeout={_LOCK_WAIT_MS} -c timezone=UTC"},
    )


class Store:
    """The database of one installation. ``url`` is SQLAlchemy's: ``sqlite:///…`` or ``postgresql+psycopg://…``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sqlite = url.startswith("sqlite")
        self.engine = _make_engine(url)
        self._lock = FileLock(Path(f"{self.engine.url.database}.lock")) if self.sqlite else None

    def close(self) -> None:
        self.engine.dispose()
        if self._lock is not None:
            self._lock.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """One write transaction; commits at the end of the block unless it raises.

        Raises Problem ``server.busy`` when the database is out of reach, full or locked: nothing was written then, or,
        after a commit whose answer was lost, everything; a resend finds out which.
        """
        with self._lock.held() if self._lock else contextlib.nullcontext(), _told_as_busy():
            with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
                yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent read-only view. Raises Problem ``server.busy`` like ``writing``."""
        with _told_as_busy(), self.engine.connect() as connection:
            if not self.sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    def among(self, column: Column[Any], name: str) -> ColumnElement[bool]:
        """``column`` is one of the texts in list parameter ``name``: one statement for a list of any length.

        An expanded IN list would be another statement for each length, which neither engine's cache likes.
        """
        if self.sqlite:
            return column.in_(select(func.json_each(bindparam(name, type_=Text())).table_valued("value").c.value))
        return column == any_(bindparam(name, type_=ARRAY(Text())))

    def listed(self, values: Iterable[str]) -> Any:
        """A list as the parameter that ``among`` wants."""
        return orjson.dumps(list(values)).decode() if self.sqlite else list(values)


@contextlib.contextmanager
def _told_as_busy() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as fault:
        raise Problem("server.busy", retry_after=RETRY_AFTER) from fault
