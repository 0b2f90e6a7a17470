"""Video patrols: a look at cell C1, in which two are lodged."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headless.chain import rfc3339
from tests.samples import Sample, Stage, Wrong, but


def _look(stage: Stage) -> dict[str, Any]:
    now = stage.terminal.clock.now()
    return {
        "place": stage.id("C1"),
        "sort": "live",
        "camera": "三监区 12 号",
        "began_at": rfc3339(now - timedelta(minutes=2)),
        "ended_at": rfc3339(now),
        "headcount": 2,
        "observation": "calm",
        "note": None,
    }


def _backwards(stage: Stage) -> dict[str, Any]:
    said = _look(stage)
    return said | {"began_at": said["ended_at"], "ended_at": said["began_at"]}


def _refers(what: str, name: str, code: str, field: str | None) -> Wrong:
    return Wrong(what, "record", lambda stage: _look(stage) | {"place": stage.id(name)}, code, field)


def _wrong(what: str, code: str, field: str, **changes: Any) -> Wrong:
    return Wrong(what, "record", but(_look, **changes), code, f"fields.{field}")


VIDEO = Sample(
    kind="patrol.video",
    writer="PAT",
    reader="DISC",
    outsider="PAT2",
    verbs={"record": _look},
    wrong=(
        _refers("a look at a person", "p1", "reference.unknown", "fields.place"),
        _refers("a look at nothing", "PAT", "operation.held", None),
        Wrong("a look that ends before it begins", "record", _backwards, "field.invalid", "fields.ended_at"),
        _wrong("a time of day", "field.invalid", "began_at", began_at="10:30"),
        _wrong("a sort that there is not", "field.invalid", "sort", sort="patrol"),
        _wrong("all normal", "field.invalid", "observation", observation="normal"),
        _wrong("a head count in words", "field.invalid", "headcount", headcount="2"),
        _wrong("no picture and no note", "field.missing", "note", observation="no_picture"),
        _wrong("a tag that no camera reads", "field.unknown", "tag", tag=None),
        Wrong("no word on the number", "record", but(_look, "headcount"), "field.missing", "fields.headcount"),
    ),
)

SAMPLES = (VIDEO,)
