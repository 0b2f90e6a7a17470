"""`python -m bench.reconnect`: all terminals come back after an outage at the same time (docs/bench.md).

Each of them behaves as docs/protocol.md says: one push after the other on one connection; told to wait, it waits
`Retry-After` and up to a quarter longer by chance; cut off, it waits 1, 2, 4 … 60 seconds. Only the random moment at the
beginning is shorter than the protocol's five seconds, which makes it harder for the server.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import orjson
from sqlalchemy import select

from backend.identity import sessions, terminals
from backend.identity.officers import Officer
from backend.settings import Settings
from backend.storage import tables
from backend.storage.engine import Store
from bench.load import Walker
from bench.process import cpu, running, threads
from demo.facility import Facility, build
from demo.seed import SEED, seed
from headless.clock import SystemClock
from headless.scribe import Scribe, Written
from headless.wire import Wire
from mobile_api.services import EXTENSION, Services
from tools.process import UNHURRIED, tree
from wsgi import create_app

WITHIN = 1.0
"""Seconds within which all of them come back."""
PATIENCE = 60.0
"""Seconds without an answer after which a terminal takes its connection for cut."""
LONGEST_PAUSE = 60.0
ROUND_TRIP = 0.01
"""Seconds; of a good wireless network."""
PATH = "/v1/sync/push"
_FRAMES = "application/vnd.roundsman.frames"
Queue = list[Written]


@dataclass
class Tale:
    """What a terminal lived through, in seconds.

    ``begun``, ``empty``: from its coming back to its first and its last acknowledgement. ``longest``: its longest request.
    ``refused`` counts the answers 429 and 503, ``cut`` the connections that ended without an answer.
    """

    begun: float = 0.0
    empty: float = 0.0
    longest: float = 0.0
    refused: int = 0
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """Of one push. ``again``: after how many seconds to come again, if it says so; ``last``: the line ends with it."""

    status: int
    again: int | None
    last: bool
    body: bytes


class Line:
    """One connection, on which one request follows the other."""

    def __init__(self, base: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._host = urlsplit(base).netloc
        self._reader = reader
        self.writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, base: str) -> AsyncIterator[Line]:
        """A new connection. Raises OSError."""
        parts = urlsplit(base)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            yield cls(base, reader, writer)
        finally:
            writer.close()

    def head(self, push: Written) -> bytes:
        """The request's head."""
        return (
            f"POST {PATH} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: {_FRAMES}\r\nRoundsman-Proof: {push.proof}\r\n"
            f"Content-Length: {len(push.body)}\r\n\r\n"
        ).encode()

    async def ask(self, push: Written) -> Answer:
        """Sends a push and reads the answer. Raises OSError, EOFError, TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            self.writer.write(self.head(push) + push.body)
            with contextlib.suppress(OSError):  # refused before the body was taken: the answer is there all the same
                await self.writer.drain()
            first, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await self._reader.readexactly(int(headers["content-length"]))
        again = headers.get("retry-after")
        last = headers.get("connection") == "close"
        return Answer(int(first.split(" ")[1]), None if again is None else int(again), last, body)


class _Back:
    """One terminal that has come back with its queue."""

    def __init__(self, base: str, queue: Sequence[Written], chance: random.Random) -> None:
        self._base = base
        self._left = list(reversed(queue))
        self._chance = chance
        self._pause = 1.0
        self._back = 0.0
        self.tale = Tale()

    async def hand_in(self) -> Tale:
        self._back = time.perf_counter()
        while self._left:
            try:
                async with Line.opened(self._base) as line:
                    while self._left and not await self._push(line):
                        pass
            except (OSError, EOFError):
                self.tale.cut += 1
                await self._wait(self._pause)
                self._pause = min(self._pause * 2, LONGEST_PAUSE)
        return self.tale

    async def _push(self, line: Line) -> bool:
        """The next push, and the wait if there is one to be; whether the line has ended."""
        push, begun = self._left[-1], time.perf_counter()
        answer = await line.ask(push)
        self.tale.longest = max(self.tale.longest, time.perf_counter() - begun)
        self._pause = 1.0
        if answer.status in (429, 503) and answer.again is not None:
            self.tale.refused += 1
            await self._wait(answer.again)
            return answer.last
        outcomes = orjson.loads(answer.body).get("outcomes", [])
        if [each["op"] for each in outcomes if each["status"] == "applied"] != push.ops:
            raise RuntimeError(f"not applied: {answer.status} {answer.body[:300]!r}")
        self._left.pop()
        self.tale.empty = time.perf_counter() - self._back
        self.tale.begun = self.tale.begun or self.tale.empty
        return answer.last

    async def _wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds * (1 + self._chance.random() / 4))


async def come_back(base: str, queues: Sequence[Queue], within: float = WITHIN) -> list[Tale]:
    """Hands in a queue for each terminal, all beginning within so many seconds. Raises RuntimeError when one is refused."""
    chance = random.Random(len(queues))

    async def one(queue: Queue) -> Tale:
        await asyncio.sleep(chance.random() * within)
        return await _Back(base, queue, chance).hand_in()

    return list(await asyncio.gather(*map(one, queues)))


async def flood(base: str, push: Written, connections: int, over: asyncio.Event) -> Counter[int]:
    """One terminal that heeds nothing: it sends the same push again and again on so many connections. Answers by status.

    Between an answer and the next push lies ROUND_TRIP: without it, it is this process that would be slow.
    """
    answered: Counter[int] = Counter()

    async def lane() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError, EOFError):
                async with Line.opened(base) as line:
                    last = False
                    while not over.is_set() and not last:
                        answer = await line.ask(push)
                        answered[answer.status] += 1
                        last = answer.last
                        await asyncio.sleep(ROUND_TRIP)

    await asyncio.gather(*(lane() for _ in range(connections)))
    return answered


async def drip(base: str, push: Written, connections: int, over: asyncio.Event, pause: float = 0.5) -> None:
    """Begins a push on so many connections and sends its body a byte at a time."""

    async def lane() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError, EOFError):
                async with Line.opened(base) as line:
                    line.writer.write(line.head(push))
                    for at in range(len(push.body)):
                        if over.is_set():
                            return
                        line.writer.write(push.body[at : at + 1])
                        await line.writer.drain()
                        await asyncio.sleep(pause)
            await asyncio.sleep(pause)

    await asyncio.gather(*(lane() for _ in range(connections)))


def prepare(settings: Settings, facility: Facility, count: int, each: int, batch: int) -> list[Queue]:
    """So many terminals, enrolled and with an officer on a round, and for each its captured visits as signed pushes.

    In this process; no server may run on the store.
    """
    app = create_app(settings)
    services: Services = app.extensions[EXTENSION]
    wire = Wire("http://localhost", SystemClock(), httpx.WSGITransport(app))
    patrol = [Officer(facility.id, o.id, o.number, o.name, o.posts) for o in facility.officers if "PAT" in o.posts]
    queues = []
    for at in range(count):
        scribe = Scribe(wire, SystemClock())
        scribe.enrol(terminals.make_code(services.door, facility.id, "bench")[0], f"bench-{at}")
        terminal, officer = terminals.by_id(services.store, scribe.terminal), patrol[at % len(patrol)]
        scribe.use(officer.officer, sessions.start(services.door, terminal, officer, hours=12).session)
        walker = Walker(scribe, facility, at)
        queues.append([walker.visits(min(batch, each - done)) for done in range(0, each, batch)])
    services.hub.close()
    services.store.close()
    return queues


def kept_once(settings: Settings, queues: Sequence[Queue]) -> bool:
    """Whether the store has every operation exactly once, applied."""
    store = Store(settings.database)
    try:
        with store.reading() as connection:
            of = tables.operations.c
            kept = Counter(connection.execute(select(of.op).where(of.status == "applied")).scalars())
    finally:
        store.close()
    return {kept[op] for queue in queues for push in queue for op in push.ops} == {1}


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which that part of them lies; ``part`` from 0 to 1."""
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def own_memory(root: int) -> float:
    """Memory in MB that a process tree has for itself, the mapped part of the database not counted (Linux, /proc)."""
    total = 0
    for process in tree(root):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{process}/status").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
    return total / 1024


