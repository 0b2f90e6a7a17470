"""Days: a Saturday that the facility works."""

from __future__ import annotations

from typing import Any

from tests.samples import Sample, Stage, Wrong, but


def _day(_stage: Stage) -> dict[str, Any]:
    return {"day": "2026-11-28", "sort": "workday", "name": "调休上班"}


DAY = Sample(
    kind="calendar.day",
    writer="LEAD",
    reader="PAT",
    outsider=None,
    verbs={"set": _day},
    wrong=(
        Wrong("a day that there is not", "set", but(_day, day="2026-02-30"), "field.invalid", "fields.day"),
        Wrong("a month", "set", but(_day, day="2026-11"), "field.invalid", "fields.day"),
        Wrong("a moment", "set", but(_day, day="2026-11-28T00:00:00.000Z"), "field.invalid", "fields.day"),
        Wrong("a sort that there is not", "set", but(_day, sort="half"), "field.invalid", "fields.sort"),
        Wrong("no sort", "set", but(_day, "sort"), "field.missing", "fields.sort"),
        Wrong("no word on its name", "set", but(_day, "name"), "field.missing", "fields.name"),
        Wrong("hours", "set", but(_day, hours=8), "field.unknown", "fields.hours"),
    ),
)

SAMPLES = (DAY,)
