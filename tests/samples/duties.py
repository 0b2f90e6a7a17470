"""Duties: a talk with p1 that a leader asks of the cell officers of ward W within the hour."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headless.chain import rfc3339
from tests.samples import Doc, Effect, Sample, Stage, Wrong, but

WINDOW = timedelta(hours=1)
LEADERS = frozenset({"LEAD", "DIR"})


def _issue(stage: Stage) -> dict[str, Any]:
    now = stage.terminal.clock.now()
    return {
        "rule": "T03",
        "directive": None,
        "source": "2018 年指导意见",
        "cause": None,
        "posts": ["DISC", "LEAD"],
        "officer": None,
        "person": stage.id("p1"),
        "place": stage.id("C1"),
        "opens_at": rfc3339(now),
        "due_at": rfc3339(now + WINDOW),
    }


def _complete(_stage: Stage) -> dict[str, Any]:
    return {"result": "已谈话，情绪平稳", "record": None}


def _explain(_stage: Stage) -> dict[str, Any]:
    return {"why": "court", "note": None}


def _delegate(stage: Stage) -> dict[str, Any]:
    return {"posts": ["DISC", "LEAD"], "officer": stage.id("LEAD"), "reason": "管教外出押解"}


def _cancel(_stage: Stage) -> dict[str, Any]:
    return {"reason": "已出所"}


def _issued(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return {**fields, "state": "issued", "steps": [_step(stage, "issued", {})]}


def _step(stage: Stage, step: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"step": step, "at": stage.now(), "by": stage.officer(), **fields}


def _moves(step: str, to: str | None, *taken: str) -> Effect:
    def made(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
        steps = [*doc["steps"], _step(stage, step, fields)]
        return doc | {name: fields[name] for name in taken} | {"state": to or doc["state"], "steps": steps}

    return made


def _refers(what: str, field: str, name: str) -> Wrong:
    return Wrong(
        what, "issue", lambda stage: _issue(stage) | {field: stage.id(name)}, "reference.unknown", f"fields.{field}"
    )


def _closed_before(stage: Stage) -> dict[str, Any]:
    said = _issue(stage)
    return said | {"opens_at": said["due_at"], "due_at": said["opens_at"]}


DUTY = Sample(
    kind="duty",
    writer="LEAD",
    reader="DISC",
    outsider="PAT2",
    verbs={
        "issue": _issue,
        "acknowledge": lambda _: {},
        "complete": _complete,
        "miss": lambda _: {},
        "explain": _explain,
        "delegate": _delegate,
        "cancel": _cancel,
    },
    stories=(
        ("issue", "acknowledge", "complete"),
        ("issue", "delegate", "complete"),
        ("issue", "miss", "explain", "complete"),
        ("issue", "cancel"),
    ),
    makes={
        "issue": _issued,
        "acknowledge": _moves("acknowledged", "acknowledged"),
        "complete": _moves("completed", "completed"),
        "miss": _moves("missed", "missed"),
        "explain": _moves("explained", None),
        "delegate": _moves("delegated", "issued", "posts", "officer"),
        "cancel": _moves("cancelled", "cancelled"),
    },
    passes={"miss": int(WINDOW.total_seconds() * 1000) + 1},
    posts={
        "issue": LEADERS, "acknowledge": frozenset({"DISC", "LEAD"}), "miss": LEADERS, "explain": LEADERS,
        "delegate": LEADERS | {"DISC"}, "cancel": LEADERS,
    },
    rivals=(
        ("complete", "complete"), ("acknowledge", "complete"), ("complete", "cancel"), ("delegate", "acknowledge"),
    ),
    wrong=(
        Wrong("neither rule nor directive", "issue", but(_issue, rule=None), "field.missing", "fields.directive"),
        Wrong("of nobody and nothing", "issue", but(_issue, person=None, place=None), "field.missing", "fields.place"),
        Wrong("asked of no post", "issue", but(_issue, posts=[]), "field.invalid", "fields.posts"),
        Wrong("asked of an auditor", "issue", but(_issue, posts=["AUD"]), "field.invalid", "fields.posts.0"),
        Wrong("due before it opens", "issue", _closed_before, "field.invalid", "fields.due_at"),
        Wrong("due some time", "issue", but(_issue, due_at=None), "field.invalid", "fields.due_at"),
        Wrong("due on a day that there is not", "issue", but(_issue, due_at="2026-02-30T00:00:00.000Z"),
              "field.invalid", "fields.due_at"),
        Wrong("no word on the officer", "issue", but(_issue, "officer"), "field.missing", "fields.officer"),
        _refers("about a place as a person", "person", "C1"),
        _refers("in a person", "place", "p1"),
        Wrong("for a cause that there is not", "issue", lambda stage: _issue(stage) | {"cause": stage.id("PAT")},
              "operation.held", None),
        Wrong("seen, with words", "acknowledge", lambda _: {"note": "收到"}, "field.unknown", "fields.note"),
        Wrong("nothing done", "complete", but(_complete, result=""), "field.invalid", "fields.result"),
        Wrong("a record that there is not", "complete", lambda stage: _complete(stage) | {"record": stage.id("PAT")},
              "operation.held", None),
        Wrong("missed, and why", "miss", lambda _: {"why": "court"}, "field.unknown", "fields.why"),
        Wrong("a reason that there is not", "explain", but(_explain, why="laziness"), "field.invalid", "fields.why"),
        Wrong("another reason and no note", "explain", but(_explain, why="other"), "field.missing", "fields.note"),
        Wrong("handed on to no post", "delegate", but(_delegate, posts=[]), "field.invalid", "fields.posts"),
        Wrong("handed on for no reason", "delegate", but(_delegate, "reason"), "field.missing", "fields.reason"),
        Wrong("called off for no reason", "cancel", lambda _: {}, "field.missing", "fields.reason"),
    ),
)  # fmt: skip

SAMPLES = (DUTY,)
