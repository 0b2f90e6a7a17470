"""The kind ``shift.leave`` (请假): an officer is away for some time, and who stands in for him. An officer asks for himself
and a leader approves; what a leader enters for another officer is approved with that. All who are given records see it, so
that it says the sort of leave and asks for no diagnosis."""

from __future__ import annotations

from collections.abc import Mapping

from marshmallow import Schema

from backend.domain.shift_words import LEAVES
from backend.kernel.clock import from_text
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import choice, is_moment, moment, named, reference, word
from backend.records.shifts.steps import LEADERS, STAFF, STATE, barred, began, leads, moved, wrong_period

STATES: Mapping[str, Text] = {
    "requested": Text("已申请", "asked for"),
    "approved": Text("已批准", "approved"),
    "refused": Text("未批准", "refused"),
    "cancelled": Text("已取消", "cancelled"),
    "over": Text("已销假", "back"),
}


class LeaveFields(Schema):
    """Who is away, from when until when. ``stand_in``: who serves his shifts, null: nobody is named; ``note``: for all to
    read."""

    officer = reference()
    sort = choice(tuple(LEAVES))
    since = moment()
    until = moment()
    stand_in = reference(allow_none=True)
    note = word(200, allow_none=True)


class Approved(Schema):
    """There is nothing to add."""


class Said(Schema):
    """Why."""

    reason = word(500)


class Back(Schema):
    """When he was back, before the end of his leave."""

    at = moment()


def _request(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    if wrong := wrong_period(said):
        return wrong
    if said["stand_in"] == said["officer"]:
        return Problem("field.invalid", "fields.stand_in")
    if said["officer"] == deed.officer:
        return began(deed, said, "requested")
    if not leads(known):
        return Problem("officer.unauthorised", "fields.officer")
    return began(deed, said, "approved")


def _approve(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    return barred(head, "requested", allowed=_decides(deed, head, known)) or moved(deed, head, "approved")


def _refuse(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    return barred(head, "requested", allowed=_decides(deed, head, known)) or moved(deed, head, "refused")


def _cancel(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    return barred(head, "requested", "approved", allowed=_his(deed, head, known)) or moved(deed, head, "cancelled")


def _back(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    if wrong := barred(head, "approved", allowed=_his(deed, head, known)):
        return wrong
    at = deed.fields["at"]
    if not is_moment(at) or not from_text(head.doc["since"]) < from_text(at) <= from_text(head.doc["until"]):
        return Problem("field.invalid", "fields.at")
    return moved(deed, head, "over", until=at)


def _decides(deed: Deed, head: Head, known: Known) -> bool:
    return leads(known) and deed.officer != head.doc["officer"]


def _his(deed: Deed, head: Head, known: Known) -> bool:
    return leads(known) or bool(deed.officer == head.doc["officer"])


LEAVE = Kind(
    name="shift.leave",
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.ROSTER,
    writers=STAFF,
    verbs={
        "request": Verb(LeaveFields, _request, Text("请假", "ask for leave"), creates=True),
        "approve": Verb(Approved, _approve, Text("批准请假", "approve"), watches=STATE),
        "refuse": Verb(Said, _refuse, Text("不批准请假", "refuse"), watches=STATE),
        "cancel": Verb(Said, _cancel, Text("取消请假", "cancel"), watches=STATE),
        "back": Verb(Back, _back, Text("销假", "back from leave"), watches=STATE),
    },
    text=Text("请假", "leave"),
    labels={
        "officer": Text("请假民警", "who is away"),
        "sort": Text("类别", "sort"),
        **named("sort", LEAVES),
        "since": Text("开始时间", "from"),
        "until": Text("结束时间", "until"),
        "stand_in": Text("顶班民警", "who stands in"),
        "note": Text("说明（全所可见）", "note, for all to read"),
        "reason": Text("原因", "reason"),
        "at": Text("销假时间", "when he was back"),
        "steps": Text("经过", "steps"),
        "state": Text("状态", "state"),
        **named("state", STATES),
    },
    settlers=LEADERS,
)
