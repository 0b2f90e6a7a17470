"""Education: a class in cell C1, which p1 attended and p2 did not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headless.chain import rfc3339
from tests.samples import Fields, Sample, Stage, Wrong, but


def _class(stage: Stage) -> dict[str, Any]:
    now = stage.terminal.clock.now()
    return {
        "place": stage.id("C1"),
        "sort": "law",
        "topic": "反电信诈骗 𠮷",
        "started_at": rfc3339(now - timedelta(minutes=40)),
        "ended_at": rfc3339(now),
        "present": [stage.id("p1")],
        "absent": [{"person": stage.id("p2"), "why": "ill"}],
        "note": None,
    }


def _wrong(what: str, code: str, field: str | None, fields: Fields) -> Wrong:
    return Wrong(what, "record", fields, code, field)


def _absent(name: str, why: str = "ill") -> Fields:
    return lambda stage: _class(stage) | {"absent": [{"person": stage.id(name), "why": why}]}


def _backwards(stage: Stage) -> dict[str, Any]:
    said = _class(stage)
    return said | {"started_at": said["ended_at"], "ended_at": said["started_at"]}


EDUCATION = Sample(
    kind="education",
    writer="DISC",
    reader="LEAD",
    outsider="PAT2",
    verbs={"record": _class},
    wrong=(
        _wrong("in a person", "reference.unknown", "fields.place", lambda s: _class(s) | {"place": s.id("p1")}),
        _wrong("nowhere yet", "operation.held", None, lambda s: _class(s) | {"place": s.id("PAT")}),
        _wrong("a place that attended", "reference.unknown", "fields.present", lambda s: _class(s) | {"present": [s.id("C2")]}),
        _wrong("one who is not known yet attended", "operation.held", None, lambda s: _class(s) | {"present": [s.id("PAT")]}),
        _wrong("one who is not known yet did not", "operation.held", None, _absent("PAT")),
        _wrong("a place that did not", "reference.unknown", "fields.absent.0.person", _absent("C2")),
        _wrong("there and not there", "field.invalid", "fields.present", _absent("p1")),
        _wrong("absent for no reason", "field.invalid", "fields.absent.0.why", _absent("p2", "懒")),
        _wrong("nobody", "field.missing", "fields.present", but(_class, present=[], absent=[])),
        _wrong("everybody", "field.invalid", "fields.present", but(_class, present="all")),
        _wrong("ended before it began", "field.invalid", "fields.ended_at", _backwards),
        _wrong("a day that there is not", "field.invalid", "fields.started_at",
               but(_class, started_at="2026-02-30T10:00:00.000Z")),
        _wrong("no topic", "field.invalid", "fields.topic", but(_class, topic="")),
    ),
)  # fmt: skip

SAMPLES = (EDUCATION,)
