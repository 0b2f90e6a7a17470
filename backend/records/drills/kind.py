"""The kind ``drill``: an exercise of a plan, told whole by the leader who held it and signed (prison, 实战实训). What is to
be put right after it is a ``hazard`` of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from marshmallow import Schema

from backend.domain.plans import ITEMS, TYPES, checklist
from backend.domain.posts import POLICE
from backend.kernel.clock import from_text
from backend.kernel.events import Event, Version
from backend.kernel.kind import (
    REMOVED,
    Compartment,
    Deed,
    Head,
    Kind,
    Known,
    Mark,
    Needs,
    Policy,
    Ruling,
    Text,
    Verb,
    lateness,
)  # fmt: skip
from backend.kernel.problems import Problem
from backend.records.forms import choice, is_moment, listed, moment, named, reference, whole, word

MINUTE = 60_000


class Held(Schema):
    """``place``: the ward, yard or gate where it was held. ``officers`` took part; ``persons``: how many held did; ``items``:
    the steps of the plan that were exercised; ``response_seconds``: from the alarm to the first at the place, null where
    nobody took the time."""

    type = choice(tuple(TYPES))
    place = reference()
    started_at = moment()
    ended_at = moment()
    officers = listed(reference(), 100, 1)
    persons = whole(0, 5000)
    items = listed(choice(tuple(ITEMS)), len(ITEMS), 1)
    response_seconds = whole(0, 7200, allow_none=True)
    findings = word(2000)
    improvements = word(2000, allow_none=True)


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["place"],))


def _record(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    for name in ("started_at", "ended_at"):
        if not is_moment(said[name]):
            return Problem("field.invalid", f"fields.{name}")
    ended = from_text(said["ended_at"])
    if ended < from_text(said["started_at"]):
        return Problem("field.invalid", "fields.ended_at")
    place = known.record(said["place"])
    if place is None or place.kind != "place":
        return Problem("reference.unknown", "fields.place")
    marks = lateness(replace(deed, observed_at=min(deed.observed_at, ended)))
    if place.state == REMOVED:
        marks += (Mark("place.closed"),)
    if set(checklist(said["type"])) - {"statement"} - set(said["items"]):
        marks += (Mark("drill.partial"),)
    return Ruling(said, f"place/{place.id}/{Compartment.BASE}", "recorded", place.id, marks)


def _events(_before: Version | None, after: Version) -> Iterator[Event]:
    doc = after.doc
    minutes = (from_text(doc["ended_at"]) - from_text(doc["started_at"])) // MINUTE
    facts = {"type": doc["type"], "minutes": minutes, "officers": len(doc["officers"])}
    yield Event("drill.held", from_text(doc["ended_at"]), None, doc["place"], facts)


DRILL = Kind(
    name="drill",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.BASE,
    writers=frozenset(post.value for post in POLICE),
    verbs={"record": Verb(Held, _record, Text("记录演练", "record"), creates=True, signoff=True, needs=_needs)},
    text=Text("应急演练", "drill"),
    labels={
        "type": Text("预案类型", "plan"),
        **named("type", TYPES),
        "place": Text("场所", "place"),
        "started_at": Text("开始时间", "begun"),
        "ended_at": Text("结束时间", "ended"),
        "officers": Text("参加民警", "officers who took part"),
        "persons": Text("参加被监管人员数", "persons held who took part"),
        "items": Text("演练步骤", "steps that were exercised"),
        **named("items", ITEMS),
        "response_seconds": Text("到场用时（秒）", "seconds until the first was there"),
        "findings": Text("演练情况", "how it went"),
        "improvements": Text("改进要求", "what is to be better"),
    },
    marks={
        "place.closed": Text("该场所已撤销", "the place has been closed"),
        "drill.partial": Text("预案步骤未全部演练", "not every step of the plan was exercised"),
    },
    raises={"drill.held": Text("举行演练", "a drill was held")},
    events=_events,
)
