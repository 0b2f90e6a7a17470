"""Fixtures that every test may use: an engine, and a world on it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.nodeid import coerce_node_id

from tests.support import application, engines
from tests.support.engines import ENGINES, Postgres
from tests.support.templates import Templates
from tests.support.world import World, opened

HERE = Path(__file__).parent
MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30
SLOW = (
    "browser", "documents", "kill", "postgres", "torture",
    "headless/test_killed_anywhere.py", "headless/test_with_server.py",
)  # fmt: skip
"""What starts processes or writes a hundred thousand rows, besides what says so itself by the mark ``slow``."""
ALONE = ("browser", "torture", "kill/test_reconnect.py")
"""What has both cores at work by itself, or measures time; and the browser, whose warning a worker would swallow."""


def pytest_configure(config: pytest.Config) -> None:
    """Temporary folders lie in memory where it has room: an fsync costs 2 ms on a disk and nothing there.

    What is killed here are processes, never the machine, so that nothing is proved the less.
    """
    application.remember_statements()
    given = config.option.basetemp is not None or "PYTEST_DEBUG_TEMPROOT" in os.environ
    if not given and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)
    if os.environ.get("PYTEST_DEBUG_TEMPROOT") == str(MEMORY):  # in the workers of xdist too
        tempfile.tempdir = str(MEMORY)


def _is_of(item: pytest.Item, paths: tuple[str, ...]) -> bool:
    return any(item.path.relative_to(HERE).is_relative_to(each) for each in paths)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Which tests are slow, and which need the machine for themselves; the longest files come first.

    Where a test runs on both engines its run on PostgreSQL is a slow one, but in the modules that are about engines.
    """
    for item in items:
        if not item.nodeid.endswith(item.name):
            # Schemathesis gives all its tests one id, and xdist runs one test an id when it hands out whole files.
            item._id = coerce_node_id(f"{item.nodeid.rpartition('::')[0]}::{item.name}")
        on_postgres = hasattr(item, "callspec") and "postgresql" in item.callspec.params.values()
        if _is_of(item, ALONE):
            item.add_marker("alone")
        if _is_of(item, SLOW) or (on_postgres and item.get_closest_marker("engines") is None):
            item.add_marker("slow")
    twice = [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]
    if twice:
        raise pytest.UsageError(f"several tests of one id: {twice}")
    items.sort(key=lambda item: not _is_of(item, SLOW))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, started when the first test asks for it.

    Not below pytest's own folder: started by root it runs as another user, and the next session of pytest closes that
    folder to all others.
    """
    with tempfile.TemporaryDirectory(prefix="roundsman-pg-") as folder, engines.postgres(Path(folder)) as server:
        yield server


@pytest.fixture(scope="session")
def templates(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """The small facility on each engine, to be copied."""
    return Templates(tmp_path_factory.mktemp("templates"), lambda: request.getfixturevalue("postgres"))


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine in turn."""
    name: str = request.param
    return name


@pytest.fixture
def database(engine: str, request: pytest.FixtureRequest) -> str | None:
    """The database of an installation on each engine in turn; None: SQLite in its own folder."""
    if engine == "sqlite":
        return None
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh()


@pytest.fixture
def both(tmp_path: Path, engine: str, templates: Templates) -> Iterator[World]:
    """The small facility on each engine in turn."""
    with templates.world(engine, tmp_path) as made:
        yield made


@pytest.fixture
def small(tmp_path: Path, templates: Templates) -> Iterator[World]:
    """The small facility on SQLite."""
    with templates.world("sqlite", tmp_path) as made:
        yield made


@pytest.fixture
def quick(small: World) -> Iterator[World]:
    """The same installation again, with the short tokens and the limits that a real one has."""
    made = opened(small.folder, ids=small.ids, unhurried=False)
    made.clock.set(small.clock.now())
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module", params=ENGINES)
def shared(
    request: pytest.FixtureRequest, templates: Templates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The small facility on each engine in turn, one for all tests of a module: they add to it and change nothing."""
    with templates.world(request.param, tmp_path_factory.mktemp("shared")) as made:
        yield made


@pytest.fixture(scope="module")
def standing(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The same on SQLite alone."""
    with templates.world("sqlite", tmp_path_factory.mktemp("standing")) as made:
        yield made
