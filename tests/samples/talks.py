"""Talks: one of the cell officer of ward W with p1, in the cell."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headless.chain import rfc3339
from tests.samples import Fields, Sample, Stage, Wrong, but


def _talk(stage: Stage) -> dict[str, Any]:
    now = stage.terminal.clock.now()
    return {
        "person": stage.id("p1"),
        "place": stage.id("C1"),
        "sort": "education",
        "occasion": "lawyer_visit",
        "started_at": rfc3339(now - timedelta(minutes=12)),
        "ended_at": rfc3339(now),
        "participants": [stage.id("LEAD")],
        "interpreter": None,
        "mood": "calm",
        "topics": ["case", "family"],
        "summary": "询问会见后情况，情绪平稳 𠮷",
        "follow_up": "一周后回访",
        "follow_up_on": rfc3339(now + timedelta(days=7)),
    }


def _wrong(what: str, code: str, field: str | None, fields: Fields) -> Wrong:
    return Wrong(what, "record", fields, code, field)


def _refers(what: str, field: str, name: str) -> Wrong:
    return _wrong(what, "reference.unknown", f"fields.{field}", _with(field, name))


def _with(field: str, name: str) -> Fields:
    return lambda stage: _talk(stage) | {field: stage.id(name)}


def _backwards(stage: Stage) -> dict[str, Any]:
    said = _talk(stage)
    return said | {"started_at": said["ended_at"], "ended_at": said["started_at"]}


TALK = Sample(
    kind="talk",
    writer="DISC",
    reader="LEAD",
    outsider="PAT",
    verbs={"record": _talk},
    wrong=(
        _refers("a talk with a place", "person", "C1"),
        _wrong("a talk with an officer", "operation.held", None, _with("person", "DISC")),
        _refers("a talk in a person", "place", "p1"),
        _wrong("a talk nowhere", "operation.held", None, _with("place", "PAT")),
        _wrong("a talk that ends before it begins", "field.invalid", "fields.ended_at", _backwards),
        _wrong("a time of day", "field.invalid", "fields.started_at", but(_talk, started_at="10:30")),
        _wrong("a day that there is not", "field.invalid", "fields.ended_at",
               but(_talk, ended_at="2026-02-30T10:00:00.000Z")),
        _wrong("a sort that there is not", "field.invalid", "fields.sort", but(_talk, sort="chat")),
        _wrong("an occasion in words", "field.invalid", "fields.occasion", but(_talk, occasion="新入所")),
        _wrong("no occasion", "field.missing", "fields.occasion", but(_talk, "occasion")),
        _wrong("a mood that nobody saw", "field.invalid", "fields.mood", but(_talk, mood=None)),
        _wrong("a mood that there is not", "field.invalid", "fields.mood", but(_talk, mood="normal")),
        _wrong("a talk about nothing", "field.invalid", "fields.topics", but(_talk, topics=[])),
        _wrong("a topic that there is not", "field.invalid", "fields.topics.1", but(_talk, topics=["case", "weather"])),
        _wrong("nothing said", "field.invalid", "fields.summary", but(_talk, summary="")),
        _wrong("officers by name", "field.invalid", "fields.participants.0", but(_talk, participants=["王"])),
        _wrong("no word on what follows", "field.missing", "fields.follow_up", but(_talk, "follow_up")),
        _wrong("a day that is over", "field.invalid", "fields.follow_up_on",
               lambda stage: _talk(stage) | {"follow_up_on": _talk(stage)["started_at"]}),
        _wrong("a day to come that there is not", "field.invalid", "fields.follow_up_on",
               but(_talk, follow_up_on="2027-02-30T10:00:00.000Z")),
        _wrong("all normal", "field.unknown", "fields.normal", but(_talk, normal=True)),
    ),
)  # fmt: skip

SAMPLES = (TALK,)
