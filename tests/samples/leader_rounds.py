"""Rounds of leaders: one through ward W by night, at which an officer was found to do other things."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headless.chain import rfc3339
from tests.samples import Fields, Sample, Stage, Wrong, but


def _round(stage: Stage) -> dict[str, Any]:
    now = stage.terminal.clock.now()
    found = {"place": stage.id("K"), "finding": "distracted", "note": "值班室内看手机"}
    return {
        "areas": [stage.id("W"), stage.id("V")],
        "began_at": rfc3339(now - timedelta(minutes=40)),
        "ended_at": rfc3339(now),
        "told": "unannounced",
        "companions": [],
        "findings": [found],
        "note": None,
    }


def _backwards(stage: Stage) -> dict[str, Any]:
    said = _round(stage)
    return said | {"began_at": said["ended_at"], "ended_at": said["began_at"]}


def _areas(what: str, name: str, code: str, field: str | None) -> Wrong:
    return Wrong(what, "record", lambda stage: _round(stage) | {"areas": [stage.id(name)]}, code, field)


def _finding(**changes: Any) -> Fields:
    return lambda stage: _round(stage) | {"findings": [_round(stage)["findings"][0] | changes]}


def _wrong(what: str, code: str, field: str, fields: Fields) -> Wrong:
    return Wrong(what, "record", fields, code, f"fields.{field}")


LEADER_ROUND = Sample(
    kind="leader_round",
    writer="LEAD",
    reader="DIR",
    outsider="PAT",
    verbs={"record": _round},
    wrong=(
        _areas("a round through a cell", "C1", "reference.unknown", "fields.areas"),
        _areas("a round through nothing", "PAT", "operation.held", None),
        _wrong("a round through no ward", "field.invalid", "areas", but(_round, areas=[])),
        _wrong("a round that ends before it begins", "field.invalid", "ended_at", _backwards),
        _wrong("told by halves", "field.invalid", "told", but(_round, told="partly")),
        _wrong("a finding without a word", "field.invalid", "findings.0.note", _finding(note="")),
        _wrong("a finding that there is not", "field.invalid", "findings.0.finding", _finding(finding="normal")),
        _wrong("no word on findings", "field.missing", "findings", but(_round, "findings")),
        _wrong("all normal", "field.unknown", "normal", but(_round, normal=True)),
    ),
)

SAMPLES = (LEADER_ROUND,)
