"""What comes late to a handover: something of the shift that was handed over reaches the server after both have signed.

It is a companion of the engine (``backend.duty.engine.family``): no rule asks for it. Under the ward of a handover, or the
facility, it keeps ``{h: {handover: [since, until, whether it is signed]}}`` for as long as something late may be of use.
Only what raises an event is seen: what tells of a person, a place or the facility.
"""

from __future__ import annotations

from collections.abc import Sequence

from backend.duty.engine.family import Act, Body, Book, Heard, Quiet, Watcher
from backend.kernel.clock import from_text
from backend.records.registry import kinds

OWNER = "handing"
KIND = "handover"
KEPT_MS = 72 * 3_600_000
"""How long after its shift a handover is reopened by what comes late (local default)."""
SIGNED, REVIEWED = "handover.signed", "handover.reviewed"
_OF_NO_SHIFT = ("duty.", "handover.", "approval.")
"""What is done about duties, handovers and approvals is not what a shift has seen."""


class Handing(Quiet):
    """The watcher."""

    def hear(self, book: Book, heard: Heard) -> None:
        """A handover that was signed is kept; anything else may be late to one."""
        name = heard.event.name
        if name == SIGNED:
            self._keep(book, heard)
        elif name == REVIEWED:
            self._review(book, heard)
        else:
            for subject in _subjects(book, heard):
                self._reopen(book, subject, heard)

    def wake(self, book: Book, subject: str, body: Body) -> None:
        """What is old enough is forgotten."""
        kept = {each: said for each, said in body["h"].items() if said[1] + KEPT_MS > book.now}
        self._put(book, subject, kept)

    def _keep(self, book: Book, heard: Heard) -> None:
        facts = heard.event.facts
        since, until = from_text(str(facts["since"])), from_text(str(facts["until"]))
        subject = _own(book, heard)
        self._put(book, subject, _kept(book, subject) | {heard.record: [since, until, True]})

    def _review(self, book: Book, heard: Heard) -> None:
        subject = _own(book, heard)
        kept = _kept(book, subject)
        if heard.record in kept:
            since, until, _ = kept[heard.record]
            self._put(book, subject, kept | {heard.record: [since, until, True]})

    def _reopen(self, book: Book, subject: str, heard: Heard) -> None:
        kept = _kept(book, subject)
        late = [each for each, (since, until, signed) in kept.items() if signed and since <= heard.when < until]
        for handover in late:
            signed = frozenset({"signed"})
            act = Act(KIND, "reopen", handover, {"late": heard.record}, book.now, becomes="reopened", only=signed)
            book.act(act)
            kept = kept | {handover: [*kept[handover][:2], False]}
        if late:
            self._put(book, subject, kept)

    @staticmethod
    def _put(book: Book, subject: str, kept: Body) -> None:
        if not kept:
            book.forget(subject)
            return
        book.keep(subject, {"h": kept}, min(until for _, until, _ in kept.values()) + KEPT_MS)


def _kept(book: Book, subject: str) -> Body:
    return (book.body(subject) or {"h": {}})["h"]  # type: ignore[no-any-return]


def _own(book: Book, heard: Heard) -> str:
    """Under what a handover is kept: the ward of its place, or the facility."""
    place = heard.event.place
    ward = book.register.ward_of(place) if place else None
    return f"place/{ward}" if ward else f"facility/{book.facility}"


def _subjects(book: Book, heard: Heard) -> list[str]:
    """Whose handovers an event may be late to: the facility's, and those of the ward that it happened in."""
    event = heard.event
    place = event.place or (book.register.cell_of(event.person) if event.person else None)
    ward = book.register.ward_of(place) if place else None
    return [f"facility/{book.facility}", *([f"place/{ward}"] if ward else [])]


def companions() -> Sequence[Watcher]:
    """The watcher, told of all that kinds raise."""
    raised = {name for kind in kinds().values() for name in kind.raises}
    heard = {name for name in raised if not name.startswith(_OF_NO_SHIFT)}
    return [Handing(OWNER, frozenset(heard | {SIGNED, REVIEWED}))]
