"""Dynamic information: a dispute in cell C1 that a leader reports of p1."""

from __future__ import annotations

from typing import Any

from tests.samples import Doc, Effect, Sample, Stage, Wrong, but


def _report(stage: Stage) -> dict[str, Any]:
    return {
        "category": "dispute",
        "severity": "important",
        "person": stage.id("p1"),
        "place": stage.id("C1"),
        "involved": [stage.id("p2")],
        "text": "因洗漱次序争执，已隔开",
    }


def _amend(_stage: Stage) -> dict[str, Any]:
    return {"severity": "ordinary", "note": "双方已和解"}


def _handle(_stage: Stage) -> dict[str, Any]:
    return {"disposal": "分别谈话，调整铺位"}


def _acknowledge(_stage: Stage) -> dict[str, Any]:
    return {}


def _deploy(stage: Stage) -> dict[str, Any]:
    return {"officers": [stage.id("DISC")], "posts": ["MED"], "instruction": "到监室隔离双方，查看伤情", "until": None}


def _answer(_stage: Stage) -> dict[str, Any]:
    return {"answer": "双方无伤，已写检讨"}


def _return(_stage: Stage) -> dict[str, Any]:
    return {"reason": "未说明是否验伤"}


def _close(_stage: Stage) -> dict[str, Any]:
    return {"conclusion": None}


def _withdraw(_stage: Stage) -> dict[str, Any]:
    return {"reason": "重复上报"}


def _reported(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    reported = {"at": stage.now(), "officer": stage.officer(), "posts": ["LEAD"], "area": "cell"}
    return {**fields, "state": "open", "reported": reported, "steps": []}


def _step(name: str, state: str | None = None) -> Effect:
    """A step, and with a state its words under its own name."""

    def makes(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
        taken = {"at": stage.now(), "officer": stage.officer()}
        words = {} if state is None else {"state": state, name: taken | fields}
        return doc | words | {"steps": [*doc["steps"], {"step": name, **taken}]}

    return makes


def _refers(what: str, field: str, name: str, *, several: bool = False) -> Wrong:
    def fields(stage: Stage) -> dict[str, Any]:
        return _report(stage) | {field: [stage.id(name)] if several else stage.id(name)}

    return Wrong(what, "report", fields, "reference.unknown", f"fields.{field}")


DYNAMIC_INFO = Sample(
    kind="dynamic_info",
    writer="LEAD",
    reader="MED",
    outsider="PAT2",
    verbs={
        "report": _report, "amend": _amend, "acknowledge": _acknowledge, "deploy": _deploy, "arrive": _acknowledge,
        "handle": _handle, "answer": _answer, "return": _return, "close": _close, "withdraw": _withdraw,
    },
    stories=(
        ("report", "amend", "acknowledge", "deploy", "arrive", "handle", "answer", "close"),
        ("report", "handle", "amend", "return", "handle", "acknowledge"),
        ("report", "amend", "withdraw"),
    ),
    leaves=frozenset({"withdraw"}),
    makes={
        "report": _reported, "acknowledge": _step("acknowledged"), "deploy": _step("deployed", "open"),
        "arrive": _step("arrived"), "handle": _step("handled", "handled"), "answer": _step("answered", "answered"),
        "return": _step("returned", "open"), "close": _step("closed", "closed"),
    },
    posts={verb: frozenset({"LEAD", "DIR"}) for verb in ("deploy", "withdraw", "return", "close")},
    apart=(lambda _: {"note": "甲"}, lambda _: {"category": "conduct"}),
    against=(lambda _: {"note": "甲"}, lambda _: {"note": "乙"}),
    strict=lambda _: {"severity": "urgent"},
    rivals=(
        ("handle", "handle"), ("handle", "withdraw"), ("withdraw", "handle"), ("deploy", "deploy"), ("answer", "answer"),
        ("close", "return"),
    ),
    wrong=(
        Wrong("a kind that there is not", "report", but(_report, category="weather"), "field.invalid",
              "fields.category"),
        Wrong("no severity", "report", but(_report, "severity"), "field.missing", "fields.severity"),
        Wrong("a severity as a number", "report", but(_report, severity=3), "field.invalid", "fields.severity"),
        Wrong("about nobody and nowhere", "report", but(_report, person=None, place=None), "field.missing",
              "fields.place"),
        Wrong("nothing seen", "report", but(_report, text=""), "field.invalid", "fields.text"),
        Wrong("a note with the report", "report", but(_report, note="注"), "field.unknown", "fields.note"),
        Wrong("about an officer", "report", lambda stage: _report(stage) | {"person": stage.id("PAT")}, "operation.held",
              None),
        _refers("about a place as a person", "person", "C1"),
        _refers("in a person", "place", "p1"),
        _refers("that involves a place", "involved", "W", several=True),
        Wrong("other words", "amend", but(_amend, text="改写"), "field.unknown", "fields.text"),
        Wrong("a state by hand", "amend", but(_amend, state="handled"), "field.unknown", "fields.state"),
        Wrong("severity that is null", "amend", but(_amend, severity=None), "field.invalid", "fields.severity"),
        Wrong("nothing done", "handle", but(_handle, disposal=""), "field.invalid", "fields.disposal"),
        Wrong("no word on what was done", "handle", but(_handle, "disposal"), "field.missing", "fields.disposal"),
        Wrong("acknowledged with words", "acknowledge", lambda _: {"note": "知道了"}, "field.unknown", "fields.note"),
        Wrong("arrived somewhere", "arrive", lambda stage: {"place": stage.id("C1")}, "field.unknown", "fields.place"),
        Wrong("sent by name and not by id", "deploy", but(_deploy, officers=["王"]), "field.invalid",
              "fields.officers.0"),
        Wrong("a post that nobody sends", "deploy", but(_deploy, posts=["CITY"]), "field.invalid", "fields.posts.0"),
        Wrong("sent to do nothing", "deploy", but(_deploy, "instruction"), "field.missing", "fields.instruction"),
        Wrong("no answer", "answer", but(_answer, answer=""), "field.invalid", "fields.answer"),
        Wrong("returned for no reason", "return", but(_return, "reason"), "field.missing", "fields.reason"),
        Wrong("closed without a word on it", "close", but(_close, "conclusion"), "field.missing", "fields.conclusion"),
        Wrong("withdrawn for no reason", "withdraw", but(_withdraw, "reason"), "field.missing", "fields.reason"),
    ),
)  # fmt: skip

SAMPLES = (DYNAMIC_INFO,)
