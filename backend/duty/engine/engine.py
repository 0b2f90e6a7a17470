"""The engine: rules of duty at work. Pure: the same memory, inputs and moment give the same acts.

It is told of versions in the order of their sequence numbers, and merges them with what is due by its own clock
(``family``). It says what is to be done; who runs it writes that down with the memory, in one transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType

from backend.domain.calendars import DAY_MS, day_start
from backend.domain.rules.model import Counted, Each, Period, Rule
from backend.duty.engine import before, counted, lasting, on_event, scheduled, windows
from backend.duty.engine.book import DONE, WATCHED, Pages, asked, fulfils, remember_done, subject_of
from backend.duty.engine.course import Course, Ports, period_at
from backend.duty.engine.family import DAY_BEGAN, SHIFT_BEGAN, Act, Book, Heard, Input, Open, Watcher
from backend.duty.engine.life import PAGE, Duties
from backend.duty.engine.matching import names
from backend.duty.engine.memory import Body, Memory
from backend.duty.engine.register import Residents
from backend.kernel.events import Event

FAMILIES: tuple[ModuleType, ...] = (on_event, lasting, before, counted, scheduled, windows)
"""Every family; each gives its watchers for the rules of a pack."""
STARTED = "e|began"
"""The key under which it stands since when duties are asked for, and by which pack."""
_CLOCKS = "c"
_MOST_TURNS = 200_000
"""Wakings in one run, after which something must be going round in circles."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run came to. ``acts``: to be done in this order; ``reached``: up to where its clock came; ``heard``: how many of
    the inputs it has taken; ``halted``: it has not come to the end, since its acts are to be written first."""

    acts: list[Act]
    reached: int
    heard: int
    halted: bool


def watchers(rules: Mapping[str, Rule], companions: Sequence[Watcher] = ()) -> list[Watcher]:
    """All watchers for some rules, with those that no rule of a pack asks for."""
    every = list(rules.values())
    return [each for family in FAMILIES for each in family.watchers(every)] + list(companions)


class Engine:
    """Rules of duty at work on one memory. ``fault``: is told of a watcher that broke; without it the fault is raised."""

    def __init__(
        self,
        ports: Ports,
        memory: Memory,
        companions: Sequence[Watcher] = (),
        fault: Callable[[str, Exception], None] | None = None,
        at: int = 0,
    ) -> None:
        """``at``: up to where its clock has run."""
        started = memory.get(STARTED)
        began = started["s"] if started is not None else 0
        self._course = Course(ports, memory, Residents(memory), max(at, began), began)
        self._duties = Duties(self._course, self._again, self._done)
        self._fault = fault
        self._books: dict[str, tuple[Watcher, Book]] = {}
        self._ears: dict[str, list[str]] = defaultdict(list)
        for watcher in watchers(ports.pack.rules, companions):
            self._books[watcher.owner] = watcher, Pages(watcher.owner, self._course, self._duties)
            for name in sorted(watcher.names):
                self._ears[name].append(watcher.owner)
        self._doers: dict[str, list[Rule]] = defaultdict(list)
        for rule in ports.pack.rules.values():
            for name in sorted(names(rule.done)) if _each(rule) is not None else ():
                self._doers[name].append(rule)

    def told(self, ports: Ports) -> None:
        """Goes on with other ports, of the same pack: the roster of the day, who is there."""
        self._course.ports = ports

    @property
    def memory(self) -> Memory:
        return self._course.memory

    @property
    def began(self) -> bool:
        """Whether duties are asked for already; before that it only learns what has been."""
        return self._course.memory.get(STARTED) is not None

    def learn(self, inputs: Sequence[Input], now: int) -> None:
        """What was before duties were asked for: who is held, what lasts. Nothing comes of it but that it is known."""
        self._course.now = now
        self._course.began = now
        for each in inputs:
            self._hear(each)

    def begin(self, now: int) -> None:
        """From now on duties are asked for. Does nothing a second time under the same pack."""
        course, digest = self._course, self._course.ports.pack.digest
        started = course.memory.get(STARTED)
        if started is not None and started["p"] == digest:
            return
        course.now = max(course.now, now)
        if started is None:
            course.began = course.now
            course.memory.put(f"{_CLOCKS}|day", {}, day_start(course.now) + DAY_MS)
            course.memory.put(f"{_CLOCKS}|shift", {}, period_at(course.ports.rota, Period.SHIFT, course.now)[1])
        course.memory.put(STARTED, {"s": course.began, "p": digest})
        self._forget_others()
        for watcher, book in self._books.values():
            self._guarded(watcher.owner, watcher.begin, book)

    def advance(self, inputs: Sequence[Input], upto: int) -> Run:
        """Hears versions and lets the clock run to a moment. To be called again, after the acts are written, with what is new,
        as long as it halts."""
        course, heard, turns = self._course, 0, 0
        course.acts, course.halted = [], False
        while not course.halted:
            at = max(course.now, inputs[heard].after.received_at) if heard < len(inputs) else max(course.now, upto)
            taken = course.memory.take(at)
            if taken is not None:
                turns += 1
                if turns > _MOST_TURNS:
                    raise RuntimeError(f"the clock goes round in circles at {taken[0]}")
                course.now = max(course.now, taken[1])
                self._wake(taken[0], taken[2])
                continue
            course.now = at
            if heard == len(inputs):
                break
            self._hear(inputs[heard])
            heard += 1
        return Run(course.acts, course.now, heard, course.halted)

    def refused(self, act: Act) -> None:
        """An act was not taken: what was never issued is not followed."""
        if act.kind == "duty" and act.creates:
            self._duties.refused(act.record)

    def _hear(self, each: Input) -> None:
        course, version = self._course, each.after
        self._guarded(version.kind, course.register.hear, version)
        if version.kind == "duty":
            self._guarded(version.kind, self._duties.hear, version)
        for event in each.events:
            said = Heard(event, course.now, version.id, version.kind, version.partition, version.officer)
            self._tell(said)
            if event.name == _RELEASED and event.person:
                self._release(event.person)

    def _tell(self, heard: Heard) -> None:
        """What it does is noted first, then what follows from it is asked for."""
        did = [(rule, subject) for rule in self._doers.get(heard.event.name, ()) if (subject := self._did(rule, heard))]
        for rule, subject in did:
            for duty in self._duties.of(rule.id, subject):
                if duty.opens <= heard.when:
                    self._duties.fulfil(duty.id, heard.record, heard.when)
        for owner in self._ears.get(heard.event.name, ()):
            watcher, book = self._books[owner]
            self._guarded(owner, watcher.hear, book, heard)
        for rule, subject in did:
            remember_done(self._course, rule, subject, heard)

    def _did(self, rule: Rule, heard: Heard) -> str | None:
        each = _each(rule)
        return subject_of(self._course, each, heard) if each is not None and fulfils(rule, heard) else None

    def _release(self, person: str) -> None:
        """Nobody need do anything more for somebody who has left; what was missed stays so."""
        subject = f"person/{person}"
        for owner in self._books:
            for duty in self._duties.of(owner, subject):
                if duty.state != "missed":
                    self._duties.cancel(duty.id, _GONE)

    def _wake(self, key: str, body: Body) -> None:
        page, _, rest = key.partition("|")
        if page == PAGE:
            self._guarded(PAGE, self._duties.wake, rest, body)
        elif page == WATCHED:
            owner, _, subject = rest.partition("|")
            if owner in self._books:
                watcher, book = self._books[owner]
                self._guarded(owner, watcher.wake, book, subject, body)
        elif page == DONE:
            self._course.memory.drop(key)
        elif page == _CLOCKS:
            self._strike(key, rest)

    def _strike(self, key: str, what: str) -> None:
        """A day or a shift has begun."""
        course = self._course
        period = Period.DAY if what == "day" else Period.SHIFT
        since, until = period_at(course.ports.rota, period, course.now)
        course.memory.put(key, {}, until)
        if since == course.now:
            self._tell(Heard(Event(DAY_BEGAN if what == "day" else SHIFT_BEGAN, since), course.now))

    def _again(self, body: Body) -> None:
        """A duty that was not done is asked for once more."""
        rule = self._course.ports.pack.rules.get(body["r"] or "")
        if rule is None or rule.repeats is None:
            return
        person, place, cause = body["w"]
        ask = asked(self._course, rule, body["o"], body["s"], max(self._course.now, body["u"] + rule.repeats))
        self._duties.ask(replace(ask, person=person, place=place, cause=cause, part=body["x"], officer=body["of"]))

    def _done(self, duty: Open, when: int) -> None:
        if duty.owner in self._books:
            watcher, book = self._books[duty.owner]
            self._guarded(duty.owner, watcher.done, book, duty, when)

    def _forget_others(self) -> None:
        """What watchers kept whose rules are not in the pack any more."""
        memory = self._course.memory
        for page in memory.pages():
            first, _, owner = page.partition("|")
            if first == WATCHED and owner not in self._books:
                for key in memory.page(page):
                    memory.drop(key)

    def _guarded(self, owner: str, call: Callable[..., None], *given: object) -> None:
        """A fault in one rule, or over one record, must not cost another."""
        try:
            call(*given)
        except Exception as fault:  # noqa: BLE001 - whatever it was, it is this rule's alone
            if self._fault is None:
                raise
            self._fault(owner, fault)


_RELEASED = "person.released"
_GONE = "已出所 / has left the facility"


def _each(rule: Rule) -> Each | None:
    """What its duties are about, where events on that may fulfil them; counts and windows see to it themselves."""
    trigger = rule.trigger
    return None if rule.done is None or isinstance(trigger, Counted) else getattr(trigger, "each", None)
