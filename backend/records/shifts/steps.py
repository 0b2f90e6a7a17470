"""What the kinds of rosters share: where they lie, who leads, and steps that stand in a document with time and officer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.domain.posts import Post
from backend.kernel.clock import from_text
from backend.kernel.kind import Compartment, Deed, Head, Known, Mark, Ruling, lateness
from backend.kernel.problems import Problem
from backend.records.forms import is_moment
from backend.records.steps import step_of

LEADERS = frozenset({Post.LEAD, Post.DIR})
STAFF = frozenset({Post.INT, Post.PAT, Post.DISC, Post.MED, Post.AUX, Post.LEAD, Post.DIR})
"""Posts that serve shifts."""
STATE = ("state",)


def partition(deed: Deed) -> str:
    return f"facility/{deed.facility}/{Compartment.ROSTER}"


def leads(known: Known) -> bool:
    return bool(known.posts() & LEADERS)


def began(deed: Deed, doc: Mapping[str, Any], state: str) -> Ruling:
    """A request with its first step; who asks stands in the document."""
    steps = [step_of(state, deed, {})]
    return Ruling({**doc, "state": state, "steps": steps}, partition(deed), state, marks=lateness(deed))


def moved(deed: Deed, head: Head, state: str, marks: tuple[Mark, ...] = (), **changes: Any) -> Ruling:
    """The record one step further; what the step says stands in it."""
    steps = [*head.doc["steps"], step_of(state, deed, deed.fields)]
    doc = {**head.doc, **changes, "state": state, "steps": steps}
    return Ruling(doc, head.partition, state, marks=lateness(deed) + marks)


def barred(head: Head, *states: str, allowed: bool = True) -> Problem | None:
    """A problem where a record is in none of the states, or its officer is not the one."""
    if head.state not in states:
        return Problem("record.state", state=head.state)
    return None if allowed else Problem("officer.unauthorised", "officer")


def wrong_period(doc: Mapping[str, Any]) -> Problem | None:
    """A problem where ``since`` and ``until`` are not two moments of which the second comes later."""
    for name in ("since", "until"):
        if not is_moment(doc[name]):
            return Problem("field.invalid", f"fields.{name}")
    if from_text(doc["until"]) <= from_text(doc["since"]):
        return Problem("field.invalid", "fields.until")
    return None
