"""Complaints: p1 accuses the patrol officer of ward W; the desk takes it and forwards it to the procuratorate."""

from __future__ import annotations

from typing import Any

from tests.samples import Doc, Effect, Sample, Stage, Wrong, but

LEADERS = frozenset({"LEAD", "DIR"})


def _receive(stage: Stage) -> dict[str, Any]:
    return {
        "person": stage.id("p1"),
        "by": "person",
        "sort": "accusation",
        "addressed_to": "procuratorate",
        "sealed": False,
        "words": "夜间巡视时言语侮辱 𠮷",
        "against": [stage.id("PAT")],
        "received_at": stage.began,
    }


def _name(stage: Stage) -> dict[str, Any]:
    return {"against": [stage.id("AUX")]}


def _forward(stage: Stage) -> dict[str, Any]:
    return {"to": "procuratorate", "forwarded_at": stage.now(), "document": "转〔2026〕3号", "unopened": False}


def _answer(stage: Stage) -> dict[str, Any]:
    return {
        "organ": "procuratorate", "result": "partly", "answered_at": stage.now(), "told_at": stage.now(),
        "answer": "已约谈并责令道歉",
    }  # fmt: skip


def _step(stage: Stage, step: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"step": step, "at": stage.now(), "by": stage.officer(), **fields}


def _received(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return {**fields, "state": "received", "steps": [_step(stage, "received", {})]}


def _named(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    steps = [*doc["steps"], _step(stage, "named", fields)]
    return doc | {"against": doc["against"] + fields["against"], "steps": steps}


def _moves(step: str) -> Effect:
    def made(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
        return doc | {"state": step, "steps": [*doc["steps"], _step(stage, step, fields)]}

    return made


COMPLAINT = Sample(
    kind="complaint",
    writer="LEAD",
    reader="PROC",
    outsider="PAT",
    verbs={
        "receive": _receive, "name": _name, "forward": _forward, "answer": _answer,
        "close": lambda _: {"note": None},
    },
    stories=(("receive", "name", "forward", "answer"), ("receive", "answer", "close"), ("receive", "forward", "forward")),
    leaves=frozenset({"close"}),
    makes={
        "receive": _received, "name": _named, "forward": _moves("forwarded"), "answer": _moves("answered"),
        "close": _moves("closed"),
    },
    posts={"close": LEADERS},
    rivals=(("forward", "answer"), ("name", "forward")),
    wrong=(
        Wrong("of a place", "receive", lambda s: _receive(s) | {"person": s.id("C1")}, "reference.unknown",
              "fields.person"),
        Wrong("of somebody who is not known yet", "receive", lambda s: _receive(s) | {"person": s.id("PAT")},
              "operation.held", None),
        Wrong("taken by whom it is about", "receive", lambda s: _receive(s) | {"against": [s.officer()]}, "rule.forbids",
              "fields.against"),
        Wrong("sealed, and read", "receive", but(_receive, sealed=True), "field.invalid", "fields.words"),
        Wrong("open, and nothing in it", "receive", but(_receive, words=None), "field.missing", "fields.words"),
        Wrong("no word whether it was open", "receive", but(_receive, "sealed"), "field.missing", "fields.sealed"),
        Wrong("against a name", "receive", but(_receive, against=["王某"]), "field.invalid", "fields.against.0"),
        Wrong("on a day that there is not", "receive", but(_receive, received_at="2026-02-30T10:00:00.000Z"),
              "field.invalid", "fields.received_at"),
        Wrong("nobody named", "name", but(_name, against=[]), "field.invalid", "fields.against"),
        Wrong("himself", "name", lambda s: {"against": [s.officer()]}, "rule.forbids", "fields.against"),
        Wrong("to nobody", "forward", but(_forward, to=None), "field.invalid", "fields.to"),
        Wrong("before it came", "forward", but(_forward, forwarded_at="2026-01-01T00:00:00.000Z"), "field.invalid",
              "fields.forwarded_at"),
        Wrong("no word whether it was opened", "forward", but(_forward, "unopened"), "field.missing", "fields.unopened"),
        Wrong("an empty answer", "answer", but(_answer, answer=""), "field.invalid", "fields.answer"),
        Wrong("told on a day that there is not", "answer", but(_answer, told_at="2026-02-30T10:00:00.000Z"),
              "field.invalid", "fields.told_at"),
        Wrong("an empty note", "close", lambda _: {"note": ""}, "field.invalid", "fields.note"),
    ),
)  # fmt: skip

SAMPLES = (COMPLAINT,)
