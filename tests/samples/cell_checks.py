"""Checks of cells: one of cell C1, in which two are lodged."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headless.chain import rfc3339
from tests.samples import Fields, Sample, Stage, Wrong, but


def _check(stage: Stage) -> dict[str, Any]:
    now = stage.terminal.clock.now()
    return {
        "cell": stage.id("C1"),
        "half": "morning",
        "began_at": rfc3339(now - timedelta(minutes=15)),
        "ended_at": rfc3339(now),
        "companions": [stage.id("PAT")],
        "persons": 2,
        "body": [],
        "contraband": [],
        "damage": None,
        "note": None,
    }


def _body(**changes: Any) -> Fields:
    seen = {"finding": "bruise", "note": None}
    return lambda stage: _check(stage) | {"body": [{"person": stage.id("p1"), **seen, **changes}]}


def _item(**changes: Any) -> Fields:
    found = {"item": "rope", "count": 1, "person": None, "note": None}
    return lambda stage: _check(stage) | {"contraband": [{**found, **changes}]}


def _backwards(stage: Stage) -> dict[str, Any]:
    said = _check(stage)
    return said | {"began_at": said["ended_at"], "ended_at": said["began_at"]}


def _refers(what: str, name: str, code: str, field: str | None) -> Wrong:
    return Wrong(what, "record", lambda stage: _check(stage) | {"cell": stage.id(name)}, code, field)


def _wrong(what: str, code: str, field: str, fields: Fields) -> Wrong:
    return Wrong(what, "record", fields, code, f"fields.{field}")


CELL_CHECK = Sample(
    kind="cell_check",
    writer="DISC",
    reader="PAT",
    outsider="PAT2",
    verbs={"record": _check},
    wrong=(
        _refers("a check of a ward", "W", "reference.unknown", "fields.cell"),
        _refers("a check of a person", "p1", "reference.unknown", "fields.cell"),
        _refers("a check of nothing", "PAT", "operation.held", None),
        _wrong("a check that ends before it begins", "field.invalid", "ended_at", _backwards),
        _wrong("a half that there is not", "field.invalid", "half", but(_check, half="noon")),
        _wrong("fewer than nobody", "field.invalid", "persons", but(_check, persons=-1)),
        _wrong("a finding that there is not", "field.invalid", "body.0.finding", _body(finding="normal")),
        _wrong("something other and no note", "field.missing", "body.0.note", _body(finding="other")),
        _wrong("a thing of no name", "field.missing", "contraband.0.note", _item(item="other")),
        _wrong("nothing found, once", "field.invalid", "contraband.0.count", _item(count=0)),
        _wrong("no word on bodies", "field.missing", "body", but(_check, "body")),
        _wrong("all normal", "field.unknown", "normal", but(_check, normal=True)),
    ),
)

SAMPLES = (CELL_CHECK,)
