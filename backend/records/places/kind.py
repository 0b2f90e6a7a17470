"""The kind ``place``. Every place is a partition of its own, so that an officer is given just the wards he has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from backend.domain.posts import Post
from backend.kernel.kind import REMOVED, Compartment, Deed, Head, Kind, Known, Needs, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import choice, edits_of, listed, reference, whole, word

TYPES = ("ward", "cell", "checkpoint", "yard", "gate", "room")
IN_A_WARD = frozenset({"cell", "checkpoint"})
"""Types that stand in a ward always; a yard, gate or room may also belong to the facility as a whole."""


def _tag() -> fields.String:
    return fields.String(validate=validate.Regexp(r"[0-9A-F]{8,20}\Z"))


class PlaceFields(Schema):
    """A place as a whole. ``position`` is its order on the walk; ``tags`` are the NFC ids mounted there; ``capacity`` is
    for how many persons it was designed."""

    type = choice(TYPES)
    code = word(16)
    name = word(40)
    parent = reference(allow_none=True)
    position = whole(0, 9999)
    tags = listed(_tag(), 8)
    capacity = whole(0, 9999, required=False, allow_none=True)
    note = word(500, required=False, allow_none=True)


PlaceChange = edits_of(PlaceFields, "code", "name", "position", "tags", "capacity", "note")


class PlaceClosed(Schema):
    """Why a place is taken away."""

    reason = word(500)


def _needs_parent(fields_: Mapping[str, Any], _head: Head | None) -> Needs:
    parent = fields_.get("parent")
    return Needs(records=(parent,) if parent else ())


def _needs_count(_fields: Mapping[str, Any], head: Head | None) -> Needs:
    return Needs(headcounts=(head.id,) if head else ())


def _create(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    parent, type_ = deed.fields["parent"], deed.fields["type"]
    if parent is None and type_ in IN_A_WARD or parent is not None and type_ == "ward":
        return Problem("field.invalid", "fields.parent")
    if parent is not None:
        above = known.record(parent)
        if above is None or above.kind != "place" or above.state == REMOVED or above.doc["type"] != "ward":
            return Problem("reference.unknown", "fields.parent")
    return _place(deed.record, deed.fields, "open")


def _change(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    return _place(deed.record, {**head.doc, **deed.fields}, "open")


def _close(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """A ward stays, since nothing here tells what stands in it; so does a place in which somebody is lodged."""
    assert head is not None
    if head.doc["type"] == "ward" or known.headcount(head.id) > 0:
        return Problem("record.state", state=head.state)
    return _place(deed.record, head.doc, REMOVED)


def _place(record: str, doc: Mapping[str, Any], state: str) -> Ruling:
    return Ruling(doc, f"place/{record}/{Compartment.BASE}", state, doc["parent"])


PLACE = Kind(
    name="place",
    version=1,
    policy=Policy.SHARED,
    compartment=Compartment.BASE,
    writers=frozenset({Post.ADM}),
    verbs={
        "create": Verb(PlaceFields, _create, Text("新建场所", "new place"), creates=True, needs=_needs_parent),
        "change": Verb(PlaceChange, _change, Text("修改场所", "change a place"), edits=True),
        "close": Verb(
            PlaceClosed, _close, Text("撤销场所", "close a place"), needs=_needs_count, watches=("state",), removes=True
        ),
    },
    text=Text("场所", "place"),
    labels={
        "type": Text("类型", "type"),
        "type.ward": Text("监区", "ward"),
        "type.cell": Text("监室", "cell"),
        "type.checkpoint": Text("巡更点", "checkpoint"),
        "type.yard": Text("放风场", "yard"),
        "type.gate": Text("出入口", "gate"),
        "type.room": Text("功能用房", "room"),
        "code": Text("编号", "code"),
        "name": Text("名称", "name"),
        "parent": Text("所属监区", "ward it belongs to"),
        "position": Text("巡视顺序", "order on the walk"),
        "tags": Text("电子标签", "tags"),
        "capacity": Text("设计容量", "capacity"),
        "note": Text("说明", "note"),
        "reason": Text("撤销原因", "reason"),
        "state.open": Text("在用", "in use"),
        "state.removed": Text("已撤销", "closed"),
    },
    settlers=frozenset({Post.ADM, Post.LEAD, Post.DIR}),
)
