"""Rules of duty told a story: the pure engine, what happens, and the duties that come of it. No database, no server."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from backend.domain.calendars import HOUR_MS, MINUTE_MS
from backend.domain.rules.model import Basis, Match, Pack, Rule, Rung, Trigger
from backend.domain.shifts import Holder, Plan, Roster
from backend.duty.engine.course import Ports
from backend.duty.engine.engine import Engine
from backend.duty.engine.family import Act, Input, Rota, Watcher
from backend.duty.engine.memory import Memory
from backend.kernel.clock import from_text
from backend.kernel.events import Event, Scalar, Version
from backend.kernel.ids import named
from backend.kernel.kind import Text

FACILITY = "TEST"
SYSTEM = "system"
START = 1_795_276_800_000
"""2026-11-22T00:00 in Beijing, a Sunday."""
Step = tuple[str, int]
SERVING = Roster(
    Plan(holders=tuple(Holder(each, (each,), (("W", 0, None),)) for each in ("DISC", "PAT", "MED", "LEAD"))), {}
)
"""One officer at each of some posts, day and night; those of the wards serve W."""


class Near:
    """Terminals that are always in contact."""

    def contact_after(self, _officers: Collection[str], since: int) -> int | None:
        return since + 1


class Away:
    """Terminals that are in contact at some moments only."""

    def __init__(self, *moments: int) -> None:
        self.moments = moments
        self.now = 0

    def contact_after(self, _officers: Collection[str], since: int) -> int | None:
        return next((at for at in self.moments if since < at <= self.now), None)


def rule(id_: str, trigger: Trigger, **changes: Any) -> Rule:
    """A rule that asks the cell officer for something within an hour, but for what is changed of it."""
    said: dict[str, Any] = {
        "scope": frozenset({"KSS"}),
        "text": Text("做", "do"),
        "source": "测试",
        "basis": Basis.LOCAL,
        "effective": date(2020, 1, 1),
        "posts": ("DISC",),
        "loud": False,
        "within": HOUR_MS,
        "until": None,
        "warn": None,
        "done": None,
        "repeats": None,
        "chain": (),
        "tighter": (),
        "reading": Text("", ""),
    }
    return Rule(id=id_, trigger=trigger, **(said | changes))


def match(event: str, **where: Scalar) -> Match:
    """An event of a name, with one value for each fact that is given."""
    return Match(event, {name: (value,) for name, value in where.items()})


def rungs(**posts: int) -> tuple[Rung, ...]:
    """Who is told how many minutes after it was due: ``rungs(LEAD=0, DIR=240)``."""
    return tuple(Rung(minutes * MINUTE_MS, (post,)) for post, minutes in posts.items())


@dataclass
class Duty:
    """What has become of a duty: the fields that it was issued with, and its steps with their moments."""

    id: str
    said: dict[str, Any]
    steps: list[Step] = field(default_factory=list)

    @property
    def rule(self) -> str:
        return str(self.said["rule"])

    @property
    def due(self) -> int:
        return from_text(self.said["due_at"])

    @property
    def opens(self) -> int:
        return from_text(self.said["opens_at"])

    @property
    def state(self) -> str:
        """What it was last: ``issue``, ``unconfirm``, ``miss``, ``fulfil``, ``cancel``."""
        return [step for step, _ in self.steps if step not in {"remind", "escalate"}][-1]

    def at(self, step: str) -> list[int]:
        """When a step was done."""
        return [at for name, at in self.steps if name == step]


class Story:
    """Tells the engine what happens; moments are milliseconds. ``duties``: by id; ``others``: acts on other kinds."""

    def __init__(
        self,
        rules: Pack | Iterable[Rule],
        *,
        start: int = START,
        presence: Near | Away | None = None,
        rota: Rota | None = None,
        companions: Iterable[Watcher] = (),
        memory: Memory | None = None,
    ) -> None:
        pack = (
            rules if isinstance(rules, Pack) else Pack("test", "1", {each.id: each for each in rules}, None, "digest")
        )
        self.presence = presence or Near()
        self.ports = Ports(FACILITY, pack, rota or SERVING, self.presence, b"k" * 32, SYSTEM)
        self.companions = tuple(companions)
        self.engine = Engine(self.ports, Memory() if memory is None else memory, self.companions)
        self.engine.begin(start)
        self.duties: dict[str, Duty] = {}
        self.others: list[Act] = []
        self.acts: list[Act] = []
        self._pending: list[Input] = []
        self._seq = 0

    def version(self, kind: str, record: str, at: int, *, state: str = "", **other: Any) -> Version:
        """A version as it reaches the server."""
        self._seq += 1
        said = {"version": 1, "partition": "", "officer": "o", "terminal": "t", "observed_at": at, "received_at": at}
        said |= {"marks": (), "doc": {}, "seq": self._seq, "op": named(at, str(self._seq))} | other
        return Version(id=record, kind=kind, state=state, **said)

    def hears(self, version: Version, *events: Event) -> None:
        """Puts a version before the engine, with its events."""
        self._pending.append(Input(None, version, events))

    def ward(self, ward: str, *cells: str, at: int = START) -> None:
        """Opens a ward with cells."""
        doc = {"type": "ward", "parent": None, "position": 1}
        self.hears(self.version("place", ward, at, state="open", doc=doc))
        for position, cell in enumerate(cells):
            doc = {"type": "cell", "parent": ward, "position": position}
            self.hears(self.version("place", cell, at, state="open", doc=doc))

    def person(self, person: str, cell: str | None, at: int = START, risk: str | None = None, *events: Event) -> None:
        """Somebody is held in a cell, with a risk; without a cell he is released."""
        state = "held" if cell else "released"
        self.hears(self.version("person", person, at, state=state, doc={"cell": cell, "risk": risk}), *events)

    def happens(
        self,
        name: str,
        at: int,
        *,
        person: str | None = None,
        place: str | None = None,
        record: str = "",
        heard: int | None = None,
        **facts: Scalar,
    ) -> str:
        """An event at a moment, which the server hears of at once unless told; returns the id of its record."""
        received = at if heard is None else heard
        record = record or named(at, f"{name} {person} {place} {sorted(facts.items())} {self._seq}")
        self.hears(
            self.version(name.partition(".")[0], record, received, observed_at=at),
            Event(name, at, person, place, facts),
        )
        return record

    def until(self, moment: int) -> Story:
        """Lets the engine's clock run."""
        while True:
            if isinstance(self.presence, Away):
                self.presence.now = moment
            run = self.engine.advance(self._pending, moment)
            self._pending = self._pending[run.heard :]
            for act in run.acts:
                self._take(act)
            if not run.halted:
                return self

    def _take(self, act: Act) -> None:
        self.acts.append(act)
        if act.kind != "duty":
            self.others.append(act)
        elif act.verb == "issue":
            assert act.record not in self.duties, "issued twice"
            self.duties[act.record] = Duty(act.record, dict(act.fields), [("issue", act.at)])
        else:
            self.duties[act.record].steps.append((act.verb, act.at))

    def of(self, rule_: str, subject: str | None = None) -> list[Duty]:
        """The duties of a rule, on a person or place if one is named, the earliest due first."""
        found = [each for each in self.duties.values() if each.said["rule"] == rule_]
        if subject is not None:
            found = [each for each in found if subject in (each.said["person"], each.said["place"], each.said["cause"])]
        return sorted(found, key=lambda each: (each.due, each.id))

    def restarted(self) -> Story:
        """The same after the process was started anew: only what was written down is known."""
        rows = {key: dict(body) for key, body in self.engine.memory.items()}
        self.engine = Engine(self.ports, Memory(rows), self.companions)
        return self
