"""What families have in common whose watchers serve one rule each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backend.domain.calendars import start_of
from backend.domain.rules.model import Each, Rule
from backend.duty.engine.family import DAY_BEGAN, SHIFT_BEGAN, Book, Heard, Quiet


@dataclass(frozen=True, slots=True)
class OfRule(Quiet):
    """A watcher of one rule. It hears nothing that happened before the rule took effect."""

    rule: Rule | None = None

    @property
    def its(self) -> Rule:
        assert self.rule is not None
        return self.rule

    def in_force(self, heard: Heard) -> bool:
        """Whether the rule had taken effect when something happened."""
        return heard.when >= start_of(self.its.effective)


def concerned(book: Book, each: Each, heard: Heard) -> Sequence[str]:
    """The subjects that an event is about: of the engine's own events all that there are."""
    if heard.event.name in {DAY_BEGAN, SHIFT_BEGAN}:
        return book.subjects(each)
    subject = book.subject(each, heard)
    return [] if subject is None else [subject]


def call_off(book: Book, subject: str, reason: str) -> None:
    """Calls off what is open on a subject and not missed."""
    for duty in open_ones(book, subject):
        book.cancel(duty, reason)


def open_ones(book: Book, subject: str) -> Iterator[str]:
    """The ids of the duties on a subject that may still be done in time."""
    return (duty.id for duty in list(book.open(subject)) if duty.state != "missed")


OVER = "起因已消除 / what gave rise to it is over"
MOVED = "时间已变更 / its time has changed"
"""Reasons that officers are told when the server calls a duty off, in both languages."""
