"""One day shift on the synthetic facility, played with seven handhelds against a server process, told as it happens.

Everybody in it is a generator that yields the moment at which he goes on; the play always goes to the earliest one. So
three wards are walked at once in the story, in one thread, and the same seed gives the same shift.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from backend.identity import terminals
from demo import roster
from demo.facility import Facility, Officer, Place
from demo.linkage import Crew, Linkage, hand_over, windows_of
from demo.rounds import TO_FIRST_CELL, PlannedRound, PlannedVisit, on_shift, walk
from demo.seed import SEED
from demo.stage import TICK, Handheld, StoryClock, Wrist, looked
from demo.telling import WIDTH, counted, folded
from headless import patrol, proof
from mobile_api.services import Services

Actor = Iterator[datetime]
LABELS = ("PDA-01", "PDA-02", "PDA-03", "PDA-04", "PDA-05", "PDA-06", "PDA-07")
SLOW = timedelta(minutes=7)
_MINUTE = timedelta(minutes=1)
_GARBAGE = 7777
_KILLED_AT = 5


@dataclass
class Facts:
    """What happened that the end is asked about."""

    backlog: dict[str, int] = field(default_factory=dict)
    """Operations that waited for hours, by handheld."""
    resent: int = 0
    grown: int = -1
    said: int = -1
    kept: int = -1
    handed_over: set[str] = field(default_factory=set)
    """Operations of the first officer that were pushed while the second was signed in."""
    strange: int = -1
    rejected: set[str] = field(default_factory=set)


class Shift:
    """The play, from ``begin`` to ``end`` in local time."""

    def __init__(
        self, facility: Facility, services: Services, clock: StoryClock, folder: Path, url: str, hours: float
    ) -> None:
        self.facility = facility
        self.clock = clock
        self.begin = clock.local
        self.end = self.begin + timedelta(hours=hours)
        self.facts = Facts()
        self._services = services
        self._chance = random.Random(f"{SEED}/shift")
        wrong = {LABELS[4]: -SLOW}
        self.handhelds = [
            Handheld(label, folder / f"{label}.sqlite3", url, Wrist(clock, wrong.get(label, timedelta())))
            for label in LABELS
        ]
        self.leader = self.handhelds[-1]
        self._server = httpx.Client(base_url=url, timeout=120, verify=False)  # noqa: S501 - plain HTTP to ourselves
        self.linkage = self._linked()

    def tick(self) -> None:
        """The server's clockwork runs: it issues, reminds and misses what is due at the story's time."""
        self._server.post(TICK).raise_for_status()

    def play(self) -> None:
        """From the first code to the last push."""
        self._enrol()
        self.tick()
        queue = [(next(actor), number, actor) for number, actor in enumerate(self._cast())]
        heapq.heapify(queue)
        while queue:
            moment, number, actor = heapq.heappop(queue)
            self.clock.move_to(moment)
            following = next(actor, None)
            if following is not None:
                heapq.heappush(queue, (following, number, actor))
        self.clock.move_to(self.end)
        for handheld in self.handhelds:
            self._send(handheld)
        self._hand_over((self.begin, self.end))
        for handheld in self.handhelds:
            self._send(handheld)

    def close(self) -> None:
        """Closes the handhelds' databases and connections."""
        self._server.close()
        for handheld in self.handhelds:
            handheld.terminal.close()

    def say(self, who: str, text: str) -> None:
        """A line of the story; what is too long goes on below."""
        indent = f"{self.clock.local:%H:%M}  {who:<8}"
        for part in folded(text, WIDTH - len(indent)):
            print(indent + part, flush=True)
            indent = " " * len(indent)

    # who plays

    def _cast(self) -> list[Actor]:
        a, b, c = self.facility.wards()
        first, second, third, shared, frail, *_ = self.handhelds
        cell_officer = {ward.id: self.facility.staff("DISC", ward)[0] for ward in (a, b, c)}
        return [
            self._ticks(),
            self._takes_over(),
            self._patrols(first, a),
            self._patrols(second, b),
            self._patrols(third, c),
            self._out_of_range(second, 0.15, 0.60),
            self._out_of_range(third, 0.30, 0.70),
            self._loses_an_answer(first, 0.40),
            self._handed_on(shared, (a, cell_officer[a.id]), (b, cell_officer[b.id])),
            self._killed_and_mistaken(frail, c, cell_officer[c.id]),
            self._leads(),
            self._joins(self.handhelds[5], self._serving("MED")),
            self._linkage_begins(shared, cell_officer[a.id]),
        ]

    def _linked(self) -> Linkage:
        """Who has a part in it: a cell officer, the patrol and a medic, and the leader."""
        ward = self.facility.wards()[0]
        first, _, _, shared, _, medic, leader = self.handhelds
        return Linkage(
            self, ward,
            Crew(shared, self.facility.staff("DISC", ward)[0]),
            Crew(first, on_shift(self.facility, ward, self.begin + _MINUTE)),
            Crew(medic, self._serving("MED")),
            Crew(leader, self._serving("LEAD")),
        )  # fmt: skip

    def _serving(self, post: str) -> Officer:
        return roster.serving(self.facility, SEED, post, self.begin)

    def _ticks(self) -> Actor:
        """The clockwork, every minute."""
        at = self.begin + _MINUTE
        while at < self.end:
            yield at
            self.tick()
            at += _MINUTE

    def _takes_over(self) -> Actor:
        """The night's patrol of the first ward hands over before the day begins."""
        yield self.begin + timedelta(seconds=1)
        self._hand_over((self.begin - timedelta(hours=8), self.begin))

    def _hand_over(self, hours: tuple[datetime, datetime]) -> None:
        """A ward is handed over at the end of some hours to whoever comes after them."""
        ward = self.facility.wards()[0]
        change = self.begin if hours[1] == self.begin else self.begin + timedelta(hours=8)
        pair = (on_shift(self.facility, ward, hours[0]), on_shift(self.facility, ward, change))
        self.linkage.facts.handovers.append(hand_over(self, ward, self.handhelds[0], pair, hours))

    def _joins(self, handheld: Handheld, officer: Officer) -> Actor:
        yield self._at(0.05)
        self._sign_in(handheld, officer)

    def _linkage_begins(self, handheld: Handheld, officer: Officer) -> Actor:
        """Its parts know the kinds, so that they can act without signal."""
        yield self._at(0.58)
        self._sign_in(handheld, officer)
        for each in self.handhelds:
            if not each.radio.cut:
                each.terminal.learn_kinds()
        yield from self.linkage.play(self._at(0.60))
        yield self._at(0.96)
        self.linkage.explain()

    def _at(self, share: float) -> datetime:
        return self.begin + (self.end - self.begin) * share

    def _enrol(self) -> None:
        for handheld in self.handhelds:
            code, _ = terminals.make_code(self._services.door, self.facility.id, "console")
            identity = handheld.terminal.enrol(code, handheld.label)
            slow = "; its clock is 7 minutes slow" if handheld.clock.wrong_by else ""
            self.say(handheld.label, f"enrols with the one-time code {code} as …{identity.terminal[-12:]}{slow}")

    def _sign_in(self, handheld: Handheld, officer: Officer) -> None:
        handheld.sign_in(officer)
        rows = handheld.terminal.pull().rows
        where = "、".join(p.name for p in self.facility.wards() if p.id in officer.wards) or self.facility.name
        self.say(handheld.label, f"{officer.name} ({officer.posts[0]}, {where}) signs in and pulls {rows} rows")

    def _patrols(self, handheld: Handheld, ward: Place) -> Actor:
        """A ward's patrol officer: a round in every window that his handheld holds, all shift long."""
        officer = on_shift(self.facility, ward, self.begin + _MINUTE)
        chance = random.Random(f"{SEED}/shift/{ward.code}")
        yield self.begin + timedelta(seconds=chance.uniform(5, 55))
        self._sign_in(handheld, officer)
        since = self.clock.local + TO_FIRST_CELL
        while windows := windows_of(handheld, ward, since):
            opens, due = (datetime.fromisoformat(windows[0][name]) for name in ("opens_at", "due_at"))
            if due + 2 * _MINUTE > self.end:
                return
            since = due
            yield opens - TO_FIRST_CELL
            if ward == self.facility.wards()[0] and self.linkage.keeps_busy(opens):
                continue
            planned = walk(self.facility, ward, self.clock.local, officer, chance)
            yield from self._walk(handheld, planned)
            if planned.result != "completed":
                self.say(handheld.label, f"{officer.name} breaks the round off: {planned.reason}")
            since = max(due, self.clock.local + TO_FIRST_CELL)

    def _out_of_range(self, handheld: Handheld, since: float, until: float) -> Actor:
        yield self._at(since)
        handheld.radio.cut = True
        self.say(handheld.label, "is out of range; its officer goes on")
        yield self._at(until)
        waiting = handheld.terminal.waiting()
        handheld.radio.cut = False
        outcomes = handheld.sync() or []
        self.facts.backlog[handheld.label] = len(waiting)
        minutes = (self._at(until) - self._at(since)) // _MINUTE
        self.say(handheld.label, f"is back after {minutes} minutes: {len(waiting)} operations had waited; "
                 f"{counted(outcomes)}")  # fmt: skip

    def _loses_an_answer(self, handheld: Handheld, share: float) -> Actor:
        yield self._at(share)
        handheld.radio.loses = 1

    def _handed_on(self, handheld: Handheld, first: tuple[Place, Officer], second: tuple[Place, Officer]) -> Actor:
        """One handheld, two officers: the first leaves his work on it without signal, the second carries it in."""
        yield self._at(0.12)
        self._sign_in(handheld, first[1])
        handheld.radio.cut = True
        yield from self._walk(
            handheld, walk(self.facility, first[0], self.clock.local + _MINUTE, first[1], self._chance)
        )
        self.facts.handed_over = {queued.op for queued in handheld.terminal.waiting()}
        told = handheld.terminal.sign_out()
        self.say(handheld.label, f"{first[1].name} signs out{'' if told else ', out of range'}: "
                 f"{handheld.waiting} operations stay in its queue")  # fmt: skip
        yield self.clock.local + 6 * _MINUTE
        handheld.radio.cut = False
        handheld.sign_in(second[1])
        outcomes = handheld.sync() or []
        held = {row["id"] for row in handheld.terminal.rows("place")}
        foreign = held & {first[0].id, *(place.id for place in self.facility.route(first[0]))}
        self.facts.strange = len(foreign)
        self.say(handheld.label, f"{second[1].name} signs in: the queue of {first[1].name} goes out "
                 f"({counted(outcomes)}); {len(foreign)} places of {first[0].name} are on the device now")  # fmt: skip
        yield from self._walk(
            handheld, walk(self.facility, second[0], self.clock.local + 2 * _MINUTE, second[1], self._chance)
        )

    def _killed_and_mistaken(self, handheld: Handheld, ward: Place, officer: Officer) -> Actor:
        """A handheld whose program is killed in the middle of a round; its officer mistypes in the next."""
        yield self._at(0.20)
        self._sign_in(handheld, officer)
        planned = walk(self.facility, ward, self.clock.local + _MINUTE, officer, self._chance)
        yield planned.opened_at
        round_id = patrol.open_round(handheld.terminal, ward.id, [each.id for each in planned.companions])
        stops = min(_KILLED_AT, len(planned.visits) - 1)
        yield planned.visits[stops - 1].observed_at
        self.facts.said = handheld.walk_and_die(round_id, planned.visits, stops)
        self.facts.kept = kept = len(patrol.visits(handheld.terminal, round_id))
        self.say(handheld.label, f"is killed in the middle of a stop; it had said {self.facts.said} were kept. "
                 f"It starts again on its database: {kept} are there, the round goes on")  # fmt: skip
        yield from self._stops(handheld, round_id, planned.visits[kept:])
        yield from self._close(handheld, round_id, planned)
        yield self._at(0.50)
        yield from self._walk(
            handheld, walk(self.facility, ward, self.clock.local + _MINUTE, officer, self._chance), mistaken=True
        )

    def _leads(self) -> Actor:
        """The leader on duty, and what is told each hour."""
        yield self.begin + timedelta(seconds=2)
        self._sign_in(self.leader, self._serving("LEAD"))
        hour = self.begin + timedelta(hours=1)
        while hour < self.end:
            yield hour
            self.leader.sync()
            captured = sum(len(handheld.terminal.queue()) for handheld in self.handhelds)
            waiting = sum(handheld.waiting for handheld in self.handhelds)
            self.say("", f"—— {captured} operations captured so far, {waiting} of them still in handhelds only")
            hour += timedelta(hours=1)

    # what they do

    def _walk(self, handheld: Handheld, planned: PlannedRound, *, mistaken: bool = False) -> Actor:
        yield planned.opened_at
        round_id = patrol.open_round(handheld.terminal, planned.ward.id, [each.id for each in planned.companions])
        yield from self._stops(handheld, round_id, planned.visits, mistaken=mistaken)
        yield from self._close(handheld, round_id, planned)

    def _stops(
        self, handheld: Handheld, round_id: str, visits: tuple[PlannedVisit, ...], *, mistaken: bool = False
    ) -> Actor:
        for visit in visits:
            yield visit.observed_at
            if mistaken and visit.cell is not None:
                self._mistype(handheld, round_id, visit)
                mistaken = False
            patrol.visit(handheld.terminal, round_id, **looked(visit))

    def _close(self, handheld: Handheld, round_id: str, planned: PlannedRound) -> Actor:
        yield planned.closed_at
        patrol.close_round(handheld.terminal, round_id, result=planned.result, reason=planned.reason)
        self._send(handheld)

    def _send(self, handheld: Handheld) -> None:
        waiting = handheld.waiting
        if handheld.sync() is None and not handheld.radio.cut:
            self.say(handheld.label, f"pushes {waiting} operations; the answer is lost on its way")
            before = self._log_size()
            outcomes = handheld.sync(pull=False) or []
            self.facts.resent, self.facts.grown = len(outcomes), self._log_size() - before
            handheld.sync()
            self.say(handheld.label, f"pushes them again: {counted(outcomes)}; the log grew by {self.facts.grown}")

    def _log_size(self) -> int:
        """Leaves of the audit log, by the head that the server signs."""
        terminal = self.leader.terminal
        head = terminal.ask("GET", "/v1/audit/head")["head"]
        return proof.verify_head(head, terminal.identity.server_key, self.facility.id).size

    def _mistype(self, handheld: Handheld, round_id: str, visit: PlannedVisit) -> None:
        wrong = looked(visit)
        wrong["cell"] = {**wrong["cell"], "headcount": _GARBAGE}
        patrol.visit(handheld.terminal, round_id, **wrong)
        op = handheld.terminal.queue()[-1].op
        handheld.sync()
        outcome = handheld.learnt[op]
        name = self._name(handheld)
        self.say(handheld.label, f"{name} types a head count of {_GARBAGE} at {visit.place.code}: {outcome['status']}")
        if outcome["status"] == "rejected":
            self.facts.rejected.add(op)
            problem = outcome["problem"]
            self.say("", f"{problem['code']} at {problem['field']}: {problem['zh']} / {problem['en']}")
            self.say("", f"{name} types it again")

    def _name(self, handheld: Handheld) -> str:
        session = handheld.terminal.session
        return session.name if session is not None else "nobody"
