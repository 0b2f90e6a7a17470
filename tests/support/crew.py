"""Officers who walk rounds with headless terminals against a server process, each in a thread of his own."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httpx
import orjson

from backend.kernel.clock import ManualClock
from backend.settings import Settings
from headless import Offline, Terminal, patrol
from headless.chain import frames
from headless.proof import Key
from tests.support.application import application
from tests.support.world import SECRET, World, looked, populate, tag
from tools.process import UNHURRIED

CREW = ("PAT", "PAT", "DISC", "AUX", "PAT2", "LEAD")
"""Who walks: four in ward W, one in ward V, and a leader, who sees both."""
READER = "LEAD"
_STOPS = {"W": ("C1", "C2", "K"), "V": ("D1",)}


def opened(path: Path, url: str) -> Terminal:
    """A terminal on its file. Plain HTTP needs no certificates, and reading them takes longer than a request."""
    return Terminal(path, url, transport=httpx.HTTPTransport(verify=False))


@dataclass
class Hand:
    """One officer with one terminal. ``known``: outcomes by operation, as they were when he first learnt them."""

    path: Path
    officer: str
    ids: dict[str, str]
    terminal: Terminal
    known: dict[str, bytes] = field(default_factory=dict)
    errors: list[BaseException] = field(default_factory=list)

    def goes_to(self, url: str) -> None:
        """Opens the same file again for another server."""
        self.terminal.close()
        self.terminal = opened(self.path, url)

    def walk(self) -> None:
        """One round, captured; nothing is sent."""
        ward = "V" if self.officer == "PAT2" else "W"
        round_id = patrol.open_round(self.terminal, self.ids[ward])
        for code in _STOPS[ward]:
            cell = None if code == "K" else cast(patrol.Cell, looked())
            patrol.visit(self.terminal, round_id, self.ids[code], tag=cast(patrol.Tag, tag(code)), cell=cell, note=None)
        patrol.close_round(self.terminal, round_id)

    def work(self, chance: random.Random, goes_on: Callable[[], bool]) -> None:
        """Walks, pushes and pulls, until told to stop; once the server is gone, one more round.

        His first push is whole, so that it brings something new; later ones are cut anyhow.
        """
        limit = 500
        while goes_on():
            self.walk()
            try:
                self.terminal.push(limit)
                self.terminal.pull(limit=chance.choice((20, 500)))
                limit = chance.randint(1, 8)
            except Offline:
                break
        self.walk()

    def insist(self, seconds: float = 60) -> None:
        """Pushes and pulls until nothing waits, whatever becomes of the server in between."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                self.terminal.sync()
                return
            except Offline:
                time.sleep(0.05)
        raise AssertionError(f"{self.officer} could not empty his queue")

    def bodies(self) -> list[bytes]:
        """The rows he holds, as the server spelt them."""
        return [orjson.dumps(row) for row in self.terminal.rows()]

    def learn(self) -> None:
        """Takes note of what he was told; what he was told before must stand."""
        for queued in self.terminal.queue():
            if queued.outcome is not None:
                told = orjson.dumps(queued.outcome)
                assert self.known.setdefault(queued.op, told) == told, f"{queued.op} has another outcome"


def packed(terminal: Terminal, limit: int = 500) -> tuple[dict[str, str], bytes]:
    """Headers and body of the push that a terminal would send next."""
    identity, batch = terminal.identity, terminal.store.batch(None, limit)
    claims = {
        "facility": identity.facility,
        "terminal": identity.terminal,
        "incarnation": identity.incarnation,
        "first": batch.operations[0].n,
        "count": len(batch.operations),
        "prior": batch.prior,
        "last": batch.operations[-1].hash,
        "captured": batch.captured,
    }
    headers = {"Content-Type": "application/vnd.roundsman.frames", "Roundsman-Proof": Key(identity.pem).push(claims)}
    return headers, frames((queued.n, queued.hash, queued.raw) for queued in batch.operations)


@dataclass
class Site:
    """An installation whose server runs elsewhere, its crew, and a reader who has read nothing yet."""

    settings: Settings
    ids: dict[str, str]
    hands: list[Hand]
    reader: Hand

    @property
    def database(self) -> str | None:
        """What a server process must be told of the database; None: SQLite in the data folder."""
        return None if self.settings.database.startswith("sqlite") else self.settings.database

    def goes_to(self, url: str) -> None:
        for hand in (*self.hands, self.reader):
            hand.goes_to(url)

    def close(self) -> None:
        for hand in (*self.hands, self.reader):
            hand.terminal.close()


@contextmanager
def site(folder: Path, database: str | None = None, crew: Sequence[str] = CREW) -> Iterator[Site]:
    """The small facility at the present time, its crew enrolled and signed in; the database is let go of."""
    environ = {"ROUNDSMAN_DATA": str(folder / "data"), "ROUNDSMAN_LOG_LEVEL": "ERROR"} | UNHURRIED
    settings = Settings.read(environ | ({"ROUNDSMAN_DATABASE": database} if database else {}))
    clock = ManualClock(time.time_ns() // 1_000_000)
    world = World(application(settings, clock), clock, folder, settings)
    try:
        populate(world)
        hands = [_enrolled(world, at, name) for at, name in enumerate((*crew, READER))]
    finally:
        world.close()
    made = Site(settings, world.ids, hands[:-1], hands[-1])
    try:
        yield made
    finally:
        made.close()


def _enrolled(world: World, at: int, name: str) -> Hand:
    path = world.folder / f"hand-{at}.sqlite3"
    with Terminal(path, "http://localhost", transport=world.transport()) as terminal:
        terminal.enrol(world.code(), f"H{at}-{name}")
        terminal.sign_in(name, SECRET)
    return Hand(path, name, world.ids, opened(path, "http://localhost"))


@contextmanager
def at_work(hands: Iterable[Hand], seed: str, seconds: float = 60) -> Iterator[threading.Event]:
    """Hands at work in threads while the block runs; at its end they stop, and what went wrong in one is raised.

    The event ends their work; so does a server that is gone, and the end of ``seconds``.
    """
    over, until = threading.Event(), time.monotonic() + seconds

    def live(hand: Hand, chance: random.Random) -> None:
        try:
            hand.work(chance, lambda: not over.is_set() and time.monotonic() < until)
        except Exception as error:  # noqa: BLE001 - it is raised in the test's own thread
            hand.errors.append(error)

    chances = [(hand, random.Random(f"{seed}/{at}")) for at, hand in enumerate(hands)]
    threads = [threading.Thread(target=live, args=each, daemon=True) for each in chances]
    for thread in threads:
        thread.start()
    try:
        yield over
    finally:
        over.set()
        for thread in threads:
            thread.join(90)
    for hand, _ in chances:
        assert not hand.errors, f"{hand.officer}: {hand.errors!r}"
    assert not any(thread.is_alive() for thread in threads)


def together(work: Callable[[Hand], None], hands: Sequence[Hand]) -> None:
    """Does something with every hand at once; raises what went wrong in one."""
    failed: list[BaseException] = []

    def run(hand: Hand) -> None:
        try:
            work(hand)
        except Exception as error:  # noqa: BLE001 - it is raised in the test's own thread
            failed.append(error)

    threads = [threading.Thread(target=run, args=(hand,), daemon=True) for hand in hands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    if failed:
        raise failed[0]
    assert not any(thread.is_alive() for thread in threads)