@dataclass
class Found:
    """One run. ``cpu_us``: the server's CPU microseconds a record; ``seconds``: until the last terminal was empty.

    ``megabytes`` of its own memory and ``threads`` are those at the end, before any of it is given back.
    """

    tales: list[Tale]
    seconds: float
    cpu_us: float
    megabytes: float
    threads: int
    once: bool
    flooded: Counter[int] = field(default_factory=Counter)

    def line(self) -> str:
        """One row of the table."""
        empty = [tale.empty for tale in self.tales]
        middle = quantile(empty, 0.5)
        times = (
            f"{min(empty):7.1f} {middle:7.1f} {quantile(empty, 0.9):7.1f} {max(empty):7.1f} {max(empty) / middle:7.2f}"
        )
        begun = max(tale.begun for tale in self.tales)
        refused, cut = (sum(getattr(tale, name) for tale in self.tales) for name in ("refused", "cut"))
        longest = max(tale.longest for tale in self.tales)
        return (
            f"{times} {begun:7.1f} {refused:8} {cut:5} {longest:8.1f} {self.cpu_us:7.0f} {self.megabytes:5.0f} {self.threads:7}"
            f" {'yes' if self.once else 'NO':>5}"
        )


HEADINGS = f"{'min s':>7} {'p50':>7} {'p90':>7} {'max':>7} {'max/p50':>7} {'begun':>7}"
HEADINGS += f" {'429, 503':>8} {'cuts':>5} {'longest':>8} {'CPU µs':>7} {'MB':>5} {'threads':>7} {'once':>5}"


