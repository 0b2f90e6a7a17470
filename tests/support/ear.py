"""A stream of the application in this process, read by a thread as the HTTP server would."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import orjson

from tests.support.caller import Caller
from tests.support.world import World

STREAM = "/v1/sync/stream"
PATIENCE = 10.0


class Ear:
    """``events`` are (name, data) in their order; a heartbeat is ("beat", None)."""

    def __init__(self, caller: Caller) -> None:
        with caller.world.app.test_client() as client:
            self.answer = client.get(STREAM, headers=caller.headers("GET", STREAM))
        assert self.answer.status_code == 200, self.answer.data
        self.caller = caller
        self.events: list[tuple[str, Any]] = []
        self.closed = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for chunk in self.answer.response:
            assert chunk.endswith(b"\n\n")
            for block in chunk.decode().split("\n\n")[:-1]:
                name, _, data = block.partition("\n")
                said = orjson.loads(data.removeprefix("data: ")) if data else None
                self.events.append((name.removeprefix("event: ").removeprefix(": "), said))
        self.answer.close()
        self.closed.set()

    def said(self, name: str) -> list[Any]:
        """The data of its events of a name."""
        return [data for each, data in list(self.events) if each == name]

    def hears(self, name: str, count: int = 1, seconds: float = PATIENCE) -> Any:
        """Waits for the so-manieth event of a name; its data."""
        until = time.monotonic() + seconds
        while len(self.said(name)) < count:
            assert time.monotonic() < until, f"no {name} in {self.events}"
            time.sleep(0.005)
        return self.said(name)[count - 1]

    def named(self) -> set[str]:
        """The partitions of all its news."""
        return {partition for news in self.said("news") for partition in news["partitions"]}


@contextlib.contextmanager
def listening(world: World, *names: str) -> Iterator[list[Ear]]:
    """Officers who listen, each on a terminal of his own; all have been greeted."""
    ears = [Ear(Caller.of(world, name)) for name in names]
    for ear in ears:
        ear.hears("hello")
    yield ears


def beats(ear: Ear, count: int = 1) -> None:
    """Lets so many heartbeats pass."""
    ear.hears("beat", len(ear.said("beat")) + count)
