"""Incidents: a fire in cell C1, of which those lodged there are evacuated and counted."""

from __future__ import annotations

from typing import Any

from backend.domain.plans import checklist
from tests.samples import Doc, Effect, Sample, Stage, Wrong, but


def _open(stage: Stage) -> dict[str, Any]:
    return {
        "type": "fire", "severity": "urgent", "person": None, "place": stage.id("C1"), "cause": None,
        "text": "室内冒烟",
    }  # fmt: skip


def _amend(_stage: Stage) -> dict[str, Any]:
    return {"severity": "important", "summary": "仅有烟，无明火"}


def _retype(_stage: Stage) -> dict[str, Any]:
    return {"type": "failure"}


def _assign(stage: Stage) -> dict[str, Any]:
    return {"role": "evacuation", "officers": [stage.id("PAT"), stage.id("AUX")]}


def _do(_stage: Stage) -> dict[str, Any]:
    return {"item": "alarm", "note": None}


def _note(_stage: Stage) -> dict[str, Any]:
    return {"text": "明火已扑灭"}


def _evacuate(stage: Stage) -> dict[str, Any]:
    return {"cells": [stage.id("C1")]}


def _count(stage: Stage) -> dict[str, Any]:
    return {"cell": stage.id("C1"), "counted": 1, "elsewhere": 1, "note": "一人在外就医"}


def _close(_stage: Stage) -> dict[str, Any]:
    return {"report": "线路老化，已断电更换", "undone": "未动用武警"}


def _entry(stage: Stage, what: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"what": what, "at": stage.now(), "officer": stage.officer(), **fields}


def _opened(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return fields | {
        "state": "open", "opened": {"at": stage.now(), "officer": stage.officer()},
        "plan": dict.fromkeys(checklist("fire")), "roles": {}, "cells": {}, "timeline": [_entry(stage, "opened", {})],
    }  # fmt: skip


def _retyped(_stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    done = {item: how for item, how in doc["plan"].items() if how}
    return fields | {"plan": dict.fromkeys(checklist("failure")) | done}


def _with(what: str, changes: Effect) -> Effect:
    return lambda stage, doc, fields: (
        doc | changes(stage, doc, fields) | {"timeline": [*doc["timeline"], _entry(stage, what, fields)]}
    )


def _closed(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    closed = {"at": stage.now(), "officer": stage.officer(), **fields}
    return doc | {"state": "closed", "closed": closed, "timeline": [*doc["timeline"], _entry(stage, "closed", {})]}


def _cells(counted: int | None, elsewhere: int | None) -> Effect:
    cell = {"lodged": 2, "counted": counted, "elsewhere": elsewhere}
    return lambda stage, _doc, _fields: {"cells": {stage.id("C1"): cell}}


def _ticked(stage: Stage, doc: Doc, _fields: dict[str, Any]) -> Doc:
    return {"plan": doc["plan"] | {"alarm": {"at": stage.now(), "officer": stage.officer()}}}


def _refers(what: str, field: str, name: str) -> Wrong:
    return Wrong(
        what, "open", lambda stage: _open(stage) | {field: stage.id(name)}, "reference.unknown", f"fields.{field}"
    )


INCIDENT = Sample(
    kind="incident",
    writer="LEAD",
    reader="PAT",
    outsider="PAT2",
    verbs={
        "open": _open, "amend": _amend, "retype": _retype, "assign": _assign, "do": _do, "note": _note, "evacuate": _evacuate,
        "count": _count, "close": _close,
    },
    stories=(
        ("open", "assign", "do", "evacuate", "note", "count", "close"),
        ("open", "do", "amend", "retype", "note"),
    ),
    makes={
        "open": _opened, "retype": _with("retyped", _retyped), "do": _with("done", _ticked),
        "note": _with("note", lambda *_: {}),
        "assign": _with("assigned", lambda _s, doc, fields: {"roles": doc["roles"] | {fields["role"]: fields["officers"]}}),
        "evacuate": _with("evacuated", _cells(None, None)), "count": _with("counted", _cells(1, 1)), "close": _closed,
    },
    posts={verb: frozenset({"LEAD", "DIR"}) for verb in ("retype", "assign", "evacuate", "close")},
    apart=(lambda _: {"severity": "important"}, lambda _: {"summary": "甲"}),
    against=(lambda _: {"summary": "甲"}, lambda _: {"summary": "乙"}),
    strict=lambda _: {"severity": "ordinary"},
    rivals=(("assign", "assign"), ("retype", "retype"), ("close", "close")),
    wrong=(
        Wrong("nowhere and nobody", "open", but(_open, place=None), "field.missing", "fields.place"),
        Wrong("a type that there is not", "open", but(_open, type="weather"), "field.invalid", "fields.type"),
        Wrong("nothing told", "open", but(_open, text=""), "field.invalid", "fields.text"),
        _refers("at a person", "place", "p1"),
        _refers("of a place", "person", "C1"),
        Wrong("a plan by hand", "amend", but(_amend, plan={}), "field.unknown", "fields.plan"),
        Wrong("a type by an edit", "amend", but(_amend, type="other"), "field.unknown", "fields.type"),
        Wrong("turned into nothing", "retype", but(_retype, type=None), "field.invalid", "fields.type"),
        Wrong("a part that there is not", "assign", but(_assign, role="hero"), "field.invalid", "fields.role"),
        Wrong("a step that there is not", "do", but(_do, item="pray"), "field.invalid", "fields.item"),
        Wrong("an empty note", "note", but(_note, text=""), "field.invalid", "fields.text"),
        Wrong("a ward as a cell", "evacuate", lambda stage: {"cells": [stage.id("W")]}, "reference.unknown",
              "fields.cells.0"),
        Wrong("no cells", "evacuate", but(_evacuate, cells=[]), "field.invalid", "fields.cells"),
        Wrong("a checkpoint counted", "count", lambda stage: _count(stage) | {"cell": stage.id("K")},
              "reference.unknown", "fields.cell"),
        Wrong("fewer than nobody", "count", but(_count, counted=-1), "field.invalid", "fields.counted"),
        Wrong("steps left out for no reason", "close", but(_close, undone=None), "field.missing", "fields.undone"),
        Wrong("no report", "close", but(_close, "report"), "field.missing", "fields.report"),
    ),
)  # fmt: skip

SAMPLES = (INCIDENT,)
