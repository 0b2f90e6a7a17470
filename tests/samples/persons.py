"""Persons: one who is registered into cell C1 of ward W, and moved to C2."""

from __future__ import annotations

from typing import Any

from tests.samples import Doc, Sample, Stage, Wrong, but
from tests.support.world import PERSONS, PLACES


def _person(stage: Stage) -> dict[str, Any]:
    return {"number": "2026-0099", "name": "测试·艾合买提", "sex": "m", "cell": stage.id("C1"), "state": "held"}


def whole(stage: Stage) -> dict[str, Any]:
    """All that may be said of a person, who is not identified."""
    return _person(stage) | {
        "name": None,
        "aliases": ["自报名甲", "𠮷"],
        "birth": "1990-02",
        "language": "维吾尔语",
        "admitted_at": "2026-11-20T08:30:00.000Z",
        "bed": "3",
        "risk": "grade2",
        "stage": "arrested",
        "organ": "某分局",
        "case": "刑〔2026〕118 号",
        "override": None,
        "remarks": None,
    }


def _move(stage: Stage) -> dict[str, Any]:
    return {"cell": stage.id("C2"), "risk": "grade1", "remarks": "调换监室"}


def _alone(stage: Stage) -> dict[str, Any]:
    return _move(stage) | {"override": {"reason": "火警", "second": stage.officer()}}


def _release(stage: Stage) -> dict[str, Any]:
    return {"ground": "bail", "document": "取保〔2026〕7号", "released_at": stage.began, "note": None}


def _released(_stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    return doc | {"cell": None, "state": "released", "release": fields}


def _into(what: str, verb: str, name: str) -> Wrong:
    valid = _person if verb == "create" else _move
    here = name in PLACES or name in PERSONS
    code, field = ("reference.unknown", "fields.cell") if here else ("operation.held", None)
    return Wrong(what, verb, lambda stage: valid(stage) | {"cell": stage.id(name)}, code, field)


PERSON = Sample(
    kind="person",
    writer="INT",
    reader="PAT",
    outsider="PAT2",
    verbs={"create": _person, "change": _move, "release": _release},
    stories=(("create", "change"), ("create", "change", "release")),
    leaves=frozenset({"release"}),
    makes={"release": _released},
    apart=(lambda _: {"bed": "7"}, lambda _: {"stage": "prosecution", "organ": "某检察院"}),
    against=(lambda _: {"remarks": "甲"}, lambda _: {"remarks": "乙"}),
    strict=_move,
    rivals=(("change", "release"), ("release", "change"), ("release", "release")),
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
        Wrong("no state", "create", but(_person, "state"), "field.missing", "fields.state"),
        Wrong("born on a day that there is not", "create", but(whole, birth="1990-02-30"), "field.invalid",
              "fields.birth"),
        Wrong("born some time", "create", but(whole, birth="九十年代"), "field.invalid", "fields.birth"),
        Wrong("admitted on a day that there is not", "create", but(whole, admitted_at="2026-02-30T00:00:00.000Z"),
              "field.invalid", "fields.admitted_at"),
        Wrong("a risk in points", "create", but(whole, risk=87), "field.invalid", "fields.risk"),
        Wrong("a stage in words", "create", but(whole, stage="一审"), "field.invalid", "fields.stage"),
        Wrong("nobody, and nothing to tell him by", "create", but(_person, name=None), "field.missing",
              "fields.remarks"),
        Wrong("an empty alias", "create", but(whole, aliases=[""]), "field.invalid", "fields.aliases.0"),
        Wrong("an age", "create", but(_person, age=30), "field.unknown", "fields.age"),
        Wrong("a sex that changes", "change", but(_move, sex="m"), "field.unknown", "fields.sex"),
        Wrong(
            "released, but not from the cell", "change", but(_move, state="released"), "field.invalid", "fields.cell"
        ),
        Wrong("moved nowhere", "change", but(_move, cell=None), "field.invalid", "fields.cell"),
        Wrong("a state that there is not", "change", but(_move, state="away"), "field.invalid", "fields.state"),
        _into("moved into a ward", "change", "W"),
        Wrong("an emergency without a second officer", "change", but(_move, override={"reason": "火警"}), "field.missing",
              "fields.override.second"),
        Wrong("an emergency that he alone agreed to", "change", _alone, "field.invalid", "fields.override.second"),
        Wrong("a case without a number", "create", but(whole, case=""), "field.invalid", "fields.case"),
        Wrong("a woman among men", "create", but(_person, sex="f"), "rule.forbids", "fields.cell"),
        Wrong("released without a document", "release", but(_release, "document"), "field.missing", "fields.document"),
        Wrong("released for no reason", "release", but(_release, ground=None), "field.invalid", "fields.ground"),
        Wrong("released on a day that there is not", "release", but(_release, released_at="2026-02-30T00:00:00.000Z"),
              "field.invalid", "fields.released_at"),
    ),
)  # fmt: skip

SAMPLES = (PERSON,)
