"""Movements: p1 is taken to court under escort, tells are made on the way, and he comes back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headless.chain import rfc3339
from headless.patrol import BY_SESSION
from tests.samples import Doc, Effect, Sample, Stage, Wrong, but

NO_DAY = "2026-02-30T00:00:00.000Z"
GATE = frozenset({"INT", "LEAD", "DIR"})


def _change(stage: Stage) -> dict[str, Any]:
    now = stage.terminal.clock.now()
    return {
        "sort": "court",
        "destination": "市中级人民法院第三法庭",
        "leaves_at": rfc3339(now + timedelta(hours=1)),
        "returns_by": rfc3339(now + timedelta(hours=6)),
        "crew": [stage.id("PAT"), stage.id("DISC")],
        "restraint": "handcuffs",
        "vehicle": None,
    }


def plan(stage: Stage) -> dict[str, Any]:
    """To court with p1 in an hour."""
    return _change(stage) | {"person": stage.id("p1")}


def _clear(_stage: Stage) -> dict[str, Any]:
    return {"approval": None, "code": None, "document": "提押票〔2026〕3号"}


def _leave(stage: Stage) -> dict[str, Any]:
    return {"crew": [stage.id("PAT"), stage.id("DISC")], "restraint": "handcuffs"}


def _return(_stage: Stage) -> dict[str, Any]:
    return {"condition": "well", "searched": True, "note": None}


def _step(stage: Stage, step: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"step": step, "at": stage.now(), "by": stage.officer(), **fields}


def _planned(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    steps = [_step(stage, "planned", {})]
    return {"plan": fields, "approval": None, "document": None, "state": "planned", "steps": steps}


def _moves(step: str, state: str, *taken: str) -> Effect:
    def made(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
        changes = {name: fields[name] for name in taken}
        return doc | changes | {"state": state, "steps": [*doc["steps"], _step(stage, step, fields)]}

    return made


def _amended(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    return _moves("amended", "planned")(stage, doc | {"plan": doc["plan"] | fields}, fields)


MOVEMENT = Sample(
    kind="movement",
    writer="INT",
    reader="PAT",
    outsider="PAT2",
    verbs={
        "plan": plan, "amend": _change, "clear": _clear, "leave": _leave, "return": _return,
        "cancel": lambda _: {"reason": "延期开庭"},
    },
    stories=(("plan", "amend", "clear", "leave", "return"), ("plan", "cancel")),
    makes={
        "plan": _planned,
        "amend": _amended,
        "clear": _moves("cleared", "cleared", "approval", "document"),
        "leave": _moves("away", "away"),
        "return": _moves("returned", "returned"),
        "cancel": _moves("cancelled", "cancelled"),
    },
    posts={"clear": GATE},
    rivals=(("amend", "clear"), ("clear", "leave"), ("leave", "cancel"), ("return", "return")),
    wrong=(
        Wrong("with an escort of one", "plan", lambda stage: plan(stage) | {"crew": [stage.id("PAT")]},
              "rule.forbids", "fields.crew"),
        Wrong("with one officer named twice", "plan", lambda stage: plan(stage) | {"crew": [stage.id("PAT")] * 2},
              "rule.forbids", "fields.crew"),
        Wrong("with nobody", "plan", but(plan, crew=[]), "field.invalid", "fields.crew"),
        Wrong("with a cell", "plan", lambda stage: plan(stage) | {"person": stage.id("C1")}, "reference.unknown",
              "fields.person"),
        Wrong("for an outing", "plan", but(plan, sort="outing"), "field.invalid", "fields.sort"),
        Wrong("on a day that there is not", "plan", but(plan, leaves_at=NO_DAY), "field.invalid", "fields.leaves_at"),
        Wrong("back before he leaves", "plan", but(plan, returns_by="2020-01-01T00:00:00.000Z"), "field.invalid",
              "fields.returns_by"),
        Wrong("with another person", "amend", lambda stage: _change(stage) | {"person": stage.id("p2")},
              "field.unknown", "fields.person"),
        Wrong("changed to an escort of one", "amend", lambda stage: _change(stage) | {"crew": [stage.id("PAT")]},
              "rule.forbids", "fields.crew"),
        Wrong("cleared without a document", "clear", but(_clear, document=None), "field.missing", "fields.document"),
        Wrong("cleared by a code of four", "clear", but(_clear, code="ABCD"), "field.invalid", "fields.code"),
        Wrong("restrained by what there must not be", "leave", but(_leave, restraint="double_cuffs"),
              "field.invalid", "fields.restraint"),
        Wrong("left with nobody", "leave", but(_leave, crew=[]), "field.invalid", "fields.crew"),
        Wrong("back injured, and not a word", "return", but(_return, condition="injured"), "field.missing",
              "fields.note"),
        Wrong("searched perhaps", "return", but(_return, searched="yes"), "field.invalid", "fields.searched"),
        Wrong("called off for no reason", "cancel", lambda _: {}, "field.missing", "fields.reason"),
    ),
)  # fmt: skip


def _away(stage: Stage) -> None:
    stage.first("movement", "movement", "plan", plan(stage))
    for base, (verb, state, fields) in enumerate(
        (("clear", "planned", _clear(stage)), ("leave", "cleared", _leave(stage))), 1
    ):
        op = stage.terminal.capture(
            "movement", verb, stage.id("movement"), fields, base=base, seen={"state": state}, signoff=BY_SESSION
        )
        stage.needed.append(op)


def _check(stage: Stage) -> dict[str, Any]:
    return {"movement": stage.id("movement"), "awake": True, "condition": "steady", "note": None}


def _checked(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return fields | {"person": stage.id("p1"), "sort": "court"}


CHECK = Sample(
    kind="movement.check",
    writer="INT",
    reader="PAT",
    outsider="PAT2",
    first=_away,
    verbs={"record": _check},
    makes={"record": _checked},
    wrong=(
        Wrong("of a person", "record", lambda stage: _check(stage) | {"movement": stage.id("p1")},
              "reference.unknown", "fields.movement"),
        Wrong("of nothing yet", "record", lambda stage: _check(stage) | {"movement": stage.id("PAT")},
              "operation.held", None),
        Wrong("worse, and not a word", "record", but(_check, condition="worse"), "field.missing", "fields.note"),
        Wrong("awake perhaps", "record", but(_check, awake=1), "field.invalid", "fields.awake"),
        Wrong("of no condition", "record", but(_check, "condition"), "field.missing", "fields.condition"),
    ),
)  # fmt: skip

SAMPLES = (MOVEMENT, CHECK)
