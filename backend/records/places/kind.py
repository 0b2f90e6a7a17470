"""The kind ``place``. Every place is a partition of its own, so that an officer is given just the wards he has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from backend.domain.posts import Post
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Needs, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import choice, listed, reference, whole, word

TYPES = ("ward", "cell", "checkpoint")


def _tag() -> fields.String:
    return fields.String(validate=validate.Regexp(r"[0-9A-F]{8,20}\Z"))


class PlaceFields(Schema):
    """A place as a whole. ``position`` is its order on the walk; ``tags`` are the NFC ids mounted there."""

    type = choice(TYPES)
    code = word(16)
    name = word(40)
    parent = reference(allow_none=True)
    position = whole(0, 9999)
    tags = listed(_tag(), 8)


class PlaceChange(Schema):
    """What may change of a place; its type and parent stay."""

    code = fields.String(validate=validate.Length(min=1, max=16))
    name = fields.String(validate=validate.Length(min=1, max=40))
    position = fields.Integer(strict=True, validate=validate.Range(min=0, max=9999))
    tags = fields.List(_tag(), validate=validate.Length(max=8))


def _needs_parent(fields_: Mapping[str, Any], _head: Head | None) -> Needs:
    parent = fields_.get("parent")
    return Needs(records=(parent,) if parent else ())


def _create(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    parent = deed.fields["parent"]
    ward = deed.fields["type"] == "ward"
    if ward != (parent is None):
        return Problem("field.invalid", "fields.parent")
    if parent is not None:
        above = known.record(parent)
        if above is None or above.kind != "place" or above.doc["type"] != "ward":
            return Problem("reference.unknown", "fields.parent")
    return _place(deed.record, deed.fields)


def _change(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    return _place(deed.record, {**head.doc, **deed.fields})


def _place(record: str, doc: Mapping[str, Any]) -> Ruling:
    return Ruling(doc, f"place/{record}/{Compartment.BASE}", "open", doc["parent"])


PLACE = Kind(
    name="place",
    version=1,
    policy=Policy.SHARED,
    compartment=Compartment.BASE,
    writers=frozenset({Post.ADM}),
    verbs={
        "create": Verb(PlaceFields, _create, Text("新建场所", "new place"), creates=True, needs=_needs_parent),
        "change": Verb(PlaceChange, _change, Text("修改场所", "change a place")),
    },
    text=Text("场所", "place"),
    labels={
        "type": Text("类型", "type"),
        "type.ward": Text("监区", "ward"),
        "type.cell": Text("监室", "cell"),
        "type.checkpoint": Text("巡更点", "checkpoint"),
        "code": Text("编号", "code"),
        "name": Text("名称", "name"),
        "parent": Text("所属监区", "ward it belongs to"),
        "position": Text("巡视顺序", "order on the walk"),
        "tags": Text("电子标签", "tags"),
    },
)
