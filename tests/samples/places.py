"""Places: a cell that an administrator adds to ward W."""

from __future__ import annotations

from typing import Any

from tests.samples import Sample, Stage, Wrong, but


def _cell(stage: Stage) -> dict[str, Any]:
    return {
        "type": "cell",
        "code": "C9",
        "name": "九号监室 𠮷",
        "parent": stage.id("W"),
        "position": 9,
        "tags": ["04AA0000000000C9"],
    }


def _change(_stage: Stage) -> dict[str, Any]:
    return {"name": "九号监室（修缮）", "tags": []}


def _close(_stage: Stage) -> dict[str, Any]:
    return {"reason": "拆除改建"}


def _below(name: str) -> dict[str, Any]:
    return {
        "what": f"a cell below {name}",
        "verb": "create",
        "fields": lambda stage: _cell(stage) | {"parent": stage.id(name)},
    }


PLACE = Sample(
    kind="place",
    writer="ADM",
    reader="PAT",
    outsider="PAT2",
    verbs={"create": _cell, "change": _change, "close": _close},
    stories=(("create", "change"), ("create", "change", "close")),
    leaves=frozenset({"close"}),
    apart=(lambda _: {"name": "九号监室（东）"}, lambda _: {"position": 10, "capacity": 8}),
    against=(lambda _: {"note": "甲"}, lambda _: {"note": "乙"}),
    rivals=(("change", "close"), ("close", "change")),
    wrong=(
        Wrong("a type that there is not", "create", but(_cell, type="tower"), "field.invalid", "fields.type"),
        Wrong("an empty code", "create", but(_cell, code=""), "field.invalid", "fields.code"),
        Wrong("a name that is too long", "create", but(_cell, name="长" * 41), "field.invalid", "fields.name"),
        Wrong("a cell outside every ward", "create", but(_cell, parent=None), "field.invalid", "fields.parent"),
        Wrong("a ward inside a ward", "create", but(_cell, type="ward"), "field.invalid", "fields.parent"),
        Wrong(**_below("C1"), code="reference.unknown", field="fields.parent"),
        Wrong(**_below("p1"), code="reference.unknown", field="fields.parent"),
        Wrong(**_below("ADM"), code="operation.held", field=None),
        Wrong("a parent that is no id", "create", but(_cell, parent="W"), "field.invalid", "fields.parent"),
        Wrong("a position below zero", "create", but(_cell, position=-1), "field.invalid", "fields.position"),
        Wrong("a position that is text", "create", but(_cell, position="9"), "field.invalid", "fields.position"),
        Wrong("a position that is true", "create", but(_cell, position=True), "field.invalid", "fields.position"),
        Wrong(
            "a tag in small letters", "create", but(_cell, tags=["04aa0000000000c9"]), "field.invalid", "fields.tags.0"
        ),
        Wrong("nine tags", "create", but(_cell, tags=["04AA00000000"] * 9), "field.invalid", "fields.tags"),
        Wrong("no code", "create", but(_cell, "code"), "field.missing", "fields.code"),
        Wrong("a field that there is not", "create", but(_cell, floor=2), "field.unknown", "fields.floor"),
        Wrong("another type", "change", but(_change, type="ward"), "field.unknown", "fields.type"),
        Wrong("room for fewer than nobody", "change", but(_change, capacity=-1), "field.invalid", "fields.capacity"),
        Wrong("closed for no reason", "close", but(_close, "reason"), "field.missing", "fields.reason"),
        Wrong("a name that is null", "change", but(_change, name=None), "field.invalid", "fields.name"),
    ),
)

SAMPLES = (PLACE,)
