"""The kind ``shift.acting`` (代班领导): who is on duty as a leader for a time, instead of one or beside all. It takes
effect in the hours in which he holds that post, which an administrator gives: nobody is asked who could not answer."""

from __future__ import annotations

from collections.abc import Mapping

from marshmallow import Schema

from backend.domain.shift_words import LEADING
from backend.kernel.clock import from_text
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import choice, is_moment, moment, named, reference, word
from backend.records.shifts.steps import LEADERS, STATE, barred, began, moved, wrong_period

STATES: Mapping[str, Text] = {"appointed": Text("已指定", "appointed"), "ended": Text("已结束", "ended")}


class ActingFields(Schema):
    """Who acts at which post, from when until when. ``instead``: in that officer's shifts there; null: all the time."""

    officer = reference()
    post = choice(tuple(LEADING))
    since = moment()
    until = moment()
    instead = reference(allow_none=True)
    reason = word(200)


class ActingEnd(Schema):
    """When it ended before its time; at its beginning: it never began."""

    at = moment()
    reason = word(500)


def _appoint(deed: Deed, _head: Head | None, _known: Known) -> Ruling | Problem:
    said = deed.fields
    if wrong := wrong_period(said):
        return wrong
    if said["instead"] == said["officer"]:
        return Problem("field.invalid", "fields.instead")
    return began(deed, said, "appointed")


def _end(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    if wrong := barred(head, "appointed"):
        return wrong
    at = deed.fields["at"]
    if not is_moment(at) or not from_text(head.doc["since"]) <= from_text(at) <= from_text(head.doc["until"]):
        return Problem("field.invalid", "fields.at")
    return moved(deed, head, "ended", until=at)


ACTING = Kind(
    name="shift.acting",
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.ROSTER,
    writers=LEADERS,
    verbs={
        "appoint": Verb(ActingFields, _appoint, Text("指定代班", "appoint"), creates=True),
        "end": Verb(ActingEnd, _end, Text("结束代班", "end it"), watches=STATE),
    },
    text=Text("代班领导", "acting leader"),
    labels={
        "officer": Text("代班民警", "who acts"),
        "post": Text("代行岗位", "post"),
        **named("post", LEADING),
        "since": Text("开始时间", "from"),
        "until": Text("结束时间", "until"),
        "instead": Text("代替何人", "instead of"),
        "reason": Text("原因", "reason"),
        "at": Text("结束于", "ended at"),
        "steps": Text("经过", "steps"),
        "state": Text("状态", "state"),
        **named("state", STATES),
    },
)
