"""A state that lasts from one event to another: a duty once it has lasted so long, and again while it goes on
(``model.Lasting``).

Kept under a subject: ``{s: since when, n: the moment of the duty asked last, w: [person, place, cause]}``, and for a while
after its end ``{e: when it ended}``, so that a beginning which is heard of late does not begin it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from backend.domain.rules.model import Lasting, Rule
from backend.duty.engine.book import DONE_KEPT_MS
from backend.duty.engine.family import Body, Book, Heard, Open, Watcher
from backend.duty.engine.matching import fits, names
from backend.duty.engine.of_rule import OVER, OfRule, call_off, concerned


@dataclass(frozen=True, slots=True)
class LastingWatcher(OfRule):
    """Follows the state of each subject."""

    @property
    def trigger(self) -> Lasting:
        assert isinstance(self.its.trigger, Lasting)
        return self.its.trigger

    def hear(self, book: Book, heard: Heard) -> None:
        ends, begins = fits(self.trigger.ends, heard.event), fits(self.trigger.begins, heard.event)
        if not self.in_force(heard):
            return
        for subject in concerned(book, self.trigger.each, heard) if ends or begins else ():
            if ends:
                self._end(book, subject, heard.when)
            if begins:
                self._begin(book, subject, heard)

    def _begin(self, book: Book, subject: str, heard: Heard) -> None:
        body = book.body(subject)
        if body is not None and ("s" in body or body["e"] > heard.when):
            return
        ask = book.asked(self.its, subject, heard.when, heard)
        self._plan(
            book, subject, {"s": heard.when, "w": [ask.person, ask.place, ask.cause]}, heard.when + self.trigger.after
        )

    def _end(self, book: Book, subject: str, when: int) -> None:
        """What began only after it goes on."""
        body = book.body(subject)
        if body is not None and body.get("s", 0) > when:
            return
        call_off(book, subject, OVER)
        book.keep(subject, {"e": max(when, (body or {}).get("e", 0))}, book.now + DONE_KEPT_MS)

    def _plan(self, book: Book, subject: str, body: Body, at: int) -> None:
        """Asks for the duty of a moment, and looks again when the next one would follow if nobody did it."""
        until = None if self.trigger.lasts is None else body["s"] + self.trigger.lasts
        if until is not None and at >= until:
            book.keep(subject, {**body, "n": at, "last": True}, until)
            return
        person, place, cause = body["w"]
        ask = replace(book.asked(self.its, subject, at), person=person, place=place, cause=cause)
        book.keep(subject, {**body, "n": at}, None if self.trigger.every is None else at + self.trigger.every)
        book.ask(ask)

    def wake(self, book: Book, subject: str, body: Body) -> None:
        if "e" in body:
            book.forget(subject)
        elif "last" in body:
            self._end(book, subject, book.now)
        elif self.trigger.every is not None:
            self._plan(book, subject, body, body["n"] + self.trigger.every)

    def done(self, book: Book, duty: Open, when: int) -> None:
        body = book.body(duty.subject)
        if body is None or "s" not in body or self.trigger.every is None:
            return
        at = when + self.trigger.every
        if at > body["n"]:
            call_off(book, duty.subject, OVER)
            self._plan(book, duty.subject, body, at)


def watchers(rules: Sequence[Rule]) -> Sequence[Watcher]:
    """A watcher for each rule of this sort."""
    found = ((rule, rule.trigger) for rule in rules)
    return [
        LastingWatcher(rule.id, names(each.begins, each.ends), rule)
        for rule, each in found
        if isinstance(each, Lasting)
    ]
