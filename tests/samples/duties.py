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
        "asks": {"zh": "会见律师后二十四小时内谈话", "en": "a talk within 24 hours of a lawyer's visit"},
        "source": "2018 年指导意见",
        "cause": None,
        "posts": ["DISC", "LEAD"],
        "officer": None,
        "person": stage.id("p1"),
        "place": stage.id("C1"),
        "opens_at": rfc3339(now),
        "due_at": rfc3339(now + WINDOW),
        "loud": True,
        "warn_at": rfc3339(now + WINDOW / 2),
        "chain": [{"at": rfc3339(now + 2 * WINDOW), "posts": ["LEAD"]}],
    }


def _complete(_stage: Stage) -> dict[str, Any]:
    return {"result": "已谈话，情绪平稳", "record": None}


def _explain(_stage: Stage) -> dict[str, Any]:
    return {"why": "court", "note": None}


def _snooze(stage: Stage) -> dict[str, Any]:
    return {"until": stage.began}


def _snoozed(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    return {**doc, "snoozed_until": fields["until"], "steps": [*doc["steps"], _step(stage, "snoozed", fields)]}


def _escalate(_stage: Stage) -> dict[str, Any]:
    return {"posts": ["LEAD"], "level": 1}


def _deliver(stage: Stage) -> dict[str, Any]:
    return {"terminal": stage.terminal.identity.terminal, "officer": stage.id("DISC")}


def _delegate(stage: Stage) -> dict[str, Any]:
    return {"posts": ["DISC", "LEAD"], "officer": stage.id("LEAD"), "reason": "管教外出押解"}


def _cancel(_stage: Stage) -> dict[str, Any]:
    return {"reason": "已出所"}


def _issued(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    beside = {"state": "issued", "level": 0, "raised": [], "snoozed_until": None}
    return {**fields, **beside, "steps": [_step(stage, "issued", {})]}


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


def _later(stage: Stage) -> str:
    return rfc3339(stage.terminal.clock.now() + 2 * WINDOW)


def _chained_back(stage: Stage) -> dict[str, Any]:
    said = _issue(stage)
    return said | {"chain": [*said["chain"], {"at": said["due_at"], "posts": ["DIR"]}]}


DUTY = Sample(
    kind="duty",
    writer="LEAD",
    reader="DISC",
    outsider="PAT2",
    verbs={
        "issue": _issue,
        "acknowledge": lambda _: {},
        "complete": _complete,
        "snooze": _snooze,
        "miss": lambda _: {},
        "explain": _explain,
        "delegate": _delegate,
        "cancel": _cancel,
        "deliver": _deliver,
        "remind": lambda _: {},
        "escalate": _escalate,
        "unconfirm": lambda _: {},
        "fulfil": lambda stage: {"record": stage.id("p1")},
    },
    stories=(
        ("issue", "snooze", "acknowledge", "complete"),
        ("issue", "delegate", "complete"),
        ("issue", "miss", "explain", "complete"),
        ("issue", "cancel"),
    ),
    makes={
        "issue": _issued,
        "acknowledge": _moves("acknowledged", "acknowledged"),
        "complete": _moves("completed", "completed"),
        "snooze": _snoozed,
        "miss": _moves("missed", "missed"),
        "explain": _moves("explained", None),
        "delegate": _moves("delegated", "issued", "posts", "officer"),
        "cancel": _moves("cancelled", "cancelled"),
    },
    passes={"miss": int(WINDOW.total_seconds() * 1000) + 1},
    posts={
        "issue": LEADERS, "acknowledge": frozenset({"DISC", "LEAD"}), "miss": LEADERS, "explain": LEADERS,
        "delegate": LEADERS | {"DISC"}, "cancel": LEADERS, "snooze": frozenset({"DISC", "LEAD"}),
    },
    rivals=(("complete", "cancel"), ("acknowledge", "delegate"), ("delegate", "acknowledge"), ("cancel", "delegate")),
    wrong=(
        Wrong("neither rule nor directive", "issue", but(_issue, rule=None), "field.missing", "fields.directive"),
        Wrong("asked of no post", "issue", but(_issue, posts=[]), "field.invalid", "fields.posts"),
        Wrong("asked of an auditor", "issue", but(_issue, posts=["AUD"]), "field.invalid", "fields.posts.0"),
        Wrong("due before it opens", "issue", _closed_before, "field.invalid", "fields.due_at"),
        Wrong("due some time", "issue", but(_issue, due_at=None), "field.invalid", "fields.due_at"),
        Wrong("due on a day that there is not", "issue", but(_issue, due_at="2026-02-30T00:00:00.000Z"),
              "field.invalid", "fields.due_at"),
        Wrong("reminded of after it is due", "issue", lambda stage: _issue(stage) | {"warn_at": _later(stage)},
              "field.invalid", "fields.warn_at"),
        Wrong("a chain that runs back", "issue", _chained_back, "field.invalid", "fields.chain"),
        Wrong("rings, says a number", "issue", but(_issue, loud=1), "field.invalid", "fields.loud"),
        Wrong("asks in one language", "issue", but(_issue, asks={"zh": "谈话"}), "field.missing", "fields.asks.en"),
        Wrong("no word on the officer", "issue", but(_issue, "officer"), "field.missing", "fields.officer"),
        _refers("about a place as a person", "person", "C1"),
        _refers("in a person", "place", "p1"),
        Wrong("for a cause that there is not", "issue", lambda stage: _issue(stage) | {"cause": stage.id("PAT")},
              "operation.held", None),
        Wrong("seen, with words", "acknowledge", lambda _: {"note": "收到"}, "field.unknown", "fields.note"),
        Wrong("nothing done", "complete", but(_complete, result=""), "field.invalid", "fields.result"),
        Wrong("a record that there is not", "complete", lambda stage: _complete(stage) | {"record": stage.id("PAT")},
              "operation.held", None),
        Wrong("snoozed past its time", "snooze", lambda stage: {"until": _later(stage)}, "field.invalid", "fields.until"),
        Wrong("missed, and why", "miss", lambda _: {"why": "court"}, "field.unknown", "fields.why"),
        Wrong("a reason that there is not", "explain", but(_explain, why="laziness"), "field.invalid", "fields.why"),
        Wrong("another reason and no note", "explain", but(_explain, why="other"), "field.missing", "fields.note"),
        Wrong("handed on to no post", "delegate", but(_delegate, posts=[]), "field.invalid", "fields.posts"),
        Wrong("handed on for no reason", "delegate", but(_delegate, "reason"), "field.missing", "fields.reason"),
        Wrong("called off for no reason", "cancel", lambda _: {}, "field.missing", "fields.reason"),
    ),
)  # fmt: skip

SAMPLES = (DUTY,)
