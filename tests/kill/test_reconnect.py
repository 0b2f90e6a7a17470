"""Terminals that come back together after an outage: all are served, evenly, and one that heeds nothing costs them little."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import pytest

from backend.settings import Settings
from bench.reconnect import Queue, Tale, besieged, come_back, kept_once, prepare, quantile
from demo.facility import build
from demo.seed import SEED, seed
from sync.writing.entrance import MOST_OF_ONE, PLACES
from sync.writing.queue import MOST_JOBS
from tests.support.server import Server
from tools.process import UNHURRIED

T = TypeVar("T")
TOGETHER, BEFORE, BESIDE = 240, 24, 24
EACH, BATCH = 30, 5
EVEN = 3.0
"""By how much the last may take longer than the one in the middle."""
FLOODING, DRIPPING = 16, 120
"""Connections of the terminal that heeds nothing: more than it is given places, and more than there are places at all."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs it on a thread of its own: this one may have a browser's loop already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@dataclass
class Outage:
    """A server that is back, and the queues of those who were cut off."""

    server: Server
    settings: Settings
    queues: list[Queue]

    def some(self, count: int) -> list[Queue]:
        """Queues of terminals that have not come back yet."""
        taken, self.queues = self.queues[:count], self.queues[count:]
        return taken


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outage]:
    data = tmp_path_factory.mktemp("reconnect") / "data"
    settings = Settings.read(UNHURRIED | {"ROUNDSMAN_DATA": str(data), "ROUNDSMAN_LOG_LEVEL": "ERROR"})
    seed(settings, datetime.now(UTC), days=0)
    queues = prepare(settings, build(SEED), TOGETHER + BEFORE + BESIDE + 1, EACH, BATCH)
    server = Server(data)
    try:
        server.start()
        yield Outage(server, settings, queues)
    finally:
        server.kill()


def _middle(tales: list[Tale]) -> float:
    return quantile([tale.empty for tale in tales], 0.5)


def _last(tales: list[Tale]) -> float:
    return max(tale.empty for tale in tales)


def test_all_are_served_each_operation_once_and_none_much_later_than_the_others(outage: Outage) -> None:
    """So many that the line is longer than a group. All have begun before a tenth have ended."""
    assert TOGETHER > PLACES + MOST_JOBS
    queues = outage.some(TOGETHER)
    tales = run(come_back(outage.server.url, queues, within=0))
    assert not any(tale.refused or tale.cut for tale in tales)
    assert _last(tales) <= EVEN * _middle(tales)
    assert max(tale.begun for tale in tales) <= quantile([tale.empty for tale in tales], 0.1)
    assert kept_once(outage.settings, queues)


def test_a_terminal_that_heeds_nothing_is_sent_away_and_slows_the_others_little(outage: Outage) -> None:
    """It sends the same push again and again on some lines, and on others a body that does not end."""
    before, beside, (enemy,) = outage.some(BEFORE), outage.some(BESIDE), outage.some(1)
    base = outage.server.url

    async def health() -> float:
        """Seconds until the server says that it is well, in the middle of it."""
        await asyncio.sleep(1)
        async with httpx.AsyncClient(timeout=20) as client:
            answer = await client.get(f"{base}/healthz")
        assert answer.status_code == 200
        return answer.elapsed.total_seconds()

    async def siege() -> tuple[tuple[list[Tale], Counter[int]], float]:
        return await asyncio.gather(besieged(base, beside, enemy[0], FLOODING, DRIPPING, within=0), health())

    alone = run(come_back(base, before, within=0))
    (tales, flooded), waited = run(siege())
    assert FLOODING > MOST_OF_ONE and DRIPPING > PLACES
    assert flooded[429] > 0 and set(flooded) <= {200, 429}
    assert not any(tale.refused or tale.cut for tale in tales)
    assert _middle(tales) <= EVEN * _middle(alone) and _last(tales) <= EVEN * _middle(tales)
    assert waited < 5
    assert kept_once(outage.settings, [*before, *beside])
