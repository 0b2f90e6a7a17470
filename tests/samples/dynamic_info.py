"""Dynamic information: a dispute in cell C1 that the patrol of ward W reports of p1."""

from __future__ import annotations

from typing import Any

from tests.samples import Doc, Sample, Stage, Wrong, but


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


def _withdraw(_stage: Stage) -> dict[str, Any]:
    return {"reason": "重复上报"}


def _reported(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    reported = {"at": stage.now(), "officer": stage.officer(), "posts": ["PAT"]}
    return {**fields, "state": "open", "reported": reported}


def _handled(stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    return doc | {"state": "handled", "handled": {"at": stage.now(), "officer": stage.officer(), **fields}}


def _refers(what: str, field: str, name: str, *, several: bool = False) -> Wrong:
    def fields(stage: Stage) -> dict[str, Any]:
        return _report(stage) | {field: [stage.id(name)] if several else stage.id(name)}

    return Wrong(what, "report", fields, "reference.unknown", f"fields.{field}")


DYNAMIC_INFO = Sample(
    kind="dynamic_info",
    writer="PAT",
    reader="MED",
    outsider="PAT2",
    verbs={"report": _report, "amend": _amend, "handle": _handle, "withdraw": _withdraw},
    stories=(("report", "amend", "handle"), ("report", "handle", "amend"), ("report", "amend", "withdraw")),
    leaves=frozenset({"withdraw"}),
    makes={"report": _reported, "handle": _handled},
    posts={"withdraw": frozenset({"PAT", "LEAD", "DIR"})},
    apart=(lambda _: {"note": "甲"}, lambda _: {"category": "conduct"}),
    against=(lambda _: {"note": "甲"}, lambda _: {"note": "乙"}),
    strict=lambda _: {"severity": "urgent"},
    rivals=(("handle", "handle"), ("handle", "withdraw"), ("withdraw", "handle")),
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
        Wrong("withdrawn for no reason", "withdraw", but(_withdraw, "reason"), "field.missing", "fields.reason"),
    ),
)  # fmt: skip

SAMPLES = (DYNAMIC_INFO,)
