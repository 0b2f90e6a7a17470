"""The kind ``shift.roster``: an officer at a post on a pattern, with his area of responsibility (责任田), for some days."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema

from backend.domain.shift_words import ROSTERED
from backend.kernel.kind import (
    REMOVED,
    Compartment,
    Deed,
    Head,
    Kind,
    Known,
    Needs,
    Policy,
    Ruling,
    Text,
    Verb,
    lateness,
)  # fmt: skip
from backend.kernel.problems import Problem
from backend.records.forms import choice, day, is_day, listed, named, reference, whole, word
from backend.records.shifts.pattern import MOST_DAYS
from backend.records.shifts.steps import LEADERS, STATE, barred, partition

MOST_PLACES = 32


class RosterFields(Schema):
    """A place on a pattern. ``offset``: how many days into the cycle he is on its first day; ``places``: wards, cells or
    other places that he answers for, none: the whole facility; ``since`` and ``until``: first and last day, null: no last
    one is known."""

    officer = reference()
    post = choice(tuple(ROSTERED))
    pattern = reference()
    offset = whole(0, MOST_DAYS - 1)
    places = listed(reference(), MOST_PLACES)
    since = day()
    until = day(allow_none=True)


class RosterEnd(Schema):
    """The last day that he serves, and why; null: no last one is known."""

    until = day(allow_none=True)
    reason = word(500)


class RosterCancelled(Schema):
    """Why it never was: it was entered by mistake. For who serves no longer, it is ended."""

    reason = word(500)


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["pattern"], *fields["places"]))


def _assign(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    pattern = known.record(said["pattern"])
    if pattern is None or pattern.kind != "shift.pattern" or pattern.state != "open":
        return Problem("reference.unknown", "fields.pattern")
    if said["offset"] >= len(pattern.doc["cycle"]):
        return Problem("field.invalid", "fields.offset")
    for at, place in enumerate(said["places"]):
        head = known.record(place)
        if head is None or head.kind != "place" or head.state == REMOVED:
            return Problem("reference.unknown", f"fields.places.{at}")
    if not is_day(said["since"]):
        return Problem("field.invalid", "fields.since")
    return _period(said) or Ruling(said, partition(deed), "open", marks=lateness(deed))


def _period(doc: Mapping[str, Any]) -> Problem | None:
    last = doc["until"]
    wrong = last is not None and (not is_day(last) or last < doc["since"])
    return Problem("field.invalid", "fields.until") if wrong else None


def _end(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    doc = {**head.doc, "until": deed.fields["until"]}
    wrong = barred(head, "open") or _period(doc)
    return wrong or Ruling(doc, head.partition, "open", marks=lateness(deed))


def _cancel(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    return barred(head, "open") or Ruling(head.doc, head.partition, "cancelled", marks=lateness(deed))


ROSTER = Kind(
    name="shift.roster",
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.ROSTER,
    writers=LEADERS,
    verbs={
        "assign": Verb(RosterFields, _assign, Text("排班", "put on a roster"), creates=True, needs=_needs),
        "end": Verb(RosterEnd, _end, Text("设定最后一天", "set the last day"), watches=("state", "until")),
        "cancel": Verb(RosterCancelled, _cancel, Text("撤销（录入有误）", "cancel a mistake"), watches=STATE),
    },
    text=Text("排班", "place on a roster"),
    labels={
        "officer": Text("民警", "officer"),
        "post": Text("岗位", "post"),
        **named("post", ROSTERED),
        "pattern": Text("班次模式", "pattern"),
        "offset": Text("周期起点（第几天，从0起）", "days into the cycle, from 0"),
        "places": Text("责任区（责任田）", "area of responsibility"),
        "since": Text("第一天", "first day"),
        "until": Text("最后一天", "last day"),
        "reason": Text("原因", "reason"),
        "state.open": Text("有效", "in force"),
        "state.cancelled": Text("已撤销", "cancelled"),
    },
)
