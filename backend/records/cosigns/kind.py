"""The kind ``cosign``: a police officer answers for a record that an auxiliary signed, or made, alone (rule P07). It lies
where that record lies, and changes nothing in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from marshmallow import Schema

from backend.domain.posts import POLICE
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Needs, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import reference, word

ALONE = frozenset({"signoff.alone", "auxiliary.alone"})
"""Marks of a record that wants a second signature."""


class CosignFields(Schema):
    """``record``: what is signed for, as it stands; ``note``: what there is to say, or null."""

    record = reference()
    note = word(500, allow_none=True)


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["record"],))


def _sign(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    record = known.record(deed.fields["record"])
    if record is None:
        return Problem("reference.unknown", "fields.record")
    row = orjson.loads(record.body)
    if not any(mark["code"] in ALONE for mark in row["marks"]):
        return Problem("cosign.needless", "fields.record")
    if row["author"]["officer"] == deed.officer:
        return Problem("officer.unauthorised", "officer")
    doc = {**deed.fields, "version": record.version, "signed": row["author"]["officer"]}
    return Ruling(doc, record.partition, "signed", record.place)


COSIGN = Kind(
    name="cosign",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.BASE,
    writers=POLICE,
    verbs={"sign": Verb(CosignFields, _sign, Text("补签", "co-sign"), creates=True, signoff=True, needs=_needs)},
    text=Text("补签", "second signature"),
    labels={
        "record": Text("补签的记录", "record signed for"),
        "note": Text("说明", "note"),
        "version": Text("补签时的版本", "its version at that time"),
        "signed": Text("原签认人", "who had signed alone"),
    },
)
