"""One run: the facility is founded, servers and terminals live under torment, it grows quiet, and the checker judges."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from torture import reader
from torture.director import Director, Stage
from torture.engines import engine, working_folder
from torture.hands import Hand
from torture.journal import Journal
from torture.light import Light
from torture.office import Office
from torture.plan import Pace, Plan
from torture.proxy import Cutter
from torture.servers import Server
from torture.steady import Steady, SteadyHand
from torture.town import OFFICERS, SECRET, WARD_POSTS, Town, persons, post
from torture.work import Board, Work

QUIET_SECONDS = 45.0
SEASON = 100 * 86_400_000
CREWS = (
    ["INT1", "INT2"], ["PAT1", "DISC1"], ["INT2", "INT3"], ["PAT2", "DISC2", "PAT4"], ["INT3", "LEAD1"], ["LEAD2", "INT1"],
    ["DISC1", "PAT1"], ["PAT3", "AUX1"], ["DISC2"], ["PAT4", "DISC3"], ["DIR1", "LEAD1"], ["MED1", "DISC3"],
)  # fmt: skip


@dataclass
class Told:
    """What a run comes to, before it is judged."""

    folder: Path
    captured: int
    seconds: float
    torments: dict[str, int]
    empty: bool


class Run:
    """Everything that lives while a run lives."""

    def __init__(self, plan: Plan, folder: Path | None = None) -> None:
        self.plan = plan
        self.folder = folder or working_folder()
        self.journals = self.folder / "journal"
        self.journals.mkdir(parents=True)
        self.journal = Journal(self.journals, "director")
        self.hands: list[Hand | SteadyHand] = []
        self._over, self._pace = threading.Event(), Pace(plan)
        self._all: list[Journal] = [self.journal]

    def play(self) -> Told:
        """Plays it; the folder then holds all that the checker needs. The servers are gone when it returns."""
        self._found()
        try:
            told = self._live()
            self._write(told)
            return told
        finally:
            self._close()

    def _found(self) -> None:
        plan, data, clock = self.plan, self.folder / "data", self.folder / "clock"
        self.engine = engine(plan.engine, self.folder)
        database = self.engine.database
        office = Office(data, database, clock, self.journal)
        office.launch()
        office.wait()
        servers = [Server(data, database, clock, plan.broken) for _ in range(self.engine.processes)]
        for server in servers:
            server.launch()
        made = office.ask("found")
        self.town = Town(made["ids"], made["verbs"], frozenset(made["routes"]), made["commands"], made["ground"])
        self.journal.note(
            "founded", **{key: made[key] for key in ("ids", "verbs", "routes", "commands")}, wards=OFFICERS
        )
        self.stage = Stage(plan, self.folder, self.engine, servers, office, self.town, self.journal, clock)
        for server in servers:
            server.wait()
        self.cutter = Cutter(f"{plan.seed}/line", [server.port for server in servers])
        self.cutter.say("calm")

    def _crew(self) -> None:
        """Terminals are enrolled and their first officers signed in while all is calm."""
        newer = self.plan.rare(0.008) if self.plan.on("upgrade") else 0.0
        board = Board(self.town, people=[self.town.ids[name] for name in persons()], newer=newer)
        wards = {number: wards for number, wards in OFFICERS.items() if post(number) in WARD_POSTS}
        for at in range(self.plan.light):
            name = f"light-{at:02d}"
            journal = Journal(self.journals, name)
            self._all.append(journal)
            light = Light(name, journal, lambda: self.cutter.ports, f"{self.plan.seed}/{name}", self.town.routes)
            light.enrol(self.stage.office.ask("code")["code"])
            numbers = CREWS[at % len(CREWS)]
            light.sign_in(numbers[0])
            reader.pull(light, 2000)
            self.stage.terminals.append(light.chain.terminal)
            self.hands.append(Hand(light, Work(light, board, wards), numbers, self.plan, self._pace, self._over))
        for at in range(self.plan.steady):
            self._steady(f"steady-{at}", CREWS[at % len(CREWS)], board, wards)

    def _steady(self, name: str, numbers: list[str], board: Board, wards: dict[str, tuple[str, ...]]) -> None:
        journal = Journal(self.journals, name)
        self._all.append(journal)
        steady = Steady(name, journal, lambda: self.cutter.ports, f"{self.plan.seed}/{name}", self.folder)
        code = self.stage.office.ask("code")["code"]
        steady.terminal.insist(lambda: steady.terminal.enrol(code, name))
        steady.terminal.learn_kinds()
        steady.terminal.sign_in(numbers[0], SECRET)
        steady.terminal.pull()
        self.hands.append(SteadyHand(steady, board, wards, numbers, self.plan, self._pace, self._over))

    def _live(self) -> Told:
        self._crew()
        self.journal.note("begin", seed=self.plan.seed)
        begun = time.monotonic()
        self._pace.begin()
        if self.plan.on("cuts"):
            self.cutter.say("rough")
        director = Director(self.stage, self._over)
        director.start()
        for hand in self.hands:
            hand.start()
        until = begun + self.plan.minutes * 60
        while time.monotonic() < until and not self._over.wait(0.05):
            if self._pace.done >= self.plan.ops:
                break
        self._over.set()
        seconds = time.monotonic() - begun
        director.join()
        ended = [hand.join(60) for hand in self.hands]
        errors = [each for each in (director.error, *(hand.error for hand in self.hands)) if each is not None]
        if errors:
            raise errors[0]
        if not all(ended):
            raise RuntimeError("a terminal's thread does not end")
        empty = self._quiet()
        captured = sum(hand.counted for hand in self.hands)
        return Told(self.folder, captured, seconds, dict(Counter(director.done)), empty)

    def _quiet(self) -> bool:
        """Faults stop; every terminal that may, sends and fetches until nothing waits. Whether all came to that."""
        self.journal.note("quiet")
        self.cutter.say("calm")
        self.stage.launch()
        for hand in self.hands:
            hand.hush()
        left = unread = self.hands
        until = time.monotonic() + QUIET_SECONDS
        # What a pull tells (a new epoch) gives work to the queue, and what one sends may end another's custody.
        for turn in range(3):
            if turn == 1 and self.plan.on("revoke_terminal"):
                self.stage.back_up(self.folder / "quiet.copy", verified=True)
            if turn == 1 and self.plan.on("deadline"):
                self._season()
            left = self.hands
            while left and time.monotonic() < until:
                left = _together(left, _settles)
                time.sleep(0.05)
            unread = _together(self.hands, _reads)
        for hand in self.hands:
            hand.dump()
        self.journal.note("end", waiting=[hand.light.name for hand in left], unread=[h.light.name for h in unread])
        return not left and not unread

    def _season(self) -> None:
        """A hundred days go by on the server: custody ends, sessions end, old removals are no longer listed."""
        self.journal.note("season", shift=SEASON)
        self.stage.clock.write_text(str(SEASON))
        until = time.monotonic() + 12
        while time.monotonic() < until and any(hand.waits for hand in self.hands):
            time.sleep(0.5)
            _together(self.hands, _settles)

    def _write(self, told: Told) -> None:
        facts: dict[str, Any] = {
            "seed": self.plan.seed, "engine": self.plan.engine, "captured": told.captured, "seconds": told.seconds,
            "torments": told.torments, "ledgers": [*self.stage.ledgers, self.engine.ledger()],
            "faults": [line for server in self.stage.servers for line in _faults(server.log)],
            "only": sorted(self.plan.only), "broken": self.plan.broken, "empty": told.empty,
        }  # fmt: skip
        (self.folder / "run.json").write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2))

    def _close(self) -> None:
        self._over.set()
        self.cutter.close()
        for server in self.stage.servers:
            server.kill()
        self.stage.office.close()
        for journal in self._all:
            journal.close()

    def clean(self) -> None:
        """Removes the folder."""
        self.engine.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _faults(log: Path) -> list[str]:
    """What a server said of faults of its own."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return [line[:2000] for line in lines if "group failed" in line or "judge failed" in line or "Traceback" in line][
        :5
    ]


Hands = list[Hand | SteadyHand]


def _settles(hand: Hand | SteadyHand) -> bool:
    return hand.settle_down()


def _reads(hand: Hand | SteadyHand) -> bool:
    return hand.read()


def _together(hands: Hands, work: Callable[[Hand | SteadyHand], bool]) -> Hands:
    """Does something with every hand at once; returns those with whom it did not work."""
    failed: Hands = []
    faults: list[BaseException] = []

    def one(hand: Hand | SteadyHand) -> None:
        try:
            if not work(hand):
                failed.append(hand)
        except BaseException as fault:  # noqa: BLE001 - it is raised in the driver's own thread
            faults.append(fault)

    threads = [threading.Thread(target=one, args=(hand,), daemon=True) for hand in hands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if faults:
        raise faults[0]
    return failed
