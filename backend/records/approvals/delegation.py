"""The kind ``approval.delegation`` (授权): whoever holds a post lets another officer decide some matters in his place, until a
moment that is named. It ends by itself then, or before when it is taken back; what was captured under it and comes
afterwards counts no more."""

from __future__ import annotations

from collections.abc import Mapping

from marshmallow import Schema

from backend.domain.approvals import DELEGATION as NAME
from backend.domain.approvals import MATTERS
from backend.domain.posts import Post
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Policy, Ruling, Text, Verb, lateness
from backend.kernel.problems import Problem
from backend.records.forms import choice, is_moment, listed, moment, named, reference, word

POSTS: Mapping[str, Text] = {
    Post.LEAD.value: Text("值班领导", "leader on duty"),
    Post.DIR.value: Text("所长", "director"),
}
"""Posts that decide."""
STATES: Mapping[str, Text] = {"given": Text("有效", "given"), "ended": Text("已收回", "taken back")}


class Given(Schema):
    """``post``: in whose place; ``matters``: what for; ``since``, ``until``: from when, and its end."""

    to = reference()
    post = choice(tuple(POSTS))
    matters = listed(choice(tuple(MATTERS)), len(MATTERS), 1)
    since = moment()
    until = moment()
    reason = word(500)


class Ended(Schema):
    """Why it is taken back."""

    reason = word(500)


def _give(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    if said["post"] not in known.posts():
        return Problem("officer.unauthorised", "fields.post")
    if said["to"] == deed.officer:
        return Problem("field.invalid", "fields.to")
    for name in ("since", "until"):
        if not is_moment(said[name]):
            return Problem("field.invalid", f"fields.{name}")
    if said["until"] <= said["since"]:
        return Problem("field.invalid", "fields.until")
    doc = {**said, "by": deed.officer, "state": "given", "ended": None}
    return Ruling(doc, f"facility/{deed.facility}/{Compartment.BASE}", "given", marks=lateness(deed))


def _end(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    if head.state != "given":
        return Problem("record.state", state=head.state)
    if head.doc["by"] != deed.officer and Post.DIR not in known.posts():
        return Problem("officer.unauthorised", "officer")
    doc = {**head.doc, "state": "ended", "ended": {"by": deed.officer, **deed.fields}}
    return Ruling(doc, head.partition, "ended", marks=lateness(deed))


DELEGATION = Kind(
    name=NAME,
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.BASE,
    writers=frozenset({Post.LEAD, Post.DIR}),
    verbs={
        "give": Verb(Given, _give, Text("授权", "delegate"), creates=True, signoff=True),
        "end": Verb(Ended, _end, Text("收回授权", "take back"), signoff=True, watches=("state",)),
    },
    text=Text("审批授权", "delegation of approvals"),
    labels={
        "to": Text("受权民警", "to whom"),
        "post": Text("所代岗位", "in place of"),
        **named("post", POSTS),
        "matters": Text("授权事项", "matters"),
        **named("matters", {name: matter.text for name, matter in MATTERS.items()}),
        "since": Text("起始时间", "from"),
        "until": Text("截止时间", "until"),
        "reason": Text("理由", "reason"),
        "by": Text("授权人", "by whom"),
        "state": Text("状态", "state"),
        **named("state", STATES),
        "ended": Text("收回", "taken back"),
    },
)
