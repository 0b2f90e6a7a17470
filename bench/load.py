"""The load: terminals that drain a backlog, trickle through a shift, and read everything anew.

As in the peers' measurements: 40 terminals of 250 records of about 600 bytes, batches of 50, 8 connections; then one
record a request; then two fresh terminals that read it all in pages of 500. Every record is a real visit: its round
opened before, its place looked up, its cell's head count held against the register.
"""

from __future__ import annotations

import concurrent.futures
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import httpx
import orjson

from bench.process import cpu
from demo.facility import Facility, Place
from headless.chain import uuid7
from headless.clock import SystemClock
from headless.scribe import Scribe, Written
from headless.wire import Wire

CONNECTIONS = 8
T = TypeVar("T")
_OBSERVATIONS = ("asleep", "calm", "talking", "low_mood")


@dataclass(frozen=True)
class Measured:
    """`cpu_us`: the server's CPU microseconds a record; `rate`: records a second; `p99_ms`: of a request."""

    records: int
    cpu_us: float
    rate: float
    p99_ms: float


class Walker:
    """A scribe with a round open, writing one visit after the other."""

    def __init__(self, scribe: Scribe, facility: Facility, seed: int) -> None:
        self.scribe = scribe
        self._chance = random.Random(seed)
        ward = self._chance.choice(facility.wards())
        self._cells: list[Place] = [p for p in facility.places if p.parent == ward.id and p.type == "cell"]
        self._round = uuid7()
        self._opened = scribe.write("patrol.round", "open", self._round, {"area": ward.id, "companions": []})
        scribe.push()

    def visits(self, count: int) -> Written:
        """`count` visits packed as one push of about 600 bytes a record."""
        for _ in range(count):
            place = self._chance.choice(self._cells)
            cell = {
                "headcount": self._chance.randrange(5, 11),
                "response": self._chance.choice(("moving", "breathing")),
                "observation": self._chance.choice(_OBSERVATIONS),
            }
            tag = {"uid": place.tags[0], "medium": "nfc", "counter": self._chance.randrange(1000)}
            fields = {"round": self._round, "place": place.id, "tag": tag, "cell": cell, "note": None}
            self.scribe.write("patrol.visit", "record", uuid7(), fields, after=[self._opened])
        return self.scribe.pack()


def enrol(base: str, codes: Sequence[str], facility: Facility, secret: str) -> list[Walker]:
    """Terminals with a patrol officer each, signed in and on a round."""
    patrol = [officer for officer in facility.officers if "PAT" in officer.posts]
    walkers = []
    for at, code in enumerate(codes):
        scribe = Scribe(Wire(base, SystemClock()), SystemClock())
        scribe.enrol(code, f"bench-{at}")
        scribe.sign_in(patrol[at % len(patrol)].number, secret)
        walkers.append(Walker(scribe, facility, at))
    return walkers


def push_all(base: str, process: int, pushes: list[Written], records: int) -> Measured:
    """Sends pushes over CONNECTIONS connections. Raises RuntimeError when one record is not applied."""
    latencies: list[float] = []

    def lane(mine: list[Written]) -> None:
        with httpx.Client(base_url=base, timeout=60) as client:
            for push in mine:
                headers = {"Content-Type": "application/vnd.roundsman.frames", "Roundsman-Proof": push.proof}
                begun = time.perf_counter()
                answer = client.post("/v1/sync/push", content=push.body, headers=headers)
                latencies.append(time.perf_counter() - begun)
                outcomes = orjson.loads(answer.content).get("outcomes", [])
                if [o["op"] for o in outcomes if o["status"] == "applied"] != push.ops:
                    raise RuntimeError(f"not applied: {answer.status_code} {answer.content[:300]!r}")

    lanes = [pushes[at::CONNECTIONS] for at in range(CONNECTIONS)]
    return _measure(process, lambda: _together(lane, lanes), latencies, lambda: records)


def _together(work: Callable[[T], None], parts: Sequence[T]) -> None:
    with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(work, parts))


def _measure(process: int, work: Callable[[], None], latencies: list[float], records: Callable[[], int]) -> Measured:
    before, begun = cpu(process), time.perf_counter()
    work()
    wall, used, count = time.perf_counter() - begun, cpu(process) - before, records()
    p99 = sorted(latencies)[int(len(latencies) * 0.99)]
    return Measured(count, used / count * 1e6, count / wall, p99 * 1e3)


def drain(base: str, process: int, walkers: list[Walker], each: int = 250, batch: int = 50) -> Measured:
    """A backlog: the terminals' batches arrive interleaved, as after an outage."""
    rounds = [[walker.visits(batch) for walker in walkers] for _ in range(each // batch)]
    pushes = [push for wave in rounds for push in wave]
    return push_all(base, process, pushes, len(walkers) * each)


def trickle(base: str, process: int, walkers: list[Walker], count: int = 2000) -> Measured:
    """A normal shift: one record a request. A terminal's pushes stay in one lane, so that its numbers follow."""
    order = [walkers[at % len(walkers)] for at in range(count)]
    return push_all(base, process, [walker.visits(1) for walker in order], count)


def bootstrap(process: int, readers: Sequence[Scribe], page: int = 500) -> Measured:
    """Fresh terminals read their whole scope in pages, with nothing held before."""
    latencies: list[float] = []
    counted: list[int] = []

    def read(scribe: Scribe) -> None:
        cursors: dict[str, int] = {}
        rows, more = 0, True
        while more:
            begun = time.perf_counter()
            body = {"partitions": cursors, "limit": page}
            answer = scribe.wire.ask(scribe.key, "POST", "/v1/sync/pull", body, scribe.token)
            latencies.append(time.perf_counter() - begun)
            for part in answer["partitions"]:
                cursors[part["partition"]] = part["cursor"]
                rows += len(part["rows"])
            more = answer["more"]
        counted.append(rows)

    return _measure(process, lambda: _together(read, readers), latencies, lambda: sum(counted))


def now() -> datetime:
    return datetime.now(UTC)
