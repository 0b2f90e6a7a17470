"""Persons: one who is registered into cell C1 of ward W, and moved to C2."""

from __future__ import annotations

from typing import Any

from tests.samples import Sample, Stage, Wrong, but


def _person(stage: Stage) -> dict[str, Any]:
    return {"number": "2026-0099", "name": "测试·艾合买提", "sex": "f", "cell": stage.id("C1"), "state": "held"}


def _move(stage: Stage) -> dict[str, Any]:
    return {"cell": stage.id("C2")}


def _into(what: str, verb: str, name: str) -> Wrong:
    valid = _person if verb == "create" else _move
    return Wrong(what, verb, lambda stage: valid(stage) | {"cell": stage.id(name)}, "reference.unknown", "fields.cell")


PERSON = Sample(
    kind="person",
    writer="INT",
    reader="PAT",
    outsider="PAT2",
    verbs={"create": _person, "change": _move},
    doc=lambda stage: _person(stage) | _move(stage),
    wrong=(
        Wrong("a sex that is not in the dictionary", "create", but(_person, sex="男"), "field.invalid", "fields.sex"),
        Wrong("an empty number", "create", but(_person, number=""), "field.invalid", "fields.number"),
        Wrong("a number that is a number", "create", but(_person, number=20260099), "field.invalid", "fields.number"),
        Wrong("a name of 81 signs", "create", but(_person, name="名" * 81), "field.invalid", "fields.name"),
        Wrong("held nowhere", "create", but(_person, cell=None), "field.invalid", "fields.cell"),
        Wrong("released into a cell", "create", but(_person, state="released"), "field.invalid", "fields.cell"),
        _into("held in a ward", "create", "W"),
        _into("held at a checkpoint", "create", "K"),
        _into("held in a person", "create", "p1"),
        _into("held where nothing is", "create", "PAT"),
        Wrong("no state", "create", but(_person, "state"), "field.missing", "fields.state"),
        Wrong("an age", "create", but(_person, age=30), "field.unknown", "fields.age"),
        Wrong("a sex that changes", "change", but(_move, sex="m"), "field.unknown", "fields.sex"),
        Wrong(
            "released, but not from the cell", "change", but(_move, state="released"), "field.invalid", "fields.cell"
        ),
        Wrong("moved nowhere", "change", but(_move, cell=None), "field.invalid", "fields.cell"),
        Wrong("a state that there is not", "change", but(_move, state="away"), "field.invalid", "fields.state"),
        _into("moved into a ward", "change", "W"),
    ),
)

SAMPLES = (PERSON,)
