"""Signs of rounds that were not walked: the patrol officer's of ward W, reported by a leader."""

from __future__ import annotations

from typing import Any

from tests.samples import Doc, Fields, Sample, Stage, Wrong, but


def _report(stage: Stage) -> dict[str, Any]:
    return {
        "sign": "exact_interval",
        "against": [stage.id("PAT")],
        "place": stage.id("W"),
        "records": [stage.id("C1")],
        "first_at": stage.began,
        "last_at": stage.began,
    }


def _reported(_stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return {**fields, "state": "open", "reviewed": None}


def _review(_stage: Stage) -> dict[str, Any]:
    return {"verdict": "explained", "video": "三监区走廊 22:00–23:00", "note": None}


def _reviewed(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    return doc | {"state": "reviewed", "reviewed": {**fields, "at": stage.now(), "by": stage.officer()}}


def _wrong(what: str, verb: str, code: str, field: str | None, fields: Fields) -> Wrong:
    return Wrong(what, verb, fields, code, field)


def _at(name: str) -> Fields:
    return lambda stage: _report(stage) | {"place": stage.id(name)}


PATTERN = Sample(
    kind="pattern",
    writer="LEAD",
    reader="DIR",
    outsider="PAT",
    verbs={"report": _report, "review": _review},
    makes={"report": _reported, "review": _reviewed},
    rivals=(("review", "review"),),
    wrong=(
        _wrong("a sign that there is not", "report", "field.invalid", "fields.sign", but(_report, sign="mood")),
        _wrong("an officer by name", "report", "field.invalid", "fields.against.0", but(_report, against=["王"])),
        _wrong("at a person", "report", "reference.unknown", "fields.place", _at("p1")),
        _wrong("nowhere that anybody has seen", "report", "operation.held", None, _at("DIR")),
        _wrong("a time of day", "report", "field.invalid", "fields.first_at", but(_report, first_at="22:00")),
        _wrong("backwards", "report", "field.invalid", "fields.last_at",
               but(_report, last_at="2020-01-01T00:00:00.000Z")),
        _wrong("reviewed without video", "review", "field.invalid", "fields.video", but(_review, video=None)),
        _wrong("a score", "review", "field.unknown", "fields.score", but(_review, score=3)),
    ),
)  # fmt: skip

SAMPLES = (PATTERN,)
