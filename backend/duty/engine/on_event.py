"""A duty for each event of some names (``model.OnEvent``). Nothing is kept: the duty's id follows from the event's moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.rules.model import OnEvent, Rule
from backend.duty.engine.family import Book, Heard, Watcher
from backend.duty.engine.matching import fits, names
from backend.duty.engine.of_rule import OfRule, concerned


@dataclass(frozen=True, slots=True)
class EventWatcher(OfRule):
    """Asks at the moment of the event."""

    def hear(self, book: Book, heard: Heard) -> None:
        trigger = self.its.trigger
        assert isinstance(trigger, OnEvent)
        if fits(trigger.on, heard.event) and self.in_force(heard):
            for subject in concerned(book, trigger.each, heard):
                book.ask(book.asked(self.its, subject, heard.when, heard))


def watchers(rules: Sequence[Rule]) -> Sequence[Watcher]:
    """A watcher for each rule of this sort."""
    found = ((rule, rule.trigger) for rule in rules)
    return [EventWatcher(rule.id, names(each.on), rule) for rule, each in found if isinstance(each, OnEvent)]
