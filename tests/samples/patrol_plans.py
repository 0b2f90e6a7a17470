"""Patrol plans: two windows of ward W, drawn by a leader by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from backend.kernel.clock import from_text, to_text
from headless.chain import rfc3339
from tests.samples import Doc, Fields, Sample, Stage, Wrong, but

MINUTE = 60_000
HOUR = 60 * MINUTE


def _at(stage: Stage, minutes: int) -> str:
    """So many minutes after the stage was set up, whatever has passed since."""
    return to_text(from_text(stage.began) + minutes * MINUTE)


def _window(stage: Stage, opens: int) -> dict[str, Any]:
    return {"opens_at": _at(stage, opens), "due_at": _at(stage, opens + 4), "rule": "P01"}


def _issue(stage: Stage) -> dict[str, Any]:
    windows = [_window(stage, 10), _window(stage, 25)]
    return {"place": stage.id("W"), "since": _at(stage, 0), "until": _at(stage, 720), "windows": windows}


def _issued(_stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return {**fields, "windows": [_fresh(each) for each in fields["windows"]]}


def _fresh(window: dict[str, Any]) -> dict[str, Any]:
    return {**window, "state": "open", "at": None, "missed": False}


def _redraw(stage: Stage) -> dict[str, Any]:
    return {"from_at": _at(stage, 15), "windows": [_window(stage, 20), _window(stage, 30)], "why": "risk"}


def _redrawn(_stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    return doc | {"windows": [doc["windows"][0], *map(_fresh, fields["windows"])]}


def _mark(stage: Stage) -> dict[str, Any]:
    kept = {"opens_at": _at(stage, 10), "state": "kept", "at": _at(stage, 13)}
    return {"windows": [kept, {"opens_at": _at(stage, 25), "state": "missed", "at": None}]}


def _marked(_stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    said = fields["windows"]
    pairs = zip(doc["windows"], said, strict=True)
    return doc | {"windows": [window | each | {"missed": each["state"] == "missed"} for window, each in pairs]}


def _with(valid: Fields, index: int, **changes: Any) -> Fields:
    """Valid fields with something else said of one window; a number is so many minutes after the beginning."""

    def fields(stage: Stage) -> dict[str, Any]:
        said = valid(stage)
        told = {name: _at(stage, each) if isinstance(each, int) else each for name, each in changes.items()}
        said["windows"][index] |= told
        return said

    return fields


def _until(minutes: int) -> Fields:
    return lambda stage: _issue(stage) | {"until": _at(stage, minutes)}


def _place(what: str, name: str, code: str, field: str | None) -> Wrong:
    return Wrong(what, "issue", lambda stage: _issue(stage) | {"place": stage.id(name)}, code, field)


def _invalid(what: str, verb: str, field: str, fields: Fields) -> Wrong:
    return Wrong(what, verb, fields, "field.invalid", f"fields.{field}")


def _long_ago(stage: Stage) -> dict[str, Any]:
    then = rfc3339(stage.terminal.clock.now() - timedelta(days=9))
    return _mark(stage) | {"windows": [{"opens_at": then, "state": "kept", "at": then}]}


PLAN = Sample(
    kind="patrol.plan",
    writer="LEAD",
    reader="PAT",
    outsider="PAT2",
    verbs={"issue": _issue, "redraw": _redraw, "mark": _mark},
    stories=(("issue", "redraw"), ("issue", "mark")),
    makes={"issue": _issued, "redraw": _redrawn, "mark": _marked},
    passes={"mark": HOUR},
    wrong=(
        _place("a plan of a cell", "C1", "reference.unknown", "fields.place"),
        _place("a plan of a person", "p1", "reference.unknown", "fields.place"),
        _place("a plan of nothing", "PAT", "operation.held", None),
        _invalid("a plan that ends before it begins", "issue", "until", _until(-1)),
        _invalid("a plan of three days", "issue", "until", _until(3 * 1440)),
        _invalid("a window after the plan's end", "issue", "windows.1.due_at", _until(26)),
        _invalid("windows in each other", "issue", "windows.1.opens_at", _with(_issue, 1, opens_at=12)),
        _invalid("a window that is due before it opens", "issue", "windows.0.due_at", _with(_issue, 0, due_at=9)),
        _invalid("a time of day", "issue", "windows.0.opens_at", _with(_issue, 0, opens_at="08:00")),
        _invalid("a day that there is not", "issue", "windows.0.opens_at",
                 _with(_issue, 0, opens_at="2026-02-30T00:00:00.000Z")),
        Wrong("a window for no reason", "issue",
              lambda stage: _issue(stage) | {"windows": [{"opens_at": _at(stage, 1), "due_at": _at(stage, 2)}]},
              "field.missing", "fields.windows.0.rule"),
        Wrong("no windows named", "issue", but(_issue, "windows"), "field.missing", "fields.windows"),
        _invalid("drawn anew from a time of day", "redraw", "from_at", but(_redraw, from_at="08:00")),
        _invalid("drawn anew for no known reason", "redraw", "why", but(_redraw, why="luck")),
        _invalid("a new window in one that stays", "redraw", "windows.0.opens_at",
                 lambda stage: _with(_redraw, 0, opens_at=12)(stage) | {"from_at": _at(stage, 11)}),
        _invalid("a window that nobody drew", "mark", "windows.0.opens_at", _long_ago),
        _invalid("a window that is called open", "mark", "windows.0.state", _with(_mark, 0, state="open")),
        _invalid("kept at no time", "mark", "windows.0.at", _with(_mark, 0, at=None)),
        _invalid("missed at a time", "mark", "windows.1.at", _with(_mark, 1, at=27)),
        _invalid("a window that is missed before it is due", "mark", "windows.1.state", _mark),
        _invalid("nothing marked", "mark", "windows", but(_mark, windows=[])),
    ),
)  # fmt: skip

SAMPLES = (PLAN,)
