"""A moment that an event names: a duty that opens so long before it and is due at it (``model.Before``).

Kept under a subject until some time after the moment: ``{m: the moment or null, h: when that was said}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.rules.model import Before, Rule
from backend.duty.engine.book import DONE_KEPT_MS
from backend.duty.engine.family import Body, Book, Heard, Watcher
from backend.duty.engine.matching import fits, names
from backend.duty.engine.of_rule import MOVED, OVER, OfRule, call_off, concerned
from backend.kernel.clock import from_text
from backend.kernel.events import Event


@dataclass(frozen=True, slots=True)
class BeforeWatcher(OfRule):
    """Follows the moment of each subject."""

    @property
    def trigger(self) -> Before:
        assert isinstance(self.its.trigger, Before)
        return self.its.trigger

    def hear(self, book: Book, heard: Heard) -> None:
        ends, on = fits(self.trigger.ends, heard.event), fits(self.trigger.on, heard.event)
        if not self.in_force(heard):
            return
        for subject in concerned(book, self.trigger.each, heard) if ends or on else ():
            moment = _moment(heard.event, self.trigger.moment) if on else None
            self._set(book, subject, moment, heard, OVER if ends else MOVED)

    def _set(self, book: Book, subject: str, moment: int | None, heard: Heard, why: str) -> None:
        """The moment is this from now on; what was said later, though heard of before, stands."""
        body = book.body(subject)
        if body is not None and (body["h"] > heard.when or body["m"] == moment):
            return
        call_off(book, subject, why)
        book.keep(subject, {"m": moment, "h": heard.when}, max(book.now, moment or 0) + DONE_KEPT_MS)
        if moment is not None and moment >= heard.when:
            opens = max(heard.when, moment - self.trigger.lead)
            book.ask(book.asked(self.its, subject, opens, heard, moment))

    def wake(self, book: Book, subject: str, body: Body) -> None:  # noqa: ARG002 - as the protocol has it
        book.forget(subject)


def _moment(event: Event, name: str) -> int | None:
    said = event.facts.get(name)
    return from_text(said) if isinstance(said, str) else None


def watchers(rules: Sequence[Rule]) -> Sequence[Watcher]:
    """A watcher for each rule of this sort."""
    found = ((rule, rule.trigger) for rule in rules)
    return [BeforeWatcher(rule.id, names(each.on, each.ends), rule) for rule, each in found if isinstance(each, Before)]
