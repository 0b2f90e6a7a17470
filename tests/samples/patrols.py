"""Patrols: a round through ward W, and a stop at its cell C1, which holds two by the register."""

from __future__ import annotations

from typing import Any

from tests.samples import Doc, Sample, Stage, Wrong, but
from tests.support.world import looked, tag


def _open(stage: Stage) -> dict[str, Any]:
    return {"area": stage.id("W"), "companions": [stage.id("AUX")]}


def _opened(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return {**fields, "opened_at": stage.now(), "result": None, "reason": None, "visits": None}


def _close(_stage: Stage) -> dict[str, Any]:
    return {"result": "interrupted", "reason": "C2 室报警，前往处置", "visits": 0}


def _area(what: str, name: str) -> Wrong:
    return Wrong(
        what, "open", lambda stage: _open(stage) | {"area": stage.id(name)}, "reference.unknown", "fields.area"
    )


ROUND = Sample(
    kind="patrol.round",
    writer="PAT",
    reader="DISC",
    outsider="PAT2",
    verbs={"open": _open, "close": _close},
    makes={"open": _opened},
    wrong=(
        _area("a round through a cell", "C1"),
        _area("a round through a person", "p1"),
        Wrong(
            "a round through nothing",
            "open",
            lambda stage: _open(stage) | {"area": stage.id("PAT")},
            "operation.held",
            None,
        ),
        Wrong("an area that is no id", "open", but(_open, area="W"), "field.invalid", "fields.area"),
        Wrong("an area that is null", "open", but(_open, area=None), "field.invalid", "fields.area"),
        Wrong("companions by name", "open", but(_open, companions=["王"]), "field.invalid", "fields.companions.0"),
        Wrong("no companions named", "open", but(_open, "companions"), "field.missing", "fields.companions"),
        Wrong("companions that are null", "open", but(_open, companions=None), "field.invalid", "fields.companions"),
        Wrong("all normal", "open", but(_open, all_normal=True), "field.unknown", "fields.all_normal"),
        Wrong("interrupted for no reason", "close", but(_close, reason=None), "field.invalid", "fields.reason"),
        Wrong("an empty reason", "close", but(_close, reason=""), "field.invalid", "fields.reason"),
        Wrong("completed for a reason", "close", but(_close, result="completed"), "field.invalid", "fields.reason"),
        Wrong("a result that there is not", "close", but(_close, result="ok"), "field.invalid", "fields.result"),
        Wrong("a thousand stops", "close", but(_close, visits=1000), "field.invalid", "fields.visits"),
        Wrong("stops that nobody counted", "close", but(_close, "visits"), "field.missing", "fields.visits"),
    ),
)


def _needs_round(stage: Stage) -> None:
    stage.first("round", "patrol.round", "open", _open(stage))


def _stop(stage: Stage) -> dict[str, Any]:
    read = tag("C1")
    return {"round": stage.id("round"), "place": stage.id("C1"), "tag": read, "cell": looked(2), "note": None}


def _in_cell(what: str, field: str, value: Any) -> Wrong:
    fields = but(_stop, cell=looked() | {field: value})
    return Wrong(what, "record", fields, "field.invalid", f"fields.cell.{field}")


def _of_tag(what: str, field: str, value: Any) -> Wrong:
    return Wrong(what, "record", but(_stop, tag=tag("C1") | {field: value}), "field.invalid", f"fields.tag.{field}")


def _refers(what: str, field: str, name: str) -> Wrong:
    fields = lambda stage: _stop(stage) | {field: stage.id(name)}  # noqa: E731
    return Wrong(what, "record", fields, "reference.unknown", f"fields.{field}")


_OTHER = looked(observation="other")
_UNSEEN = {"headcount": 2, "response": "moving"}

VISIT = Sample(
    kind="patrol.visit",
    writer="PAT",
    reader="DISC",
    outsider="PAT2",
    first=_needs_round,
    verbs={"record": _stop},
    wrong=(
        _in_cell("fewer than nobody", "headcount", -1),
        _in_cell("more than a cell holds", "headcount", 201),
        _in_cell("a head count in words", "headcount", "2"),
        _in_cell("a head count that is null", "headcount", None),
        _in_cell("a response that there is not", "response", "normal"),
        _in_cell("an observation that there is not", "observation", "normal"),
        _of_tag("a tag without an id", "uid", ""),
        _of_tag("a tag that was smelt", "medium", "nose"),
        _of_tag("a counter beyond three bytes", "counter", 2**24),
        Wrong("a stop on no round", "record", lambda stage: _stop(stage) | {"round": stage.id("PAT")},
              "operation.held", None),
        _refers("a stop on a place", "round", "W"),
        _refers("a stop at a person", "place", "p1"),
        _refers("a stop at a round", "place", "round"),
        Wrong("a cell not looked at for what it holds", "record", but(_stop, cell=_UNSEEN), "field.missing",
              "fields.cell.observation"),
        Wrong("no word on the cell", "record", but(_stop, "cell"), "field.missing", "fields.cell"),
        Wrong("no tag and no note", "record", but(_stop, tag=None), "field.missing", "fields.note"),
        Wrong("something other and no note", "record", but(_stop, cell=_OTHER), "field.missing", "fields.note"),
        Wrong("an empty note", "record", but(_stop, note=""), "field.invalid", "fields.note"),
        Wrong("a note of 501 signs", "record", but(_stop, note="注" * 501), "field.invalid", "fields.note"),
        Wrong("all normal", "record", but(_stop, normal=True), "field.unknown", "fields.normal"),
    ),
)  # fmt: skip

SAMPLES = (ROUND, VISIT)
