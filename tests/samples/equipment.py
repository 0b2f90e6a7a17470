"""Equipment: a round in cell C1, and a camera there that does not work until it is repaired."""

from __future__ import annotations

from typing import Any

from tests.samples import Doc, Sample, Stage, Wrong, but


def _round(stage: Stage) -> dict[str, Any]:
    return {
        "place": stage.id("C1"),
        "checked_at": stage.now(),
        "items": [{"item": "cell_door", "condition": "works"}, {"item": "camera", "condition": "works"}],
        "note": None,
    }


def _report(stage: Stage) -> dict[str, Any]:
    return {
        "place": stage.id("C1"),
        "item": "camera",
        "severity": "important",
        "deliberate": False,
        "found_at": stage.began,
        "round": None,
        "words": "画面黑屏 𠮷",
        "meanwhile": "加密巡视",
    }


def _amend(_stage: Stage) -> dict[str, Any]:
    return {"severity": "minor", "meanwhile": "已调整相邻摄像头角度"}


def _repair(stage: Stage) -> dict[str, Any]:
    return {"result": "replaced", "repaired_at": stage.now(), "tested": True, "words": "更换摄像头"}


def _reported(_stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return {**fields, "state": "faulty"}


def _repaired(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    return doc | {"state": "repaired", "repair": {"at": stage.now(), "officer": stage.officer(), **fields}}


ROUND = Sample(
    kind="equipment_round",
    writer="PAT",
    reader="LEAD",
    outsider="PAT2",
    verbs={"record": _round},
    wrong=(
        Wrong("in a person", "record", lambda s: _round(s) | {"place": s.id("p1")}, "reference.unknown", "fields.place"),
        Wrong("nowhere yet", "record", lambda s: _round(s) | {"place": s.id("PAT")}, "operation.held", None),
        Wrong("nothing looked at", "record", but(_round, items=[]), "field.invalid", "fields.items"),
        Wrong("all works", "record", but(_round, items="all"), "field.invalid", "fields.items"),
        Wrong("looked at, and no word how it was", "record", but(_round, items=[{"item": "gate"}]), "field.missing",
              "fields.items.0.condition"),
        Wrong("one thing in two ways", "record", but(_round, items=[{"item": "gate", "condition": "works"},
              {"item": "gate", "condition": "faulty"}]), "field.invalid", "fields.items"),
        Wrong("not looked at, and no word why", "record", but(_round, items=[{"item": "gate", "condition": "unreachable"}]),
              "field.missing", "fields.note"),
        Wrong("some time", "record", but(_round, checked_at="10:00"), "field.invalid", "fields.checked_at"),
    ),
)  # fmt: skip

FAULT = Sample(
    kind="equipment_fault",
    writer="PAT",
    reader="DISC",
    outsider="PAT2",
    verbs={"report": _report, "amend": _amend, "repair": _repair},
    stories=(("report", "amend", "repair"), ("report", "repair")),
    makes={"report": _reported, "repair": _repaired},
    apart=(lambda _: {"meanwhile": "专人看守"}, lambda _: {"deliberate": True}),
    against=(lambda _: {"meanwhile": "甲"}, lambda _: {"meanwhile": "乙"}),
    strict=lambda _: {"severity": "critical"},
    rivals=(("repair", "repair"),),
    wrong=(
        Wrong("in a person", "report", lambda s: _report(s) | {"place": s.id("p1")}, "reference.unknown", "fields.place"),
        Wrong("found by a round that was none", "report", lambda s: _report(s) | {"round": s.id("p1")},
              "reference.unknown", "fields.round"),
        Wrong("found by a round that has not come", "report", lambda s: _report(s) | {"round": s.id("PAT")},
              "operation.held", None),
        Wrong("a danger and nothing done", "report", but(_report, severity="critical", meanwhile=None), "field.missing",
              "fields.meanwhile"),
        Wrong("no word on who did it", "report", but(_report, "deliberate"), "field.missing", "fields.deliberate"),
        Wrong("a thing that there is not", "report", but(_report, item="roof"), "field.invalid", "fields.item"),
        Wrong("found on a day that there is not", "report", but(_report, found_at="2026-02-30T10:00:00.000Z"),
              "field.invalid", "fields.found_at"),
        Wrong("a danger and nothing done any more", "amend", lambda _: {"severity": "critical", "meanwhile": None},
              "field.missing", "fields.meanwhile"),
        Wrong("another thing", "amend", lambda _: {"item": "gate"}, "field.unknown", "fields.item"),
        Wrong("repaired before it was found", "repair", but(_repair, repaired_at="2026-01-01T00:00:00.000Z"),
              "field.invalid", "fields.repaired_at"),
        Wrong("repaired, and no word whether it works", "repair", but(_repair, "tested"), "field.missing",
              "fields.tested"),
    ),
)  # fmt: skip

SAMPLES = (ROUND, FAULT)
