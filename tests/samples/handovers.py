"""Handovers: the cell officer of ward W hands over to whoever reads his code, here the patrol."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson

from headless import chain
from headless.chain import rfc3339
from tests.samples import Doc, Fields, Sample, Stage, Wrong, but

LEADERS = frozenset({"LEAD", "DIR"})
SHIFT = timedelta(hours=12)


def _sign(stage: Stage) -> dict[str, Any]:
    now = stage.terminal.clock.now()
    return {
        "sort": "shift",
        "place": stage.id("W"),
        "since": rfc3339(now - SHIFT),
        "until": rfc3339(now),
        "incoming": None,
        "duties": [{"duty": stage.id("p3"), "words": "谈话未完成"}],
        "risks": [{"person": stage.id("p1"), "words": "情绪低落"}],
        "sick": [{"person": stage.id("p2"), "words": "发热，已服药"}],
        "counts": [{"place": stage.id("C1"), "counted": 2}],
        "rollcall": None,
        "words": "二号监室门锁待修",
    }


def _receive(stage: Stage) -> dict[str, Any]:
    """He reads the code while nothing else happens: what was signed says the same moment."""
    return {"digest": _digest(_sign(stage))}


def _digest(fields: dict[str, Any]) -> str:
    return chain.b64u(chain.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)))


def _signed(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    beside = {"state": "offered", "outgoing": stage.officer(), "digest": _digest(fields)}
    return {**fields, **beside, "steps": [{"step": "offered", "at": stage.now(), "by": stage.officer()}]}


def _step(stage: Stage, doc: Doc, step: str, state: str, said: Doc) -> Doc:
    steps = [*doc["steps"], {"step": step, "at": stage.now(), "by": stage.officer(), **said}]
    return {**doc, "state": state, "steps": steps}


def _received(stage: Stage, doc: Doc, _fields: dict[str, Any]) -> Doc:
    return _step(stage, doc, "signed", "signed", {}) | {"incoming": stage.officer()}


def _declined(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    return _step(stage, doc, "declined", "declined", fields) | {"incoming": stage.officer()}


def _swapped(stage: Stage) -> dict[str, Any]:
    said = _sign(stage)
    return said | {"since": said["until"], "until": said["since"]}


def _wrong(what: str, fields: Fields, code: str, field: str | None, verb: str = "sign") -> Wrong:
    return Wrong(what, verb, fields, code, field)


HANDOVER = Sample(
    kind="handover",
    writer="DISC",
    reader="PAT",
    outsider="PAT2",
    verbs={
        "sign": _sign,
        "receive": _receive,
        "decline": lambda _: {"reason": "人数不符，请重新清点"},
        "reopen": lambda stage: {"late": stage.id("p1")},
        "review": lambda _: {"words": "已核对"},
    },
    stories=(("sign", "receive", "reopen", "review"), ("sign", "decline")),
    makes={
        "sign": _signed,
        "receive": _received,
        "decline": _declined,
        "reopen": lambda stage, doc, fields: _step(stage, doc, "reopened", "reopened", fields),
        "review": lambda stage, doc, fields: _step(stage, doc, "reviewed", "signed", fields),
    },
    by={"receive": "PAT", "decline": "PAT", "reopen": "LEAD", "review": "LEAD"},
    posts={
        "sign": frozenset({"INT", "PAT", "DISC", "MED", "AUX", "LEAD", "DIR"}),
        "receive": frozenset({"INT", "PAT", "MED", "AUX", "LEAD", "DIR"}),
        "decline": frozenset({"INT", "PAT", "MED", "AUX", "LEAD", "DIR"}),
        "reopen": LEADERS,
        "review": LEADERS | {"PAT"},
    },
    wrong=(
        _wrong("a shift that ends before it begins", _swapped, "field.invalid", "fields.until"),
        _wrong("a shift of some day", but(_sign, since="2026-02-30T00:00:00.000Z"), "field.invalid", "fields.since"),
        _wrong("to himself", lambda stage: _sign(stage) | {"incoming": stage.id("DISC")}, "field.invalid",
               "fields.incoming"),
        _wrong("a person as an area", lambda stage: _sign(stage) | {"place": stage.id("p1")}, "reference.unknown",
               "fields.place"),
        _wrong("an area that nobody knows", lambda stage: _sign(stage) | {"place": stage.id("PAT")}, "operation.held",
               None),
        _wrong("no word on the sick", but(_sign, "sick"), "field.missing", "fields.sick"),
        _wrong("a risk without a word", lambda stage: _sign(stage) | {"risks": [{"person": stage.id("p1")}]},
               "field.missing", "fields.risks.0.words"),
        _wrong("a count below nothing", lambda stage: _sign(stage) | {
               "counts": [{"place": stage.id("C1"), "counted": -1}]}, "field.invalid", "fields.counts.0.counted"),
        _wrong("of another sort", but(_sign, sort="lunch"), "field.invalid", "fields.sort"),
        _wrong("a code cut short", lambda _: {"digest": "abc"}, "field.invalid", "fields.digest", "receive"),
        _wrong("back without a word", lambda _: {}, "field.missing", "fields.reason", "decline"),
        _wrong("reopened for nothing", lambda _: {}, "field.missing", "fields.late", "reopen"),
        _wrong("looked at, without a word on it", lambda _: {}, "field.missing", "fields.words", "review"),
    ),
)  # fmt: skip

SAMPLES = (HANDOVER,)
