"""Cosigns: of a round that the auxiliary of ward W began alone, by a patrol officer."""

from __future__ import annotations

from typing import Any

from tests.samples import Doc, Sample, Stage, Wrong, but
from tests.support.world import SECRET


def _alone(stage: Stage) -> None:
    stage.terminal.sign_in("AUX", SECRET)
    stage.first("round", "patrol.round", "open", {"area": stage.id("W"), "companions": []})
    stage.terminal.sign_in("PAT", SECRET)


def _cosign(stage: Stage) -> dict[str, Any]:
    return {"record": stage.id("round"), "note": "已到场核实 𠮷"}


def _signed(stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return fields | {"version": 1, "signed": stage.id("AUX")}


def _of(what: str, name: str, code: str, field: str | None) -> Wrong:
    return Wrong(what, "sign", lambda stage: _cosign(stage) | {"record": stage.id(name)}, code, field)


COSIGN = Sample(
    kind="cosign",
    writer="PAT",
    reader="LEAD",
    outsider="PAT2",
    verbs={"sign": _cosign},
    first=_alone,
    makes={"sign": _signed},
    wrong=(
        _of("a place, which nobody signs", "W", "cosign.needless", "fields.record"),
        _of("a record that nobody has seen", "LEAD", "operation.held", None),
        Wrong("of nothing", "sign", but(_cosign, "record"), "field.missing", "fields.record"),
        Wrong("no word, not even that there is none", "sign", but(_cosign, "note"), "field.missing", "fields.note"),
        Wrong("an empty note", "sign", but(_cosign, note=""), "field.invalid", "fields.note"),
        Wrong("for another", "sign", but(_cosign, officer="LEAD"), "field.unknown", "fields.officer"),
    ),
)

SAMPLES = (COSIGN,)
