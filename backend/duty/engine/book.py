"""A watcher's book: its own pages in memory, and what it may ask for (``family.Book``)."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backend.domain.rules.model import Each, Rule
from backend.duty.engine.course import Course, end_of
from backend.duty.engine.family import Act, Ask, Body, Heard, Open, Register, Rota
from backend.duty.engine.life import Duties
from backend.duty.engine.matching import fits, names

WATCHED, DONE = "w", "f"
"""Pages of what watchers keep, and of what was done of late: ``w|<owner>|<subject>``, ``f|<rule>|<subject>``."""
DONE_KEPT_MS = 48 * 3_600_000
"""How long what was done is remembered, in case that what asked for it is heard of later (local default)."""
_MOST_DONE = 8
AT = "at"


@dataclass(slots=True)
class Pages:
    """The book of one owner."""

    owner: str
    course: Course
    duties: Duties

    @property
    def facility(self) -> str:
        return self.course.ports.facility

    @property
    def now(self) -> int:
        return self.course.now

    @property
    def register(self) -> Register:
        return self.course.register

    @property
    def rota(self) -> Rota:
        return self.course.ports.rota

    def body(self, subject: str) -> Body | None:
        found = self.course.memory.get(self._key(subject))
        return None if found is None else {name: value for name, value in found.items() if name != AT}

    def bodies(self) -> Iterator[tuple[str, Body]]:
        for key in self.course.memory.page(f"{WATCHED}|{self.owner}"):
            subject = key.rpartition("|")[2]
            if (body := self.body(subject)) is not None:
                yield subject, body

    def keep(self, subject: str, body: Body, wake: int | None = None) -> None:
        self.course.memory.put(self._key(subject), body, wake)

    def forget(self, subject: str) -> None:
        self.course.memory.drop(self._key(subject))

    def subject(self, each: Each, heard: Heard) -> str | None:
        return subject_of(self.course, each, heard)

    def subjects(self, each: Each) -> Sequence[str]:
        register, facility = self.course.register, self.facility
        if each is Each.PERSON:
            return [f"person/{person}" for person in register.held()]
        cells = [cell for cell in register.every_cell() if register.persons(cell)]
        if each is Each.PLACE:
            return [f"place/{cell}" for cell in cells]
        if each is Each.WARD:
            wards = {register.ward_of(cell) for cell in cells}
            return [f"place/{ward}" for ward in sorted(ward for ward in wards if ward)]
        return [f"facility/{facility}"] if each is Each.FACILITY else []

    def asked(self, rule: Rule, subject: str, at: int, heard: Heard | None = None, due: int | None = None) -> Ask:
        return asked(self.course, rule, self.owner, subject, at, heard, due)

    def ask(self, ask: Ask) -> str:
        duty = self.duties.ask(ask)
        rule = self.course.ports.pack.rules.get(ask.rule or "")
        if rule is not None and self.duties.one(duty) is not None:
            self._done_already(rule, ask, duty)
        return duty

    def open(self, subject: str) -> Sequence[Open]:
        return self.duties.of(self.owner, subject)

    def fulfil(self, duty: str, record: str, when: int) -> None:
        self.duties.fulfil(duty, record, when)

    def cancel(self, duty: str, reason: str) -> None:
        self.duties.cancel(duty, reason)

    def draw(self, purpose: str, below: int) -> int:
        said = f"{self.facility}\n{self.owner}\n{purpose}".encode()
        return int.from_bytes(hmac.digest(self.course.ports.key, said, "sha256")[:8], "big") % below

    def act(self, act: Act) -> None:
        self.course.act(act)

    def _key(self, subject: str) -> str:
        return f"{WATCHED}|{self.owner}|{subject}"

    def _done_already(self, rule: Rule, ask: Ask, duty: str) -> None:
        """What was asked for may have been done and heard of before that which asks for it."""
        body = self.course.memory.get(f"{DONE}|{rule.id}|{ask.subject}")
        later = [each for each in (body or {"w": []})["w"] if each[0] >= ask.opens and each[1] != ask.cause]
        if later:
            self.duties.fulfil(duty, later[0][1], later[0][0])


def subject_of(course: Course, each: Each, heard: Heard) -> str | None:
    """What an event is about, as a rule counts."""
    event, register = heard.event, course.register
    if each is Each.PERSON:
        return f"person/{event.person}" if event.person else None
    if each is Each.RECORD:
        return f"record/{heard.record}" if heard.record else None
    if each is Each.FACILITY:
        return f"facility/{course.ports.facility}"
    if each is Each.PLACE:
        return f"place/{event.place}" if event.place else None
    place = event.place or (register.cell_of(event.person) if event.person else None)
    ward = register.ward_of(place) if place else None
    return f"place/{ward}" if ward else None


def asked(
    course: Course, rule: Rule, owner: str, subject: str, at: int, heard: Heard | None = None, due: int | None = None
) -> Ask:
    """What a rule asks when its trigger is at a moment."""
    sort, _, which = subject.partition("/")
    ends = [] if due is None else [due]
    if due is None and rule.within is not None:
        ends.append(at + rule.within)
    if due is None and rule.until is not None:
        ends.append(end_of(course.ports.rota, rule.until, at))
    due = min(ends, default=at)
    event = None if heard is None else heard.event
    person = which if sort == "person" else event.person if event and sort == "record" else None
    place = which if sort == "place" else event.place if event and sort == "record" else None
    warn = None if rule.warn is None else at + rule.warn
    rungs = sorted((max(at, due + rung.after), tuple(rung.posts)) for rung in rule.chain)
    return Ask(
        owner, subject, at, due, rule.text, rule.source, rule.posts, rule.id, loud=rule.loud, person=person, place=place,
        warn=warn if warn is not None and at <= warn < due else None, chain=tuple(rungs),
        cause=heard.record or None if heard is not None else None,
    )  # fmt: skip


def remember_done(course: Course, rule: Rule, subject: str, heard: Heard) -> None:
    """Keeps for a while that what a rule asks was done on a subject, the earliest first."""
    key = f"{DONE}|{rule.id}|{subject}"
    before = course.memory.get(key)
    known = [] if before is None else before["w"]
    kept = sorted([*known, [heard.when, heard.record]])[-_MOST_DONE:]
    course.memory.put(key, {"w": kept}, course.now + DONE_KEPT_MS)


def fulfils(rule: Rule, heard: Heard) -> bool:
    """Whether an event does what a rule asks."""
    return bool(heard.record) and rule.done is not None and fits(rule.done, heard.event)


def done_names(rule: Rule) -> frozenset[str]:
    """The names of the events that may do what a rule asks."""
    return names(rule.done)
