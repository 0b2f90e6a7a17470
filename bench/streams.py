"""`python -m bench.streams`: what open streams cost, and how soon an alarm is with all of them (docs/bench.md).

The server is production's own command line. `--bare` measures a bare WSGI application in its place, which holds a
thread a stream and does nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import httpx

from backend.identity import sessions, terminals
from backend.identity.officers import Officer
from backend.identity.tokens import Ticket
from backend.kernel.ids import uuid7
from backend.settings import Settings
from backend.storage.door import Transaction
from bench.listeners import Heard, Listeners, within
from bench.process import cpu, memory, running, threads
from demo.facility import Facility, build
from demo.seed import SECRET, SEED, seed
from headless.chain import uuid7 as new_id
from headless.clock import SystemClock
from headless.proof import Key, new_key
from headless.scribe import Scribe
from headless.wire import Wire
from mobile_api.services import EXTENSION, Services
from tools.process import UNHURRIED, free_port
from tools.serve import command
from wsgi import create_app

COUNTS = (100, 300, 500)
ALARMS = 20
Credentials = tuple[Key, str]


@dataclass
class Target:
    """A server under measurement. ``ring`` raises one alarm that concerns every stream."""

    base: str
    process: int
    ring: Callable[[], object]
    credentials: Sequence[Credentials]


def enlist(services: Services, officers: Sequence[Officer], count: int) -> list[Credentials]:
    """So many terminals with an officer signed in on each, in turn: their keys and tokens."""
    keys = [Key(new_key()) for _ in range(count)]
    ids = [uuid7(services.clock.now()) for _ in keys]
    facility = officers[0].facility

    def work(transaction: Transaction) -> None:
        for terminal, key in zip(ids, keys, strict=True):
            terminals.add(transaction, terminal, "listener", key.jwk)

    services.door.write(facility, work)
    made = []
    for at, (terminal, key) in enumerate(zip(ids, keys, strict=True)):
        found = terminals.by_id(services.store, terminal)
        officer = officers[at % len(officers)]
        session = sessions.start(services.door, found, officer, hours=12)
        ticket = Ticket(facility, session.session, 1, found.thumbprint)
        token, _ = services.tokens.issue(ticket, officer.officer, session.started_at, session.expires_at)
        made.append((key, token))
    return made


@contextlib.contextmanager
def real(data: Path, database: str | None, processes: int) -> Iterator[Target]:
    """Roundsman over the demo's facility; leaders and medics listen, an officer reports what is urgent."""
    settings = Settings.read(
        UNHURRIED | {"ROUNDSMAN_DATA": str(data)} | ({"ROUNDSMAN_DATABASE": database} if database else {})
    )
    seed(settings, datetime.now().astimezone(), days=0)
    facility = build(SEED)
    app = create_app(settings)
    services: Services = app.extensions[EXTENSION]
    everywhere = [o for o in facility.officers if {"LEAD", "MED", "DIR", "INT"}.intersection(o.posts)]
    listening = [Officer(facility.id, o.id, o.number, o.name, o.posts) for o in everywhere]
    credentials = enlist(services, listening, max(COUNTS))
    code = terminals.make_code(services.door, facility.id, "bench")[0]
    services.store.close()
    with running(data, database, processes=processes) as (base, process):
        scribe = Scribe(Wire(base, SystemClock()), SystemClock())
        scribe.enrol(code, "bench-reporter")
        scribe.sign_in(everywhere[0].number, SECRET)
        yield Target(base, process, lambda: report(scribe, facility), credentials)


def report(scribe: Scribe, facility: Facility) -> None:
    """Something urgent about a person."""
    person = facility.persons[0]
    fields = {"category": "dispute", "severity": "urgent", "person": person.id, "place": person.cell}
    scribe.write("dynamic_info", "report", new_id(), fields | {"involved": [], "text": "打架，已按响警铃" * 20})
    scribe.push()


@contextlib.contextmanager
def bare() -> Iterator[Target]:
    """The same command line over `bench.bare`."""
    port = free_port()
    line = [word for word in command(port) if word != "--factory"]
    line[line.index("wsgi:serve")] = "bench.bare:application"
    server = subprocess.Popen(line, env=os.environ)
    base = f"http://127.0.0.1:{port}"
    try:
        if not within(20, lambda: _answers(base)):
            raise RuntimeError("the server did not come up")
        yield Target(base, server.pid, lambda: httpx.get(f"{base}/ring"), [(Key(new_key()), "-")] * max(COUNTS))
    finally:
        server.terminate()
        server.wait(20)


