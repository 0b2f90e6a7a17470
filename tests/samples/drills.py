"""Drills: a fire drill in ward W, told by the leader who held it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headless.chain import rfc3339
from tests.samples import Sample, Stage, Wrong, but


def _record(stage: Stage) -> dict[str, Any]:
    ended = stage.terminal.clock.now()
    return {
        "type": "failure", "place": stage.id("W"), "started_at": rfc3339(ended - timedelta(minutes=20)),
        "ended_at": rfc3339(ended), "officers": [stage.id("PAT"), stage.id("DISC")], "persons": 0,
        "items": ["alarm", "backup_power", "double_patrol", "count", "report_up"], "response_seconds": 75,
        "findings": "应急灯全部启用", "improvements": None,
    }  # fmt: skip


def _backwards(stage: Stage) -> dict[str, Any]:
    said = _record(stage)
    return said | {"started_at": said["ended_at"], "ended_at": said["started_at"]}


DRILL = Sample(
    kind="drill",
    writer="LEAD",
    reader="PAT",
    outsider="PAT2",
    verbs={"record": _record},
    wrong=(
        Wrong("ended before it began", "record", _backwards, "field.invalid", "fields.ended_at"),
        Wrong("a day that there is not", "record", but(_record, ended_at="2027-02-30T00:00:00.000Z"), "field.invalid",
              "fields.ended_at"),
        Wrong("held at a person", "record", lambda stage: _record(stage) | {"place": stage.id("p1")},
              "reference.unknown", "fields.place"),
        Wrong("nobody there", "record", but(_record, officers=[]), "field.invalid", "fields.officers"),
        Wrong("a step that there is not", "record", but(_record, items=["pray"]), "field.invalid", "fields.items.0"),
        Wrong("two hours to arrive", "record", but(_record, response_seconds=7201), "field.invalid",
              "fields.response_seconds"),
        Wrong("no word on how it went", "record", but(_record, "findings"), "field.missing", "fields.findings"),
    ),
)  # fmt: skip

SAMPLES = (DRILL,)
