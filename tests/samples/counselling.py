"""Counselling: p1 is referred by the cell officer of ward W, and a leader answers for the counsellor."""

from __future__ import annotations

from typing import Any

from tests.samples import Doc, Sample, Stage, Wrong, but


def _refer(stage: Stage) -> dict[str, Any]:
    return {
        "person": stage.id("p1"),
        "urgency": "urgent",
        "grounds": ["sleep", "sentence"],
        "words": "接到判决后连续三日失眠 𠮷",
        "cause": stage.id("p2"),
    }


def _answer(stage: Stage) -> dict[str, Any]:
    return {"result": "continued", "seen_at": stage.now(), "advice": "每周疏导一次，夜间加强观察"}


def _referred(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return {**fields, "state": "referred", "referred": {"at": stage.now(), "officer": stage.officer()}}


def _answered(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    return doc | {"state": "answered", "answered": {"at": stage.now(), "officer": stage.officer(), **fields}}


COUNSELLING = Sample(
    kind="counselling",
    writer="DISC",
    reader="LEAD",
    outsider="PAT",
    verbs={"refer": _refer, "answer": _answer},
    stories=(("refer",), ("refer", "answer")),
    makes={"refer": _referred, "answer": _answered},
    rivals=(("answer", "answer"),),
    wrong=(
        Wrong("a place", "refer", lambda stage: _refer(stage) | {"person": stage.id("C1")}, "reference.unknown",
              "fields.person"),
        Wrong("a person that there is not", "refer", lambda stage: _refer(stage) | {"person": stage.id("PAT")},
              "operation.held", None),
        Wrong("a cause that there is not", "refer", lambda stage: _refer(stage) | {"cause": stage.id("PAT")},
              "operation.held", None),
        Wrong("for no reason", "refer", but(_refer, grounds=[]), "field.invalid", "fields.grounds"),
        Wrong("a reason in words", "refer", but(_refer, grounds=["失眠"]), "field.invalid", "fields.grounds.0"),
        Wrong("nothing told", "refer", but(_refer, words=""), "field.invalid", "fields.words"),
        Wrong("no urgency", "refer", but(_refer, "urgency"), "field.missing", "fields.urgency"),
        Wrong("answered unseen", "answer", but(_answer, seen_at=None), "field.missing", "fields.seen_at"),
        Wrong("seen on a day that there is not", "answer", but(_answer, seen_at="2026-02-30T10:00:00.000Z"),
              "field.invalid", "fields.seen_at"),
        Wrong("a mood score", "answer", but(_answer, score=3), "field.unknown", "fields.score"),
        Wrong("no advice", "answer", but(_answer, advice=""), "field.invalid", "fields.advice"),
    ),
)  # fmt: skip

SAMPLES = (COUNSELLING,)