def _answers(base: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{base}/healthz").status_code == 200
    return False


@dataclass
class Measured:
    """Of so many open streams: threads and MB of the server, milliseconds from commit to arrival, CPU of an alarm.

    ``p50`` and ``p99`` are over the streams, of the middle one of the alarms; ``worst`` is the p99 of the slowest alarm.
    """

    count: int
    threads: int
    megabytes: float
    p50: float
    p99: float
    worst: float
    cpu_ms: float
    idle_percent: float | None


def measure(target: Target, listeners: Listeners, count: int, idle: float) -> Measured:
    """Opens streams up to a count and raises alarms; then, if told, watches the idle server for so many seconds."""
    listeners.open(target.credentials[len(listeners.lines) : count])
    lines = listeners.lines
    if not within(60, lambda: listeners.counted["hello"] == count):
        raise RuntimeError(f"not all open: {[line.body for line in lines if line.status != 200][:3]}")
    time.sleep(2.5)
    before, rung = [len(line.heard) for line in lines], listeners.counted["alarm"]
    used = cpu(target.process)
    for _ in range(ALARMS):
        target.ring()
        rung += count
        if not within(10, partial(_all_rung, listeners, rung)):
            raise RuntimeError("an alarm did not reach all streams")
        time.sleep(0.3)
    used = (cpu(target.process) - used) / ALARMS * 1e3
    heard = [[each for each in line.heard[n:] if each.name == "alarm"] for line, n in zip(lines, before, strict=True)]
    late = [sorted(_late(each) for each in one) for one in zip(*heard, strict=True)]
    p50s, p99s = (sorted(one[int(len(one) * part)] * 1e3 for one in late) for part in (0.5, 0.99))
    quiet = None
    if idle:
        time.sleep(3)
        begun = cpu(target.process)
        time.sleep(idle)
        quiet = (cpu(target.process) - begun) / idle * 100
    middle = len(late) // 2
    size = threads(target.process), memory(target.process)
    return Measured(count, *size, p50s[middle], p99s[middle], p99s[-1], used, quiet)


def _all_rung(listeners: Listeners, rung: int) -> bool:
    return listeners.counted["alarm"] >= rung


def _late(heard: Heard) -> float:
    return heard.at - datetime.fromisoformat(heard.data["row"]["received_at"]).timestamp()


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.streams", description="What open streams cost.")
    parser.add_argument("--bare", action="store_true", help="a bare WSGI application instead of Roundsman")
    parser.add_argument("--database", help="SQLAlchemy URL of an empty database; SQLite in a fresh folder if left out")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--idle", type=float, default=30, help="seconds to watch the idle server with all streams open")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="roundsman-bench-") as folder, contextlib.ExitStack() as stack:
        target = stack.enter_context(bare() if asked.bare else real(Path(folder), asked.database, asked.processes))
        nonce = httpx.get(f"{target.base}/v1/sync/stream", headers={"DPoP": "-"}) if not asked.bare else None
        print(f"{'streams':>8} {'threads':>8} {'MB':>7} {'kB each':>8}", end=" ")
        print(f"{'p50 ms':>7} {'p99 ms':>7} {'worst':>7} {'CPU ms':>7} {'idle CPU %':>11}")
        empty = memory(target.process)
        print(f"{0:8} {threads(target.process):8} {empty:7.0f}")
        listeners = stack.enter_context(Listeners(target.base, nonce.headers["DPoP-Nonce"] if nonce else "-"))
        for count in COUNTS:
            found = measure(target, listeners, count, asked.idle if count == COUNTS[-1] else 0)
            each = (found.megabytes - empty) * 1024 / count
            idle = "" if found.idle_percent is None else f"{found.idle_percent:.2f}"
            print(
                f"{count:8} {found.threads:8} {found.megabytes:7.0f} {each:8.0f} {found.p50:7.1f} {found.p99:7.1f}"
                f" {found.worst:7.1f} {found.cpu_ms:7.1f} {idle:>11}",
                flush=True,
            )


if __name__ == "__main__":
    main()
