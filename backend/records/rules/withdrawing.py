"""How an override or a signature is taken back: it stands no longer, and stays to be seen."""

from __future__ import annotations

from marshmallow import Schema

from backend.domain.posts import Post
from backend.kernel.clock import to_text
from backend.kernel.kind import Compartment, Deed, Head, Known, Ruling, Text
from backend.kernel.problems import Problem
from backend.records.forms import word

LEADERS = frozenset({Post.LEAD, Post.DIR})
STANDS, WITHDRAWN = "stands", "withdrawn"
STATES = {STANDS: Text("有效", "stands"), WITHDRAWN: Text("已撤销", "withdrawn")}


class Withdrawal(Schema):
    """Why it stands no longer."""

    reason = word(500)


def partition_of(deed: Deed) -> str:
    """With the roster: everybody may know what he is held to."""
    return f"facility/{deed.facility}/{Compartment.ROSTER}"


def withdraw(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    """By any leader; what it did until then stays as it was."""
    assert head is not None
    if head.state != STANDS:
        return Problem("record.state", state=head.state)
    withdrawn = {"at": to_text(deed.observed_at), "officer": deed.officer, **deed.fields}
    return Ruling({**head.doc, "state": WITHDRAWN, "withdrawn": withdrawn}, head.partition, WITHDRAWN)
