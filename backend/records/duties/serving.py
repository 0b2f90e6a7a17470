"""What the server does with a duty on its own: it notes who has received it, reminds, tells the next in the chain, and
closes it by what has happened or by its clock. No officer may do any of this."""

from __future__ import annotations

from backend.domain.posts import Post
from backend.kernel.clock import from_text
from backend.kernel.kind import Deed, Head, Known, Ruling
from backend.kernel.problems import Problem
from backend.records.duties.judging import OPEN, WAITED_FOR, barred, done, onward


def _serves(known: Known) -> bool:
    return Post.SYS in known.posts()


def deliver(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """A terminal of one who is asked has it."""
    assert head is not None
    return barred(head, WAITED_FOR, allowed=_serves(known)) or onward(deed, head, head.state, "delivered")


def remind(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """Its time is near; one that rings goes to open streams at once."""
    assert head is not None
    wrong = barred(head, WAITED_FOR, allowed=_serves(known))
    return wrong or _rung(onward(deed, head, head.state, "reminded"))


def escalate(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """The next in the chain is told, and may answer from now on: because nobody has received it, or because nobody has done
    it. Who was told for the one may be told again for the other."""
    assert head is not None
    if wrong := barred(head, WAITED_FOR, allowed=_serves(known)):
        return wrong
    raised = sorted({*head.doc["raised"], *deed.fields["posts"]})
    level = max(deed.fields["level"], head.doc["level"])
    return _rung(onward(deed, head, head.state, "escalated", raised=raised, level=level))


def _rung(ruling: Ruling) -> Ruling:
    ruling.alarm = bool(ruling.doc["loud"])
    return ruling


def unconfirm(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """It is due and nothing has come, while the terminals of those who are asked are away."""
    assert head is not None
    if wrong := barred(head, OPEN, allowed=_serves(known)):
        return wrong
    if deed.observed_at < from_text(head.doc["due_at"]):
        return Problem("field.invalid", "observed_at")
    return onward(deed, head, "unconfirmed", "unconfirmed")


def fulfil(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """Done by an event, at the moment of that event: late if that was after it was due."""
    assert head is not None
    if wrong := barred(head, WAITED_FOR, allowed=_serves(known)):
        return wrong
    if known.record(deed.fields["record"]) is None and not known.forced():
        return Problem("reference.unknown", "fields.record")
    return done(deed, head, "completed", ())
