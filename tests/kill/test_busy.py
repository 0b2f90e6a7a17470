"""A database that somebody else keeps locked, or that takes no more: come again later, and nothing half done.

In this process, so that the wait for a lock can be made short.
"""

from __future__ import annotations

import contextlib
import fcntl
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy import Connection, event, text

from backend.kernel.problems import Problem
from backend.storage import engine as storage
from headless import patrol
from headless.terminal import Terminal
from tests.support.crew import packed
from tests.support.ledger import Ledger
from tests.support.world import FACILITY, World, opened, populate

WAIT_MS = 300
PUSH = "http://localhost/v1/sync/push"
Locked = Callable[[World], contextlib.AbstractContextManager[object]]


@pytest.fixture
def hasty(tmp_path: Path, database: str | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The small facility on each engine, in a store that waits 0.3 s for a lock instead of ten."""
    monkeypatch.setattr(storage, "_LOCK_WAIT_MS", WAIT_MS)
    world = opened(tmp_path, database)
    try:
        populate(world)
        yield world
    finally:
        world.close()


@contextlib.contextmanager
def _turn_taken(world: World) -> Iterator[None]:
    """A command next to the server has the writer's turn and does not give it back (SQLite)."""
    with Path(f"{world.services.store.engine.url.database}.lock").open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _written_by_another_tool(world: World) -> Iterator[None]:
    """Somebody has the database open in another tool, in the middle of a write (SQLite)."""
    with contextlib.closing(sqlite3.connect(str(world.services.store.engine.url.database))) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextlib.contextmanager
def _row_locked(world: World) -> Iterator[None]:
    """Another process of the server holds the facility's row and does not go on (PostgreSQL)."""
    with psycopg.connect(world.settings.database.replace("+psycopg", "")) as other:
        other.execute("SELECT 1 FROM facilities WHERE facility = %s FOR UPDATE", (FACILITY,))
        yield
        other.rollback()


@contextlib.contextmanager
def _full(world: World) -> Iterator[None]:
    """The database has no page left (SQLite)."""
    full = True

    def limit(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar() if full else 2**30
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    event.listen(world.services.store.engine, "begin", limit)
    yield
    full = False


@contextlib.contextmanager
def _cannot_be_reached(world: World) -> Iterator[None]:
    """The database server lets nobody in and has thrown everybody out (PostgreSQL)."""
    url = world.settings.database.replace("+psycopg", "")
    name = str(world.services.store.engine.url.database)
    with psycopg.connect(url.replace(f"/{name}?", "/postgres?"), autocommit=True) as other:
        other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        yield
        other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


LOCKS: dict[str, tuple[Locked, ...]] = {
    "sqlite": (_turn_taken, _written_by_another_tool, _full),
    "postgresql": (_row_locked, _cannot_be_reached),
}
EACH = [pytest.param(lock, engine, id=f"{engine}{lock.__name__}") for engine, locks in LOCKS.items() for lock in locks]


def _walked(world: World) -> Terminal:
    terminal = world.terminal("PAT")
    terminal.pull()
    round_id = patrol.open_round(terminal, world.ids["W"])
    for _ in range(40):
        patrol.visit(terminal, round_id, world.ids["K"], tag=None, cell=None, note="标签脱落" * 100)
    patrol.close_round(terminal, round_id)
    return terminal


@pytest.mark.parametrize(("lock", "engine"), EACH)
def test_come_again_later_and_nothing_half_done(lock: Locked, engine: str, hasty: World) -> None:
    terminal = _walked(hasty)
    headers, body = packed(terminal)
    before = Ledger(hasty.settings)
    with httpx.Client(transport=hasty.transport()) as client:
        with lock(hasty):
            begun = time.monotonic()
            answer = client.post(PUSH, headers=headers, content=body)
            assert time.monotonic() - begun < WAIT_MS / 1000 + 2
            assert (answer.status_code, answer.json()["code"]) == (503, "server.busy")
            assert int(answer.headers["Retry-After"]) == answer.json()["detail"]["retry_after"] > 0
        after = Ledger(hasty.settings)
        assert (after.operations, after.records, after.facility) == (before.operations, before.records, before.facility)
        assert client.post(PUSH, headers=headers, content=body).status_code == 200
    assert {outcome["status"] for outcome in terminal.push()} == {"applied"}
    ledger = Ledger(hasty.settings)
    ledger.consistent()
    ledger.verify()
    assert len(ledger.operations) == len(before.operations) + 42


@pytest.mark.parametrize(("lock", "engine"), [each for each in EACH if each.values[0] is not _cannot_be_reached])
def test_reading_goes_on_beside_a_writer_who_does_not(lock: Locked, engine: str, hasty: World) -> None:
    terminal = hasty.terminal("PAT")
    with lock(hasty):
        assert terminal.pull().rows > 0


@pytest.mark.parametrize("engine", ["sqlite"])
def test_those_who_wait_for_one_turn_are_all_told_at_once(engine: str, hasty: World) -> None:
    """Not one after the other: the last of thirty would wait thirty times as long."""
    waited: list[float] = []

    def write() -> None:
        begun = time.monotonic()
        with contextlib.suppress(Problem), hasty.services.store.writing() as connection:
            connection.execute(text("SELECT 1"))
        waited.append(time.monotonic() - begun)

    with _turn_taken(hasty):
        threads = [threading.Thread(target=write) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert len(waited) == len(threads)
    assert max(waited) < WAIT_MS / 1000 * 3
