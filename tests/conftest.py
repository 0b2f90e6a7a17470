"""Fixtures that every test may use: an engine, and a world on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import engines
from tests.support.engines import ENGINES, Postgres
from tests.support.world import World, world


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server, started when the first test asks for it."""
    with engines.postgres(tmp_path_factory.mktemp("pg")) as server:
        yield server


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest) -> str | None:
    """The database of an installation on each engine in turn; None: SQLite in its own folder."""
    if request.param == "sqlite":
        return None
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh()


@pytest.fixture
def both(tmp_path: Path, database: str | None) -> Iterator[World]:
    """The small facility on each engine in turn."""
    with world(tmp_path, database) as made:
        yield made


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    """The small facility on SQLite."""
    with world(tmp_path) as made:
        yield made
