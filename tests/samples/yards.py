"""Exercise in the yard: those of cell C1, two by the register, for an hour."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headless.chain import rfc3339
from tests.samples import Doc, Fields, Sample, Stage, Wrong, but

HOUR = 3_600_000


def _out(stage: Stage) -> dict[str, Any]:
    return {
        "cell": stage.id("C1"), "yard": None, "out_at": stage.now(), "persons": 2, "stayed": [], "note": None,
    }  # fmt: skip


def _gone(_stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    return {**fields, "state": "out", "back_at": None, "returned": None, "remark": None}


def _back(stage: Stage) -> dict[str, Any]:
    return {"back_at": stage.now(), "returned": 2, "remark": None}


def _returned(_stage: Stage, doc: Doc, fields: dict[str, Any]) -> Doc:
    return {**doc, **fields, "state": "back"}


def _early(stage: Stage) -> dict[str, Any]:
    return _back(stage) | {"back_at": rfc3339(stage.terminal.clock.now() - timedelta(hours=3))}


def _refers(what: str, field: str, name: str, code: str, at: str | None) -> Wrong:
    return Wrong(what, "out", lambda stage: _out(stage) | {field: stage.id(name)}, code, at)


def _wrong(what: str, verb: str, code: str, field: str, fields: Fields) -> Wrong:
    return Wrong(what, verb, fields, code, f"fields.{field}")


YARD = Sample(
    kind="yard",
    writer="DISC",
    reader="PAT",
    outsider="PAT2",
    verbs={"out": _out, "back": _back},
    makes={"out": _gone, "back": _returned},
    passes={"back": HOUR},
    rivals=(("back", "back"),),
    wrong=(
        _refers("a ward in the yard", "cell", "W", "reference.unknown", "fields.cell"),
        _refers("nothing in the yard", "cell", "PAT", "operation.held", None),
        _refers("a cell as a yard", "yard", "C2", "reference.unknown", "fields.yard"),
        _refers("a yard that nobody has seen", "yard", "PAT", "operation.held", None),
        _wrong("a time of day", "out", "field.invalid", "out_at", but(_out, out_at="10:30")),
        _wrong("fewer than nobody", "out", "field.invalid", "persons", but(_out, persons=-1)),
        _wrong("no word on who stayed", "out", "field.missing", "stayed", but(_out, "stayed")),
        _wrong("back before they went", "back", "field.invalid", "back_at", _early),
        _wrong("back as text", "back", "field.invalid", "returned", but(_back, returned="2")),
    ),
)

SAMPLES = (YARD,)
