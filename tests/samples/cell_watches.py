"""Cell watch: a night of p1 and p2 in C1, and a look at it by video."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headless.chain import rfc3339
from tests.samples import Doc, Fields, Sample, Stage, Wrong, but


def _turn(stage: Stage, since: int, until: int) -> dict[str, Any]:
    now = stage.terminal.clock.now()
    times = {"since": rfc3339(now + timedelta(hours=since)), "until": rfc3339(now + timedelta(hours=until))}
    return {**times, "persons": [stage.id("p1"), stage.id("p2")]}


def _set(stage: Stage) -> dict[str, Any]:
    night = _turn(stage, 0, 8)
    turns = [_turn(stage, 0, 4), _turn(stage, 4, 8)]
    return {
        "cell": stage.id("C1"), "since": night["since"], "until": night["until"], "turns": turns, "why": "routine",
        "note": None,
    }  # fmt: skip


def _change(stage: Stage) -> dict[str, Any]:
    return {"turns": [_turn(stage, -1, 9)], "why": "ill"}


def _with_least(_stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    return {**doc, **fields, "least": 2}


def _turns(**changes: Any) -> Fields:
    return lambda stage: _set(stage) | {"turns": [_turn(stage, 0, 8) | changes]}


def _refers(what: str, name: str, code: str, field: str | None) -> Wrong:
    return Wrong(what, "set", lambda stage: _set(stage) | {"cell": stage.id(name)}, code, field)


def _wrong(what: str, verb: str, code: str, field: str, fields: Fields) -> Wrong:
    return Wrong(what, verb, fields, code, f"fields.{field}")


CELL_WATCH = Sample(
    kind="cell_watch",
    writer="DISC",
    reader="PAT",
    outsider="PAT2",
    verbs={"set": _set, "change": _change},
    makes={"set": _with_least, "change": _with_least},
    apart=(lambda stage: {"turns": [_turn(stage, 0, 9)]}, lambda _: {"note": "另换铺位"}),
    against=(lambda _: {"why": "moved"}, lambda _: {"why": "unfit"}),
    wrong=(
        _refers("a watch in a ward", "W", "reference.unknown", "fields.cell"),
        _refers("a watch in nothing", "PAT", "operation.held", None),
        _wrong("a watch of no time", "set", "field.invalid", "until",
               lambda stage: _set(stage) | {"until": _set(stage)["since"]}),
        _wrong("a watch for a quarter", "set", "field.invalid", "until",
               lambda stage: _set(stage) | {"until": _turn(stage, 0, 90 * 24)["until"]}),
        _wrong("a turn that ends before it begins", "set", "field.invalid", "turns.0.until",
               _turns(until="2020-01-01T00:00:00.000Z")),
        _wrong("a turn by the clock", "set", "field.invalid", "turns.0.since", _turns(since="22:00")),
        _wrong("watchers by name", "set", "field.invalid", "turns.0.persons.0", _turns(persons=["张"])),
        _wrong("drawn up for no known reason", "change", "field.invalid", "why", but(_change, why="luck")),
        _wrong("another cell", "change", "field.unknown", "cell",
               lambda stage: _change(stage) | {"cell": stage.id("C2")}),
    ),
)  # fmt: skip


def _sample(stage: Stage) -> dict[str, Any]:
    return {
        "cell": stage.id("C1"), "means": "video", "seen_at": stage.now(), "watching": 2, "conduct": "attentive",
        "note": None,
    }  # fmt: skip


def _cell(what: str, name: str, code: str, field: str | None) -> Wrong:
    return Wrong(what, "record", lambda stage: _sample(stage) | {"cell": stage.id(name)}, code, field)


SAMPLE = Sample(
    kind="cell_watch.sample",
    writer="PAT",
    reader="DISC",
    outsider="PAT2",
    verbs={"record": _sample},
    wrong=(
        _cell("a look at a ward", "W", "reference.unknown", "fields.cell"),
        _cell("a look at nothing", "PAT", "operation.held", None),
        _wrong("a time of day", "record", "field.invalid", "seen_at", but(_sample, seen_at="23:10")),
        _wrong("a day that there is not", "record", "field.invalid", "seen_at",
               but(_sample, seen_at="2026-02-30T00:00:00.000Z")),
        _wrong("a watch in words", "record", "field.invalid", "watching", but(_sample, watching="two")),
        _wrong("all normal", "record", "field.invalid", "conduct", but(_sample, conduct="normal")),
        _wrong("something other and no note", "record", "field.missing", "note", but(_sample, conduct="other")),
    ),
)  # fmt: skip

SAMPLES = (CELL_WATCH, SAMPLE)
