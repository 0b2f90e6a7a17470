"""Head counts: a roll call of ward W, whose cell C1 holds two by the register, of whom one is at court."""

from __future__ import annotations

from typing import Any

from tests.samples import Doc, Fields, Sample, Stage, Wrong, but


def _count(stage: Stage) -> dict[str, Any]:
    out = {"person": stage.id("p1"), "reason": "court", "document": "提字 12 号", "movement": None}
    return {
        "sort": "extra",
        "place": stage.id("W"),
        "of": None,
        "cells": [{"cell": stage.id("C1"), "counted": 1}],
        "out": [out],
        "note": None,
    }


def _counted(_stage: Stage, _doc: Doc, fields: dict[str, Any]) -> Doc:
    cells = [{**each, "expected": 1} for each in fields["cells"]]
    return {
        **fields,
        "cells": cells,
        "counted": 1,
        "expected": 1,
        "whole": False,
        "about": fields["place"],
        "state": "matched",
    }


def _refers(what: str, field: str, name: str, code: str, at: str | None) -> Wrong:
    return Wrong(what, "record", lambda stage: _count(stage) | {field: stage.id(name)}, code, at)


def _twice(field: str) -> Fields:
    return lambda stage: _count(stage) | {field: _count(stage)[field][:1] * 2}


def _in(field: str, **changes: Any) -> Fields:
    return lambda stage: _count(stage) | {field: [_count(stage)[field][0] | changes]}


def _wrong(what: str, code: str, field: str, fields: Fields) -> Wrong:
    return Wrong(what, "record", fields, code, f"fields.{field}")


HEADCOUNT = Sample(
    kind="headcount",
    writer="PAT",
    reader="DISC",
    outsider="PAT2",
    verbs={"record": _count},
    makes={"record": _counted},
    wrong=(
        _refers("a count of a person", "place", "p1", "reference.unknown", "fields.place"),
        _refers("a count of nothing", "place", "PAT", "operation.held", None),
        _refers("a recount of a place", "of", "C1", "reference.unknown", "fields.of"),
        _refers("a recount of what nobody has seen", "of", "PAT", "operation.held", None),
        _wrong("a recount of nothing", "field.missing", "of", but(_count, sort="recount")),
        _wrong("a cell that is counted twice", "field.invalid", "cells", _twice("cells")),
        _wrong("a person who is out twice", "field.invalid", "out", _twice("out")),
        _wrong("no cell counted", "field.invalid", "cells", but(_count, cells=[])),
        _wrong("a cell by its code", "field.invalid", "cells.0.cell", _in("cells", cell="C1")),
        _wrong("fewer than nobody", "field.invalid", "cells.0.counted", _in("cells", counted=-1)),
        _wrong("the expected number given", "field.unknown", "cells.0.expected", _in("cells", expected=2)),
        _wrong("out for no known reason", "field.invalid", "out.0.reason", _in("out", reason="gone")),
        _wrong("no word on who is out", "field.missing", "out", but(_count, "out")),
        _wrong("all present", "field.unknown", "matched", but(_count, matched=True)),
        _wrong("a sort that there is not", "field.invalid", "sort", but(_count, sort="noon")),
    ),
)

SAMPLES = (HEADCOUNT,)
