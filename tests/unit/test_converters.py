"""A kind that has moved on takes operations of its older schemas, step by step, and says which it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest
from marshmallow import Schema

from backend.kernel.framing import Frame
from backend.kernel.ids import b64, uuid7
from backend.kernel.kind import Kind
from backend.records.dynamic_info import DYNAMIC_INFO
from backend.records.forms import choice, edits_of, listed, reference, word
from backend.records.registry import kinds
from sync.judging.accept import Acceptance, Operation

NOW = 1_795_317_255_123
TERMINAL, RECORD, PERSON = uuid7(NOW), uuid7(NOW), uuid7(NOW)
LEVELS = ("1", "2", "3")
OF_WORD = {"ordinary": "3", "important": "2", "urgent": "1"}


class _Report(Schema):
    """The third schema: severity is a level, and what was seen is called ``seen_text``."""

    category = word(40)
    level = choice(LEVELS)
    person = reference(allow_none=True)
    place = reference(allow_none=True)
    involved = listed(reference(), 20)
    seen_text = word(2000)


class _Judged(_Report):
    note = word(500, allow_none=True)


def renamed(fields: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    return {new if name == old else name: value for name, value in fields.items()}


def words_to_levels(_verb: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """1 → 2."""
    levels = {name: OF_WORD[value] if name == "severity" else value for name, value in fields.items()}
    return renamed(levels, "severity", "level")


def text_to_seen_text(verb: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """2 → 3."""
    return renamed(fields, "text", "seen_text") if verb == "report" else fields


def third(converters: Mapping[int, Any]) -> Kind:
    verbs = dict(DYNAMIC_INFO.verbs)
    verbs["report"] = replace(verbs["report"], schema=_Report)
    verbs["amend"] = replace(verbs["amend"], schema=edits_of(_Judged, "category", "level", "note"))
    return replace(DYNAMIC_INFO, version=3, verbs=verbs, converters=converters)


MOVED_ON = third({1: words_to_levels, 2: text_to_seen_text})


def accepted(kind: Kind, schema: int, verb: str, fields: Any, **other: Any) -> Operation:
    said = {
        "op": uuid7(NOW),
        "terminal": TERMINAL,
        "incarnation": 1,
        "n": 1,
        "kind": kind.name,
        "schema": schema,
        "verb": verb,
        "record": RECORD,
        "base": 0 if verb == "report" else 1,
        "after": [],
        "officer": uuid7(NOW),
        "session": uuid7(NOW),
        "observed_at": "2026-11-22T03:14:15.123Z",
        "recorded_at": "2026-11-22T03:14:15.123Z",
        "clock": {"boot": "0b2fbb34-7a4d-4a53-9a7c-5d2f0d3c1e11", "monotonic": 1},
        "anchor": {"epoch": 1, "size": 9, "root": b64(bytes(32))},
        "signoff": None,
        "attachments": [],
        "fields": fields,
    } | other  # fmt: skip
    raw = orjson.dumps(said)
    return Acceptance({**kinds(), kind.name: kind}).accept(Frame(1, bytes(32), raw), TERMINAL, 1)


def report(**other: Any) -> dict[str, Any]:
    """As the first schema says it."""
    return {
        "category": "dispute", "severity": "urgent", "person": PERSON, "place": None, "involved": [], "text": "争执"
    } | other  # fmt: skip


THIRD = {"category": "dispute", "level": "1", "person": PERSON, "place": None, "involved": [], "seen_text": "争执"}


def test_older_schemas_are_converted_step_by_step() -> None:
    first = accepted(MOVED_ON, 1, "report", report())
    assert (first.problem, first.fields, first.converted) == (None, THIRD, True)
    second = accepted(MOVED_ON, 2, "report", words_to_levels("report", report()))
    assert (second.problem, second.fields, second.converted) == (None, THIRD, True)
    present = accepted(MOVED_ON, 3, "report", THIRD)
    assert (present.problem, present.fields, present.converted) == (None, THIRD, False)


def test_what_was_sent_stays_as_it_was_sent() -> None:
    operation = accepted(MOVED_ON, 1, "report", report())
    assert operation.said is not None
    assert (operation.said["schema"], operation.said["fields"]) == (1, report())
    assert orjson.loads(operation.frame.raw) == operation.said


def test_what_was_seen_is_converted_with_what_was_changed() -> None:
    operation = accepted(
        MOVED_ON, 1, "amend", {"severity": "important", "note": "注"}, seen={"severity": "urgent", "note": None}
    )
    assert operation.problem is None
    assert operation.fields == {"level": "2", "note": "注"}
    assert operation.seen == {"level": "1", "note": None}


def test_what_comes_of_it_is_held_against_the_present_schema() -> None:
    problem = accepted(MOVED_ON, 1, "report", report(text="")).problem
    assert problem is not None
    assert (problem.code, problem.field) == ("field.invalid", "fields.seen_text")


@pytest.mark.parametrize("fields", [report(severity="grave"), report(severity=["urgent"])])
def test_fields_that_cannot_be_converted_are_refused(fields: dict[str, Any]) -> None:
    operation = accepted(MOVED_ON, 1, "report", fields)
    assert operation.status == "rejected" and operation.problem is not None
    assert (operation.problem.code, operation.problem.field) == ("field.invalid", "fields")


@pytest.mark.parametrize(
    ("kind", "schema", "supported"),
    [(MOVED_ON, 4, [1, 2, 3]), (third({2: text_to_seen_text}), 1, [2, 3]), (third({}), 2, [3]), (DYNAMIC_INFO, 2, [1])],
)
def test_a_schema_that_no_converter_leads_from_is_not_taken(kind: Kind, schema: int, supported: list[int]) -> None:
    operation = accepted(kind, schema, "report", report())
    assert kind.supported() == supported
    assert operation.status == "unsupported" and operation.problem is not None
    assert operation.problem.code == "schema.unsupported"
    assert operation.problem.detail == {"kind": "dynamic_info", "n": 1, "supported": supported}


@pytest.mark.parametrize("converters", [{1: words_to_levels}, {3: text_to_seen_text}, {1: words_to_levels, 3: id}])
def test_converters_lead_to_the_present_schema(converters: Mapping[int, Any]) -> None:
    with pytest.raises(ValueError, match="do not lead to version 3"):
        third(converters)
