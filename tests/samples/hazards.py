"""Hazards: a hanging point in cell C1, put right by the cell officer and verified by a leader."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headless.chain import rfc3339
from tests.samples import Doc, Effect, Sample, Stage, Wrong, but

DAY = timedelta(days=1)


def _later(stage: Stage) -> str:
    return rfc3339(stage.terminal.clock.now() + DAY)


def _find(stage: Stage) -> dict[str, Any]:
    return {
        "place": stage.id("C1"), "sort": "hanging_point", "severity": "important", "text": "窗栏可系绳",
        "rectify_by": None,
    }  # fmt: skip


def _assign(stage: Stage) -> dict[str, Any]:
    return {"posts": ["DISC"], "officer": stage.id("DISC"), "rectify_by": _later(stage)}


def _rectify(_stage: Stage) -> dict[str, Any]:
    return {"measures": "加装密网"}


def _verify(_stage: Stage) -> dict[str, Any]:
    return {"passed": True, "note": None}


def _said(stage: Stage, fields: dict[str, Any]) -> dict[str, Any]:
    return {"at": stage.now(), "officer": stage.officer(), **fields}


def _found(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return {**fields, "posts": [], "officer": None, "state": "found", "found": _said(stage, {})}


def _moves(state: str) -> Effect:
    return lambda stage, doc, fields: doc | {"state": state, state: _said(stage, fields)}


HAZARD = Sample(
    kind="hazard",
    writer="LEAD",
    reader="PAT",
    outsider="PAT2",
    verbs={"find": _find, "assign": _assign, "rectify": _rectify, "verify": _verify},
    by={"rectify": "DISC"},
    makes={"find": _found, "rectify": _moves("rectified"), "verify": _moves("verified")},
    posts={verb: frozenset({"LEAD", "DIR"}) for verb in ("assign", "verify")},
    rivals=(("rectify", "rectify"), ("verify", "verify")),
    wrong=(
        Wrong("a sort that there is not", "find", but(_find, sort="ghost"), "field.invalid", "fields.sort"),
        Wrong("found at a person", "find", lambda stage: _find(stage) | {"place": stage.id("p1")},
              "reference.unknown", "fields.place"),
        Wrong("found at no place", "find", but(_find, place=None), "field.invalid", "fields.place"),
        Wrong("to be put right before it was found", "find", but(_find, rectify_by="2020-01-01T00:00:00.000Z"),
              "field.invalid", "fields.rectify_by"),
        Wrong("a day that there is not", "assign", but(_assign, rectify_by="2027-02-30T00:00:00.000Z"),
              "field.invalid", "fields.rectify_by"),
        Wrong("nobody's", "assign", but(_assign, posts=[]), "field.invalid", "fields.posts"),
        Wrong("nothing done", "rectify", but(_rectify, measures=""), "field.invalid", "fields.measures"),
        Wrong("not right for no reason", "verify", but(_verify, passed=False), "field.missing", "fields.note"),
        Wrong("neither right nor wrong", "verify", but(_verify, passed=None), "field.invalid", "fields.passed"),
    ),
)  # fmt: skip

SAMPLES = (HAZARD,)
