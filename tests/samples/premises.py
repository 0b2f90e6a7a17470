"""Checks of premises: a workshop after work, and the hygiene of cell C1."""

from __future__ import annotations

from typing import Any

from tests.samples import Sample, Stage, Wrong, but


def _workshop(stage: Stage) -> dict[str, Any]:
    return {
        "place": stage.id("C1"),
        "phase": "after",
        "checked_at": stage.now(),
        "headcount": 12,
        "tools_out": 24,
        "tools_seen": 24,
        "findings": ["nothing"],
        "note": None,
    }


def _hygiene(stage: Stage) -> dict[str, Any]:
    return {
        "place": stage.id("C1"),
        "area": "cell",
        "checked_at": stage.now(),
        "things": [{"thing": "floor", "grade": "good"}, {"thing": "bedding", "grade": "poor"}],
        "measures": None,
    }


WORKSHOP = Sample(
    kind="workshop_check",
    writer="DISC",
    reader="PAT",
    outsider="PAT2",
    verbs={"record": _workshop},
    wrong=(
        Wrong("in a person", "record", lambda s: _workshop(s) | {"place": s.id("p1")}, "reference.unknown",
              "fields.place"),
        Wrong("nowhere yet", "record", lambda s: _workshop(s) | {"place": s.id("PAT")}, "operation.held", None),
        Wrong("no word on what was found", "record", but(_workshop, findings=[]), "field.invalid", "fields.findings"),
        Wrong("nothing, and something", "record", but(_workshop, findings=["nothing", "fire_risk"]), "field.invalid",
              "fields.findings"),
        Wrong("a tool is gone, and no word on it", "record", but(_workshop, tools_seen=23), "field.missing", "fields.note"),
        Wrong("something else, and no word on it", "record", but(_workshop, findings=["other"]), "field.missing",
              "fields.note"),
        Wrong("tools that were not counted", "record", but(_workshop, tools_seen=None), "field.invalid",
              "fields.tools_seen"),
        Wrong("some time", "record", but(_workshop, checked_at="2026-02-30T10:00:00.000Z"), "field.invalid",
              "fields.checked_at"),
    ),
)  # fmt: skip

HYGIENE = Sample(
    kind="hygiene_check",
    writer="DISC",
    reader="MED",
    outsider="PAT2",
    verbs={"record": _hygiene},
    wrong=(
        Wrong("in a person", "record", lambda s: _hygiene(s) | {"place": s.id("p1")}, "reference.unknown",
              "fields.place"),
        Wrong("nowhere yet", "record", lambda s: _hygiene(s) | {"place": s.id("PAT")}, "operation.held", None),
        Wrong("nothing looked at", "record", but(_hygiene, things=[]), "field.invalid", "fields.things"),
        Wrong("one thing twice", "record", but(_hygiene, things=[{"thing": "food", "grade": "good"}] * 2),
              "field.invalid", "fields.things"),
        Wrong("bad, and nothing ordered", "record", but(_hygiene, things=[{"thing": "food", "grade": "bad"}]),
              "field.missing", "fields.measures"),
        Wrong("all clean", "record", but(_hygiene, clean=True), "field.unknown", "fields.clean"),
        Wrong("some time", "record", but(_hygiene, checked_at="2026-02-30T10:00:00.000Z"), "field.invalid",
              "fields.checked_at"),
    ),
)  # fmt: skip

SAMPLES = (WORKSHOP, HYGIENE)
