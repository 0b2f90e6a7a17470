"""The kind ``equipment_round``: what an officer found of the equipment at one place, item by item. An item that is not said
was not looked at; there is no "all works"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema
from marshmallow.fields import Nested

from backend.domain.equipment import CONDITIONS, ITEMS
from backend.domain.posts import Post
from backend.kernel.events import Event, Version
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Mark, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.checks import checked, checked_event, needs_place
from backend.records.forms import choice, listed, moment, named, reference, word


class Item(Schema):
    """One item as it was found."""

    item = choice(tuple(ITEMS))
    condition = choice(tuple(CONDITIONS))


class RoundFields(Schema):
    """A look at a place's equipment. ``note`` is needed where an item could not be looked at, or is ``other``."""

    place = reference()
    checked_at = moment()
    items = listed(Nested(Item), len(ITEMS), 1)
    note = word(1000, allow_none=True)


def _record(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    conditions = {each["condition"] for each in deed.fields["items"]}
    faulty = (bool(conditions & {"faulty", "damaged"}), Mark("equipment.faulty"))
    return checked(deed, known, _unfit(deed.fields), faulty, ("unreachable" in conditions, Mark("equipment.unseen")))


def _unfit(said: Mapping[str, Any]) -> Problem | None:
    items = [each["item"] for each in said["items"]]
    if len(set(items)) < len(items):
        return Problem("field.invalid", "fields.items")
    unexplained = "other" in items or any(each["condition"] == "unreachable" for each in said["items"])
    return Problem("field.missing", "fields.note") if unexplained and said["note"] is None else None


def _events(_before: Version | None, after: Version) -> Iterator[Event]:
    said = after.doc
    faulty = sum(each["condition"] in {"faulty", "damaged"} for each in said["items"])
    yield checked_event("equipment.rounded", after, {"items": len(said["items"]), "faulty": faulty})


ROUND = Kind(
    name="equipment_round",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.BASE,
    writers=frozenset({Post.PAT, Post.AUX, Post.LEAD, Post.DIR}),
    verbs={
        "record": Verb(RoundFields, _record, Text("记录设备巡检", "record a round"), creates=True, needs=needs_place)
    },
    text=Text("设备巡检", "equipment round"),
    labels={
        "place": Text("场所", "place"),
        "checked_at": Text("检查时间", "when"),
        "items": Text("检查项目", "items"),
        "items.item": Text("设备", "equipment"),
        **named("items.item", ITEMS),
        "items.condition": Text("状况", "condition"),
        **named("items.condition", CONDITIONS),
        "note": Text("说明", "note"),
    },
    marks={
        "place.closed": Text("该场所已撤销", "the place has been closed"),
        "equipment.faulty": Text("有设备故障或损坏", "something is faulty or damaged"),
        "equipment.unseen": Text("有设备未能检查", "something could not be looked at"),
    },
    raises={"equipment.rounded": Text("已进行设备巡检", "the equipment of a place was looked at")},
    events=_events,
)
