"""How often, or how much, something is to happen in each period (``model.Counted``): what is short by a moment of the period
becomes a duty, due at its end.

Kept under a subject: ``{i: since when it counts, n: [[start of the period, total] …]}`` for the present period and the one
before, since what happened may be heard of late. Under ``clock``: ``{s: start, c: whether it was looked}``.

A subject that began to count after half of the time to that moment is let off in its first period (local default): who is
admitted at three in the afternoon has not been kept from the yard all day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from backend.domain.rules.model import Counted, Each, Rule
from backend.duty.engine.course import period_at
from backend.duty.engine.family import Body, Book, Heard, Watcher
from backend.duty.engine.matching import fits, names
from backend.duty.engine.of_rule import OVER, OfRule, call_off, concerned

CLOCK = "clock"
_PERIODS = 2


@dataclass(frozen=True, slots=True)
class CountedWatcher(OfRule):
    """Counts for each subject, and looks once in each period."""

    @property
    def trigger(self) -> Counted:
        assert isinstance(self.its.trigger, Counted)
        return self.its.trigger

    def begin(self, book: Book) -> None:
        start, until = period_at(book.rota, self.trigger.period, book.now)
        looks = start + self.trigger.by
        late = looks < book.now
        book.keep(CLOCK, {"s": start, "c": late}, until if late else min(looks, until))

    def hear(self, book: Book, heard: Heard) -> None:
        if not self.in_force(heard):
            return
        ends, begins = fits(self.trigger.ends, heard.event), fits(self.trigger.begins, heard.event)
        counts = fits(self.trigger.on, heard.event)
        for subject in concerned(book, self.trigger.each, heard):
            body = book.body(subject) or {"i": None, "n": []}
            if ends:
                call_off(book, subject, OVER)
                book.forget(subject)
            if begins and body["i"] is None:
                body = {**body, "i": heard.when}
                book.keep(subject, body)
            if counts:
                self._count(book, subject, body, heard)

    def _count(self, book: Book, subject: str, body: Body, heard: Heard) -> None:
        start = period_at(book.rota, self.trigger.period, heard.when)[0]
        totals = {int(at): int(total) for at, total in body["n"]}
        totals[start] = totals.get(start, 0) + self._amount(heard)
        book.keep(subject, {**body, "n": [[at, totals[at]] for at in sorted(totals)[-_PERIODS:]]})
        if totals[start] >= self.trigger.least:
            for duty in book.open(subject):
                if duty.part == str(start):
                    book.fulfil(duty.id, heard.record, heard.when)

    def _amount(self, heard: Heard) -> int:
        if self.trigger.sum is None:
            return 1
        said = heard.event.facts.get(self.trigger.sum)
        return said if isinstance(said, int) else 0

    def wake(self, book: Book, subject: str, body: Body) -> None:  # noqa: ARG002 - as the protocol has it
        until = period_at(book.rota, self.trigger.period, body["s"])[1]
        if not body["c"]:
            self._look(book, body["s"], until)
            book.keep(CLOCK, {**body, "c": True}, until)
        if book.now >= until:
            self._turn(book)

    def _look(self, book: Book, start: int, until: int) -> None:
        for subject in self._subjects(book, start):
            body = book.body(subject) or {"n": []}
            if next((total for at, total in body["n"] if at == start), 0) < self.trigger.least:
                ask = book.asked(self.its, subject, min(start + self.trigger.by, until), due=until)
                book.ask(replace(ask, part=str(start)))

    def _turn(self, book: Book) -> None:
        """The next period has begun: what was counted before the last one is forgotten."""
        start, until = period_at(book.rota, self.trigger.period, book.now)
        book.keep(CLOCK, {"s": start, "c": False}, min(start + self.trigger.by, until))
        for subject, body in list(book.bodies()):
            if subject != CLOCK and (kept := body["n"][-(_PERIODS - 1) :]) != body["n"]:
                book.keep(subject, {**body, "n": kept})
            if subject != CLOCK and body["i"] is None and body["n"] and body["n"][-1][0] < start - (until - start):
                book.forget(subject)

    def _subjects(self, book: Book, start: int) -> Iterator[str]:
        latest = start + self.trigger.by // 2
        if self.trigger.begins:
            for subject, body in list(book.bodies()):
                if subject != CLOCK and body["i"] is not None and body["i"] <= latest:
                    yield subject
            return
        for subject in book.subjects(self.trigger.each):
            since = book.register.since(subject.partition("/")[2]) if self.trigger.each is Each.PERSON else None
            if since is None or since <= latest:
                yield subject


def watchers(rules: Sequence[Rule]) -> Sequence[Watcher]:
    """A watcher for each rule of this sort."""
    found = ((rule, rule.trigger) for rule in rules)
    return [
        CountedWatcher(rule.id, names(each.on, each.begins, each.ends), rule)
        for rule, each in found
        if isinstance(each, Counted)
    ]
