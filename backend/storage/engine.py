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
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import psycopg
import structlog
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Table,
    any_,
    bindparam,
    create_engine,
    event,
    exc,
    func,
    make_url,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.pool import NullPool
from sqlalchemy.sql import ClauseElement
from sqlalchemy.types import Text

from backend.kernel.problems import Problem
from backend.storage.prepared import Prepared, insertion

RETRY_AFTER = 2
_log = structlog.get_logger(__name__)
sqlite3.register_adapter(bytes, bytes)  # else the driver asks each of them, in vain, what it would like to be kept as
_LOCK_WAIT_MS = 10_000
_LOCK_POLL = 0.002


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


class FileLock:
    """The lock of the one writer of a SQLite store, across processes (flock on a file of its own)."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Raises Problem ``server.busy`` when the turn does not come: whoever has it may be stopped for good."""
        until = time.monotonic() + _LOCK_WAIT_MS / 1000
        if not self._lock.acquire(timeout=_LOCK_WAIT_MS / 1000):
            raise Problem("server.busy", retry_after=RETRY_AFTER)
        try:
            self._take(until)
            try:
                yield
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        finally:
            self._lock.release()

    def _take(self, until: float) -> None:
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise Problem("server.busy", retry_after=RETRY_AFTER) from None
                time.sleep(_LOCK_POLL)

    def close(self) -> None:
        os.close(self._descriptor)


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={_LOCK_WAIT_MS}",
        "cache_size=-8192",
        "mmap_size=1073741824",
        "journal_size_limit=134217728",
        "wal_autocheckpoint=16384",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    driver: Any = connection.connection.driver_connection
    driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN").close()


def _open_copy(url: str) -> sqlite3.Connection:
    file = f"file:{quote(str(make_url(url).database))}?mode=ro&immutable=1"
    return sqlite3.connect(file, uri=True, isolation_level=None, check_same_thread=False)


def _make_engine(url: str, *, read_only: bool) -> Engine:
    if url.startswith("sqlite") and read_only:
        engine = create_engine("sqlite://", creator=lambda: _open_copy(url), poolclass=NullPool)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if url.startswith("sqlite"):
        engine = create_engine(url, pool_size=16, max_overflow=32, connect_args={"check_same_thread": False})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(
        url,
        pool_size=8,
        max_overflow=16,
        pool_timeout=_LOCK_WAIT_MS / 1000,
        pool_pre_ping=True,
        connect_args=_postgres_patience(),
    )


def _postgres_patience() -> dict[str, Any]:
    """How long PostgreSQL waits for a lock, for us, and we for it: a process that freezes must not stop the others."""
    limits = {
        "lock_timeout": _LOCK_WAIT_MS,
        "statement_timeout": 3 * _LOCK_WAIT_MS,
        "idle_in_transaction_session_timeout": 3 * _LOCK_WAIT_MS,
        "timezone": "UTC",
    }
    options = " ".join(f"-c {name}={value}" for name, value in limits.items())
    return {"options": options, "connect_timeout": 5, "keepalives_idle": 20, "tcp_user_timeout": 3 * _LOCK_WAIT_MS}


class Store:
    """The database of one installation. ``url`` is SQLAlchemy's: ``sqlite:///…`` or ``postgresql+psycopg://…``.

    ``read_only``: for a copy that must stay as it is; a SQLite file is opened as one that nobody changes, without lock
    or log beside it.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self.url = url
        self.sqlite = url.startswith("sqlite")
        self.engine = _make_engine(url, read_only=read_only)
        self._writer = self.engine.execution_options(writes=True)
        snapshot = {} if self.sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reader = self.engine.execution_options(**snapshot)
        self._kept: Connection | None = None
        self._lock = FileLock(Path(f"{self.engine.url.database}.lock")) if self.sqlite and not read_only else None
        self._make_file()

    def _make_file(self) -> None:
        """A new file is put into WAL mode under the lock: of several that do so at once SQLite refuses all but one."""
        path = Path(self.engine.url.database or "")
        if self._lock is not None and not (path.exists() and path.stat().st_size):
            with self._lock.held(), _translated(), self.engine.connect():
                pass

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
        self.engine.dispose()
        if self._lock is not None:
            self._lock.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """One write transaction; commits at the end of the block unless it raises.

        Raises Refused, and Problem ``server.busy`` when the database is out of reach, full or locked: nothing was
        written then, or, after a commit whose answer was lost, everything; a resend finds out which.
        """
        turn = self._lock.held() if self._lock else contextlib.nullcontext()
        with turn, _translated(), self._write_connection() as connection, connection.begin():
            yield connection

    def _write_connection(self) -> contextlib.AbstractContextManager[Connection]:
        """SQLite's one writer keeps its connection, under the lock; PostgreSQL's many take theirs from the pool."""
        if not self.sqlite:
            return self._writer.connect()
        if self._kept is None or self._kept.invalidated:
            self._kept = self._writer.connect()
        return contextlib.nullcontext(self._kept)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent read-only view. Raises Problem ``server.busy`` like ``writing``."""
        with _translated(), self._reader.connect() as connection, connection.begin():
            yield connection

    def among(self, column: Column[Any], name: str) -> ColumnElement[bool]:
        """``column`` is one of the texts in list parameter ``name``: one statement for a list of any length.

        An expanded IN list would be another statement for each length, which neither engine's cache likes.
        """
        if self.sqlite:
            return column.in_(select(func.json_each(bindparam(name, type_=Text())).table_valued("value").c.value))
        return column == any_(bindparam(name, type_=ARRAY(Text())))

    def prepare(self, statement: ClauseElement) -> Prepared:
        """A statement compiled once for this store: build it when a part is made, not when it is used."""
        return Prepared(statement, self.engine.dialect)

    def insertion(self, table: Table) -> Prepared:
        """An INSERT of whole rows of a table, compiled once."""
        return insertion(table, self.engine.dialect)

    def listed(self, values: Iterable[str]) -> Any:
        """A list as the parameter that ``among`` wants."""
        return orjson.dumps(list(values)).decode() if self.sqlite else list(values)


class Refused(Exception):
    """The database refused a statement that can never succeed: a key that is taken, a value that it cannot hold."""


_REFUSED = (
    exc.IntegrityError, sqlite3.IntegrityError, psycopg.IntegrityError,
    exc.DataError, sqlite3.DataError, psycopg.DataError,
)  # fmt: skip
_SICK = (exc.SQLAlchemyError, sqlite3.Error, psycopg.Error)
"""All else: locked, full, out of reach, broken. It may pass, so it must never become an operation's outcome."""


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """The driver's and SQLAlchemy's errors as Problem ``server.busy`` or Refused."""
    try:
        yield
    except _REFUSED as fault:
        raise Refused(type(fault).__name__) from fault
    except _SICK as fault:
        _log.warning("database out of order", fault=type(fault).__name__, why=str(fault).splitlines()[:1])
        raise Problem("server.busy", retry_after=RETRY_AFTER) from fault
