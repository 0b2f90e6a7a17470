"""The kind ``person`` (被监管人员). Each person is a partition of his own; scopes follow the cell he is in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from backend.domain.posts import Post
from backend.kernel.ids import UUID7
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Needs, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import choice, reference, word

SEXES = ("m", "f")
STATES = ("held", "released")


class PersonFields(Schema):
    """A person as a whole. ``number`` is kept as text; ``cell`` is null after release."""

    number = word(32)
    name = word(80)
    sex = choice(SEXES)
    cell = reference(allow_none=True)
    state = choice(STATES)


class PersonChange(Schema):
    """What may change of a person."""

    number = fields.String(validate=validate.Length(min=1, max=32))
    name = fields.String(validate=validate.Length(min=1, max=80))
    cell = fields.String(allow_none=True, validate=validate.Regexp(rf"{UUID7.pattern}\Z"))
    state = fields.String(validate=validate.OneOf(STATES))


def _needs_cell(fields_: Mapping[str, Any], head: Head | None) -> Needs:
    cell = fields_.get("cell", head.doc["cell"] if head else None)
    return Needs(records=(cell,) if cell else ())


def _judge(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    doc = {**(head.doc if head else {}), **deed.fields}
    cell = doc["cell"]
    if (doc["state"] == "held") != (cell is not None):
        return Problem("field.invalid", "fields.cell")
    if cell is not None:
        place = known.record(cell)
        if place is None or place.kind != "place" or place.doc["type"] != "cell":
            return Problem("reference.unknown", "fields.cell")
    return Ruling(doc, f"person/{deed.record}/{Compartment.BASE}", doc["state"], cell)


PERSON = Kind(
    name="person",
    version=1,
    policy=Policy.SHARED,
    compartment=Compartment.BASE,
    writers=frozenset({Post.INT}),
    verbs={
        "create": Verb(PersonFields, _judge, Text("登记人员", "register a person"), creates=True, needs=_needs_cell),
        "change": Verb(PersonChange, _judge, Text("修改人员", "change a person"), needs=_needs_cell),
    },
    text=Text("被监管人员", "person held"),
    labels={
        "number": Text("编号", "number"),
        "name": Text("姓名", "name"),
        "sex": Text("性别", "sex"),
        "sex.m": Text("男", "male"),
        "sex.f": Text("女", "female"),
        "cell": Text("监室", "cell"),
        "state": Text("状态", "state"),
        "state.held": Text("在押", "held"),
        "state.released": Text("已出所", "released"),
    },
)
