"""A head count that does not match opens an incident (rule I06). It stands open, with each recount in its timeline, until a
leader closes it; a recount that does not match either opens no second one at that place.

A companion of the engine. Of a place it keeps ``{i: the incident}`` while the mismatch lasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.duty.engine.family import Act, Book, Heard, Quiet, Watcher
from backend.kernel.ids import named

OWNER = "mismatch"
LASTS_MS = 7 * 24 * 3_600_000
"""How long a mismatch that nobody has solved still counts as the same one (local default)."""


@dataclass(frozen=True, slots=True)
class Mismatches(Quiet):
    """The watcher."""

    def begin(self, book: Book) -> None:
        """Of what did not match before the server looked, it opens nothing."""
        mark = f"facility/{book.facility}"
        if book.body(mark) is None:
            for subject, _ in list(book.bodies()):
                book.forget(subject)
            book.keep(mark, {"begun": True})

    def hear(self, book: Book, heard: Heard) -> None:
        event, subject = heard.event, f"place/{heard.event.place}"
        known = book.body(subject)
        if event.place is None:
            return
        if event.name == "incident.closed":
            if known is not None and known["i"] == heard.record:
                book.forget(subject)
        elif event.name == "headcount.mismatch":
            self._mismatch(book, heard, event.place, None if known is None else str(known["i"]))
        elif known is not None:
            _note(book, str(known["i"]), f"复点相符：{_counts(heard)}")
            book.forget(subject)

    def wake(self, book: Book, subject: str, _body: dict[str, object]) -> None:
        book.forget(subject)

    def _mismatch(self, book: Book, heard: Heard, place: str, incident: str | None) -> None:
        if incident is not None:
            _note(book, incident, f"再次清点仍不符：{_counts(heard)}")
            return
        incident = named(heard.at, f"{OWNER}\n{heard.record}")
        fields = {
            "type": "headcount", "severity": "urgent", "person": None, "place": place, "cause": heard.record or None,
            "text": f"清点人数不符：{_counts(heard)}",
        }  # fmt: skip
        book.act(Act("incident", "open", incident, fields, book.now, creates=True))
        book.keep(f"place/{place}", {"i": incident}, book.now + LASTS_MS)


def _note(book: Book, incident: str, text: str) -> None:
    book.act(Act("incident", "note", incident, {"text": text}, book.now))


def _counts(heard: Heard) -> str:
    facts = heard.event.facts
    return f"应有{facts.get('expected')}人，实有{facts.get('counted')}人"


def companions() -> Sequence[Watcher]:
    """What the engine is given besides the families of rules."""
    return (Mismatches(OWNER, frozenset({"headcount.mismatch", "headcount.solved", "incident.closed"})),)
