"""Papers: the identity card of p1, which is corrected and taken away again."""

from __future__ import annotations

from typing import Any

from tests.samples import Sample, Stage, Wrong, but

RIGHT = "11010519491231002X"
"""The example of GB 11643-1999."""


def _card(stage: Stage) -> dict[str, Any]:
    return {
        "person": stage.id("p1"),
        "type": "resident_id",
        "number": RIGHT,
        "name": "测试·𠮷",
        "valid_until": "2036-02-29",
    }


def _change(_stage: Stage) -> dict[str, Any]:
    return {"type": "other", "number": "临〔2026〕7号", "name": None, "valid_until": None}


def _remove(_stage: Stage) -> dict[str, Any]:
    return {"reason": "登记有误"}


def _of(name: str) -> Any:
    return lambda stage: _card(stage) | {"person": stage.id(name)}


PAPERS = Sample(
    kind="papers",
    writer="INT",
    reader="DISC",
    outsider="PAT",
    verbs={"create": _card, "change": _change, "remove": _remove},
    stories=(("create", "change"), ("create", "change", "remove")),
    leaves=frozenset({"remove"}),
    apart=(lambda _: {"name": "测试甲"}, lambda _: {"valid_until": "2040-01-01"}),
    against=(lambda _: {"number": "甲1"}, lambda _: {"number": "乙2"}),
    rivals=(("change", "remove"), ("remove", "change")),
    wrong=(
        Wrong("papers of a place", "create", _of("C1"), "reference.unknown", "fields.person"),
        Wrong("papers of an officer", "create", _of("INT"), "operation.held", None),
        Wrong("papers of nobody", "create", but(_card, person=None), "field.invalid", "fields.person"),
        Wrong("a type in words", "create", but(_card, type="身份证"), "field.invalid", "fields.type"),
        Wrong("no number", "create", but(_card, "number"), "field.missing", "fields.number"),
        Wrong("a number that is a number", "create", but(_card, number=110105), "field.invalid", "fields.number"),
        Wrong("a number of 41 signs", "create", but(_card, number="1" * 41), "field.invalid", "fields.number"),
        Wrong("no word on the name", "create", but(_card, "name"), "field.missing", "fields.name"),
        Wrong("valid until some time", "create", but(_card, valid_until="2036"), "field.invalid", "fields.valid_until"),
        Wrong("valid until a day that there is not", "create", but(_card, valid_until="2035-02-29"), "field.invalid",
              "fields.valid_until"),
        Wrong("an age", "create", but(_card, age=30), "field.unknown", "fields.age"),
        Wrong("another person's", "change", lambda stage: {"person": stage.id("p2")}, "field.unknown", "fields.person"),
        Wrong("taken away for no reason", "remove", but(_remove, "reason"), "field.missing", "fields.reason"),
    ),
)  # fmt: skip

SAMPLES = (PAPERS,)
