"""Schema versions: older ones are converted and say so, others are refused with the queue kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from backend.kernel.kind import Kind
from backend.records.registry import kinds
from backend.storage import tables
from headless.chain import uuid7
from sync.judging.accept import Acceptance
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import World

CONVERTED = {"code": "schema.converted", "rule": None}


def _renamed(_verb: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Version 2 of the round called ``with`` what version 3 calls ``companions``."""
    return {("companions" if name == "with" else name): value for name, value in fields.items()}


def _split(_verb: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Version 1 had one companion."""
    return {"area": fields["area"], "with": [fields["companion"]] if fields["companion"] else []}


@pytest.fixture
def upgraded(small: World) -> Iterator[World]:
    """A server whose ``patrol.round`` is at version 3 and converts versions 1 and 2."""
    newer: dict[str, Kind] = dict(kinds())
    newer["patrol.round"] = replace(kinds()["patrol.round"], version=3, converters={1: _split, 2: _renamed})
    pusher, whole = small.services.pusher, small.services.pusher._acceptance
    pusher._acceptance = Acceptance(newer)
    yield small
    pusher._acceptance = whole


def opening(h: Hand, schema: int, fields: dict[str, Any]) -> None:
    h.write("patrol.round", "open", uuid7(), fields, schema=schema)


def test_older_operations_are_converted_step_by_step_and_marked(upgraded: World) -> None:
    h = Hand(upgraded).signed_in("PAT")
    area = upgraded.ids["W"]
    for schema, fields in (
        (1, {"area": area, "companion": None}),
        (2, {"area": area, "with": []}),
        (3, {"area": area, "companions": []}),
    ):
        opening(h, schema, fields)
    outcomes = h.told()
    assert [each["status"] for each in outcomes] == ["applied"] * 3
    assert [CONVERTED in each["marks"] for each in outcomes] == [True, True, False]
    kept = store.rows(upgraded, tables.operations, terminal=h.terminal)
    assert [row.raw for row in kept] == [frame[2] for frame in h.frames], "what is kept is what was sent"
    store.verified(upgraded)


def test_one_that_cannot_be_converted_is_rejected_and_stops_nothing(upgraded: World) -> None:
    h = Hand(upgraded).signed_in("PAT")
    opening(h, 1, {"area": upgraded.ids["W"]})
    opening(h, 2, {"area": upgraded.ids["W"], "with": "nobody"})
    h.open(schema=3)
    assert [each["status"] for each in h.told()] == ["rejected", "rejected", "applied"]


@pytest.mark.parametrize("schema", [4, 9])
def test_a_schema_that_is_not_taken_is_refused_with_its_queue_kept(upgraded: World, schema: int) -> None:
    h = Hand(upgraded).signed_in("PAT")
    h.open(schema=3)
    h.open(schema=schema)
    h.open(schema=3)
    answer = h.push()
    assert answer.status_code == 426
    problem = answer.json()
    assert problem["code"] == "schema.unsupported"
    assert problem["detail"] == {"kind": "patrol.round", "n": 2, "supported": [1, 2, 3]}
    assert not store.rows(upgraded, tables.operations, terminal=h.terminal)
    assert [each["status"] for each in h.told(1, 1)] == ["applied"]
    (over,) = h.told(3, 3)
    assert (over["status"], {"code": "chain.gap", "rule": None} in over["marks"]) == ("applied", True)


def test_after_the_upgrade_it_is_taken(upgraded: World) -> None:
    h = Hand(upgraded).signed_in("PAT")
    opening(h, 4, {"area": upgraded.ids["W"], "companions": []})
    assert h.push().status_code == 426
    newest = dict(kinds())
    newest["patrol.round"] = replace(
        kinds()["patrol.round"], version=4, converters={1: _split, 2: _renamed, 3: lambda _verb, fields: fields}
    )
    upgraded.services.pusher._acceptance = Acceptance(newest)
    assert [each["status"] for each in h.told()] == ["applied"]


def test_converters_lead_to_the_present_version() -> None:
    with pytest.raises(ValueError, match="converters"):
        replace(kinds()["patrol.round"], version=3, converters={1: _split})
