"""A duty in each period, at a moment of it or at one that is drawn and not told before (``model.Scheduled``).

Kept under ``clock``: ``{s: start of the period that is asked for next}``, woken a day before its duties open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from backend.domain.calendars import MINUTE_MS
from backend.domain.rules.model import Rule, Scheduled
from backend.duty.engine.course import period_at
from backend.duty.engine.family import Body, Book, Watcher
from backend.duty.engine.life import AHEAD_MS
from backend.duty.engine.of_rule import OfRule

CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class ScheduledWatcher(OfRule):
    """Asks for each subject there is when the period is planned, a day ahead."""

    @property
    def trigger(self) -> Scheduled:
        assert isinstance(self.its.trigger, Scheduled)
        return self.its.trigger

    def begin(self, book: Book) -> None:
        self._await(book, period_at(book.rota, self.trigger.period, book.now)[0])

    def wake(self, book: Book, subject: str, body: Body) -> None:  # noqa: ARG002 - as the protocol has it
        start = body["s"]
        for each in book.subjects(self.trigger.each):
            ask = book.asked(self.its, each, start + self.trigger.at + self._drawn(book, each, start))
            book.ask(replace(ask, secret=self.trigger.spread > 0))
        self._await(book, period_at(book.rota, self.trigger.period, start)[1])

    def _await(self, book: Book, start: int) -> None:
        book.keep(CLOCK, {"s": start}, start + self.trigger.at - AHEAD_MS)

    def _drawn(self, book: Book, subject: str, start: int) -> int:
        """How long after its beginning, in whole minutes; nobody without the facility's secret can tell."""
        minutes = self.trigger.spread // MINUTE_MS
        return book.draw(f"{subject}\n{start}", minutes) * MINUTE_MS if minutes else 0


def watchers(rules: Sequence[Rule]) -> Sequence[Watcher]:
    """A watcher for each rule of this sort."""
    return [ScheduledWatcher(rule.id, frozenset(), rule) for rule in rules if isinstance(rule.trigger, Scheduled)]
