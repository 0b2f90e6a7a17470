"""`python -m bench`: prints the figures beside the floors."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from backend.identity import terminals
from backend.settings import Settings
from bench import load, tick
from bench.load import Measured, now
from bench.process import memory, running
from demo.facility import build
from demo.seed import SECRET, SEED, seed
from headless.clock import SystemClock
from headless.scribe import Scribe
from headless.wire import Wire
from mobile_api.services import EXTENSION, Services
from tools.process import UNHURRIED
from wsgi import create_app

TERMINALS = 40
FLOORS = {
    "drain": ("pouchdb-server 253, Kinto 22,894, RxDB in memory 45", 120, 45),
    "trickle": ("RxDB in memory 675, pouchdb-server 1,465", 900, 500),
    "bootstrap": ("RxDB in memory 13, Kinto 56, pouchdb-server 84", 6, 3),
}
"""Peers measured elsewhere on such a machine; then what is to be reached, and the dream. CPU µs a record."""


def _codes(settings: Settings, facility: str, count: int) -> list[str]:
    app = create_app(settings)
    services: Services = app.extensions[EXTENSION]
    made = [terminals.make_code(services.door, facility, "bench")[0] for _ in range(count)]
    services.store.close()
    return made


def _reader(base: str, code: str, number: str) -> Scribe:
    scribe = Scribe(Wire(base, SystemClock()), SystemClock())
    scribe.enrol(code, "bench-reader")
    scribe.sign_in(number, SECRET)
    return scribe


REFERENCE_US = 49.0
"""CPU µs of one ES256 verification on the machine on which the floors were measured."""


def yardstick() -> float:
    """CPU µs of one ES256 verification here and now: machines differ, and the same one from hour to hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    algorithm = ec.ECDSA(hashes.SHA256())
    signature, public = key.sign(b"yardstick", algorithm), key.public_key()
    begun = time.process_time()
    for _ in range(2000):
        public.verify(signature, b"yardstick", algorithm)
    return (time.process_time() - begun) / 2000 * 1e6


def run(data: Path, database: str | None, processes: int) -> tuple[dict[str, Measured], float]:
    """Seeds a facility without history, serves it, and measures."""
    environ = UNHURRIED | {"ROUNDSMAN_DATA": str(data)} | ({"ROUNDSMAN_DATABASE": database} if database else {})
    settings = Settings.read(environ)
    seed(settings, now(), days=0)
    facility = build(SEED)
    codes = _codes(settings, facility.id, TERMINALS + 2)
    leader = next(officer for officer in facility.officers if "LEAD" in officer.posts)
    with running(data, database, processes=processes) as (base, process):
        walkers = load.enrol(base, codes[:TERMINALS], facility, SECRET)
        readers = [_reader(base, code, leader.number) for code in codes[TERMINALS:]]
        load.drain(base, process, walkers, each=50)
        measures: dict[str, Callable[[], Measured]] = {
            "drain": lambda: load.drain(base, process, walkers),
            "trickle": lambda: load.trickle(base, process, walkers),
            "bootstrap": lambda: load.bootstrap(process, readers),
        }
        found = {}
        for name, measure in measures.items():
            before = yardstick()
            measured = measure()
            found[name] = replace(measured, cpu_us=measured.cpu_us * REFERENCE_US * 2 / (before + yardstick()))
        return found, memory(process)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description="Server CPU a record.")
    parser.add_argument("--database", help="SQLAlchemy URL of an empty database; SQLite in a fresh folder if left out")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tick", action="store_true", help="what a tick of the duty rules costs, instead (bench.tick)")
    asked = parser.parse_args()
    if asked.tick:
        tick.run((1, 60), tick.TICKS, print)
        return
    runs = []
    for _ in range(1 if asked.database else asked.runs):
        with tempfile.TemporaryDirectory(prefix="roundsman-bench-") as folder:
            runs.append(run(Path(folder), asked.database, asked.processes))
    print(
        f"one ES256 verification takes {yardstick():.0f} µs here; "
        f"the figures are those of a machine where it takes {REFERENCE_US:.0f}"
    )
    print(f"{'':10} {'CPU µs a record':>34} {'records/s':>10} {'p99 ms':>8}   to reach  dream  peers (CPU µs a record)")
    for name, (peers, reach, dream) in FLOORS.items():
        several = sorted((found[name] for found, _ in runs), key=lambda each: each.cpu_us)
        middle = several[len(several) // 2]
        spread = f"{middle.cpu_us:.1f} ({several[0].cpu_us:.1f}–{several[-1].cpu_us:.1f})"
        print(f"{name:10} {spread:>34} {middle.rate:10.0f} {middle.p99_ms:8.1f} {reach:10} {dream:6}  {peers}")
    print(f"resident memory of the server: {max(used for _, used in runs):.0f} MB")


if __name__ == "__main__":
    main()
