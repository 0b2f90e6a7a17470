"""Looks for signs of rounds that were not walked (rule Y05), officer by officer, and reports what a leader is to look at.

A companion of the engine. Times are the device's own: what is compared are their differences, which a wrong clock keeps. Of
an officer it keeps ``{v: [when, cell, record] of his last look, o: {ward: [[when, record] …]
of rounds begun}, w: [[digest, when, record] …] of what he wrote, told: {sign: when it was reported last}}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backend.domain.calendars import DAY_MS, HOUR_MS
from backend.domain.integrity import GAPS, TEXTS, exact_interval, impossible_speed, same_text
from backend.duty.engine.family import Act, Body, Book, Heard, Quiet, Watcher
from backend.kernel.clock import to_text
from backend.kernel.ids import named

OWNER = "patterns"
KIND = "pattern"
VISITED, OPENED, TALKED = "patrol.visited", "patrol.opened", "talk.recorded"
REPORTED_MS = 12 * HOUR_MS
"""So long one officer's same sign is not reported again (local default)."""
FAR = 10
"""Cells between two wards, at least."""


@dataclass(frozen=True, slots=True)
class Patterns(Quiet):
    """The watcher."""

    def begin(self, book: Book) -> None:
        """What was before is not looked at."""
        book.keep(f"facility/{book.facility}", {"began": True})

    def hear(self, book: Book, heard: Heard) -> None:
        """A stop, a round or a talk of an officer."""
        if not heard.officer or book.body(f"facility/{book.facility}") is None:
            return
        subject = f"officer/{heard.officer}"
        body = book.body(subject) or {"v": None, "o": {}, "w": [], "told": {}}
        place = heard.event.place
        if place is not None and heard.event.name == OPENED:
            body = self._begun(book, body, heard, place)
        if place is not None and heard.event.name == VISITED:
            body = self._walked(book, body, heard, place)
        body = self._said(book, body, heard, place)
        book.keep(subject, body, book.now + DAY_MS)

    def wake(self, book: Book, subject: str, body: Body) -> None:  # noqa: ARG002 - as the protocol has it
        """He has not walked for a day."""
        book.forget(subject)

    @staticmethod
    def _begun(book: Book, body: Body, heard: Heard, ward: str) -> Body:
        begun = [*body["o"].get(ward, []), [heard.event.at, heard.record]][-(GAPS + 1) :]
        body = {**body, "o": {**body["o"], ward: begun}}
        if exact_interval([when for when, _ in begun]):
            return _report(book, body, heard, "exact_interval", ward, begun)
        return body

    @staticmethod
    def _walked(book: Book, body: Body, heard: Heard, cell: str) -> Body:
        if not heard.event.facts.get("cell"):
            return body
        last, look = body["v"], [heard.event.at, cell, heard.record]
        body = {**body, "v": look}
        if last is not None and impossible_speed(last[0], heard.event.at, _steps(book, last[1], cell)):
            return _report(
                book, body, heard, "impossible_speed", cell, [[last[0], last[2]], [heard.event.at, heard.record]]
            )
        return body

    @staticmethod
    def _said(book: Book, body: Body, heard: Heard, place: str | None) -> Body:
        words = heard.event.facts.get("words")
        if not isinstance(words, str):
            return body
        said = [*body["w"], [words, heard.event.at, heard.record]][-TEXTS:]
        body = {**body, "w": said}
        if same_text([each[0] for each in said]):
            alike = [each[1:] for each in said if each[0] == words]
            return _report(book, body, heard, "same_text", place, alike)
        return body


def _steps(book: Book, one: str, other: str) -> int:
    """How many cells lie from one to another; wards lie apart."""
    register = book.register
    ward = register.ward_of(one)
    cells = list(register.cells(ward)) if ward is not None and ward == register.ward_of(other) else []
    if one in cells and other in cells:
        return abs(cells.index(one) - cells.index(other))
    return FAR


def _report(book: Book, body: Body, heard: Heard, sign: str, place: str | None, found: Sequence[Sequence[Any]]) -> Body:
    """Reports a sign, unless the same was reported of late."""
    told = body["told"].get(sign)
    if told is not None and book.now - told < REPORTED_MS:
        return body
    times = [each[0] for each in found]
    fields = {
        "sign": sign, "against": [heard.officer], "place": place, "records": [each[1] for each in found],
        "first_at": to_text(min(times)), "last_at": to_text(max(times)),
    }  # fmt: skip
    record = named(heard.at, f"{OWNER}\n{sign}\n{heard.record}")
    book.act(Act(KIND, "report", record, fields, book.now, creates=True))
    return {**body, "told": {**body["told"], sign: book.now}}


def companions() -> Sequence[Watcher]:
    """What the engine is given besides the families of rules."""
    return (Patterns(OWNER, frozenset({VISITED, OPENED, TALKED})),)
