"""A serving process ticks by itself, and is killed around its own commits: the next one repeats and forgets nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from backend.kernel.clock import SystemClock
from backend.storage import tables
from tests.contract.test_ticks import duties
from tests.support import store
from tests.support.server import Server
from tests.support.world import World, opened

DEATHS = ("commit.before:1", "commit.after:1", "group.planned:1", "commit.before:1", "commit.after:1", "commit.after:2")
"""The officer of the server is entered, its session begun, its first duties issued: each dies before, and after."""
PATIENCE = 30.0


def until(done: Callable[[], Any]) -> Any:
    """Waits for something to come true."""
    end = time.monotonic() + PATIENCE
    while not (found := done()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def test_killed_while_ticking(small: World) -> None:
    server = Server(small.folder / "data", more={"ROUNDSMAN_TICK_SECONDS": "1"})
    try:
        for death in DEATHS:
            server.launch(death)
            assert server.fallen(), f"nothing passed {death}"
        server.start()
        after = opened(small.folder, ids=small.ids)
        after.clock.set(SystemClock().now())
        assert until(lambda: store.rows(after, tables.engines)) and until(lambda: duties(after))
    finally:
        server.kill()
    found = Counter((each["rule"], each["person"], each["place"], each["due_at"]) for each in duties(after))
    assert set(found.values()) == {1}
    assert {row.status for row in store.rows(after, tables.operations)} == {"applied"}
    assert len([row for row in store.rows(after, tables.officers) if row.posts == "SYS"]) == 1
    store.verified(after)
    after.close()