async def besieged(
    base: str, queues: Sequence[Queue], enemy: Written, floods: int, drips: int, within: float = WITHIN
) -> tuple[list[Tale], Counter[int]]:
    """The terminals come back while another one floods and others drip; what the flood was answered besides."""
    over = asyncio.Event()
    flooding = asyncio.create_task(flood(base, enemy, floods, over))
    dripping = asyncio.create_task(drip(base, enemy, drips, over))
    if floods or drips:
        await asyncio.sleep(0.5)
    try:
        tales = await come_back(base, queues, within)
    finally:
        over.set()
        flooded, _ = await asyncio.gather(flooding, dripping)
    return tales, flooded


def run(data: Path, asked: argparse.Namespace, say: Callable[[str], None]) -> Found:
    """Seeds a facility without history, prepares the outage, serves it, and lets all come back."""
    environ = (
        UNHURRIED | {"ROUNDSMAN_DATA": str(data)} | ({"ROUNDSMAN_DATABASE": asked.database} if asked.database else {})
    )
    settings = Settings.read(environ)
    seed(settings, datetime.now().astimezone(), days=0)
    begun = time.perf_counter()
    *queues, enemy = prepare(settings, build(SEED), asked.terminals + 1, asked.each, asked.batch)
    say(
        f"{asked.terminals} terminals with {asked.each} operations each prepared in {time.perf_counter() - begun:.0f} s"
    )
    with running(data, asked.database, processes=asked.processes) as (base, process):
        before, begun = cpu(process), time.perf_counter()
        tales, flooded = asyncio.run(besieged(base, queues, enemy[0], asked.flood, asked.drip))
        seconds, used, size = (
            time.perf_counter() - begun,
            cpu(process) - before,
            (own_memory(process), threads(process)),
        )
    once = kept_once(settings, queues)
    return Found(tales, seconds, used / (asked.terminals * asked.each) * 1e6, *size, once, flooded)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.reconnect", description="All terminals come back at the same time.")
    parser.add_argument("--terminals", type=int, default=500)
    parser.add_argument("--each", type=int, default=200, help="operations of each terminal")
    parser.add_argument("--batch", type=int, default=50, help="operations of each push")
    parser.add_argument("--flood", type=int, default=0, help="connections of one more terminal that heeds nothing")
    parser.add_argument("--drip", type=int, default=0, help="connections on which a body comes a byte at a time")
    parser.add_argument("--database", help="SQLAlchemy URL of an empty database; SQLite in a fresh folder if left out")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--runs", type=int, default=1)
    asked = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for _ in range(1 if asked.database else asked.runs):
        with tempfile.TemporaryDirectory(prefix="roundsman-bench-") as folder:
            found = run(Path(folder), asked, print)
        print(f"{found.seconds:.1f} s in all; seconds of each terminal until its queue was empty:")
        print(HEADINGS)
        print(found.line())
        if found.flooded:
            print(f"the flood was answered: {dict(found.flooded)}")


if __name__ == "__main__":
    main()
