"""Planning is pure: the same batch on the same state comes to the same rows, whenever, wherever and in whatever pieces."""

from __future__ import annotations

import os
import random
import time
from copy import deepcopy
from dataclasses import replace
from typing import Any, NoReturn
from unittest import mock

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.facts.occupancy import Register
from backend.identity.officers import Officer
from backend.identity.sessions import Session
from backend.kernel.clock import to_text
from backend.kernel.framing import Frame, link
from backend.kernel.ids import b64, uuid7
from backend.kernel.kind import Head, Kind, Verb
from backend.records.registry import kinds
from sync.judging.accept import Acceptance, Operation
from sync.judging.ledger import Origin, Rows
from sync.judging.plan import Planner
from sync.judging.state import State
from tests.support.chance import tries

NOW = 1_795_317_255_123
TERMINAL, OFFICER, SESSION, WARD, CELL = (uuid7(NOW) for _ in range(5))
ROUND, OPS = uuid7(NOW), [uuid7(NOW) for _ in range(8)]
ROOT = b"\x09" * 32
ORIGIN = Origin(TERMINAL, 1)


def head(identity: str, doc: dict[str, Any], place: str | None) -> Head:
    body = orjson.dumps({"doc": doc})
    return Head(identity, "place", 1, 1, f"place/{identity}/base", place, "open", "server", body, doc, "server", 1)


def known() -> State:
    """What is known: a ward, a cell of two in it, and a session."""
    officer = Officer("TEST", OFFICER, "100007", "某", ("PAT",))
    heads = {
        WARD: head(WARD, {"type": "ward", "tags": []}, None),
        CELL: head(CELL, {"type": "cell", "tags": ["04"]}, WARD),
    }
    sessions = {SESSION: Session(SESSION, officer, TERMINAL, NOW, NOW + 1, None)}
    return State(sessions, heads, {}, {(1, 9): (b64(ROOT), NOW - 5)}, Register({CELL: 2}))


def said(n: int, kind: str, verb: str, record: str, fields: dict[str, Any], **other: Any) -> dict[str, Any]:
    return {
        "op": OPS[n],
        "terminal": TERMINAL,
        "incarnation": 1,
        "n": n,
        "kind": kind,
        "schema": 1,
        "verb": verb,
        "record": record,
        "base": 0,
        "after": [],
        "officer": OFFICER,
        "session": SESSION,
        "observed_at": to_text(NOW),
        "recorded_at": to_text(NOW),
        "clock": {"boot": "0b2fbb34-7a4d-4a53-9a7c-5d2f0d3c1e11", "monotonic": 1},
        "anchor": {"epoch": 1, "size": 9, "root": b64(ROOT)},
        "signoff": None,
        "attachments": [],
        "fields": fields,
    } | other  # fmt: skip


def visit(n: int, headcount: int = 2, **other: Any) -> dict[str, Any]:
    looked = {"headcount": headcount, "response": "moving", "observation": "calm"}
    read = {"uid": "04", "medium": "nfc", "counter": None}
    fields = {"round": ROUND, "place": CELL, "tag": read, "cell": looked, "note": None}
    return said(n, "patrol.visit", "record", OPS[n], fields, **other)


BATCH: list[Any] = [
    said(1, "patrol.round", "open", ROUND, {"area": WARD, "companions": []}),
    visit(2),
    visit(3, 7),
    "not an operation",
    visit(5, after=[OPS[7]]),
    said(6, "patrol.round", "close", ROUND, {"result": "completed", "reason": None, "visits": 2}, base=1,
         signoff={"method": "session", "evidence": [], "challenge": None}, after=[OPS[1]]),
    visit(7, op=OPS[2]),
]  # fmt: skip
STATUSES = ["applied", "applied", "applied", "quarantined", "held", "applied", "rejected"]


def operations(of: Acceptance | None = None) -> list[Operation]:
    """The batch, framed and accepted."""
    of, made, prior = of or Acceptance(kinds()), [], bytes(32)
    for n, each in enumerate(BATCH, 1):
        raw = orjson.dumps(each)
        prior = link(prior, n, raw)
        made.append(of.accept(Frame(n, prior, raw), TERMINAL, 1))
    return made


def planned(*cuts: int) -> tuple[list[bytes], Rows]:
    """The batch's outcomes and rows, taken in pieces that end at the cuts."""
    planner, outcomes, batch = Planner("TEST", known(), 40, 100, 1, NOW), [], operations()
    for begin, end in zip((0, *cuts), (*cuts, len(batch)), strict=True):
        outcomes += planner.take(ORIGIN, batch[begin:end])
    return outcomes, planner.finish()


def test_the_batch_is_worth_planning() -> None:
    outcomes, rows = planned()
    assert [orjson.loads(each)["status"] for each in outcomes] == STATUSES
    assert (len(rows.operations), len(rows.new_records), len(rows.versions), len(rows.leaves)) == (7, 3, 1, 7)
    assert [(after.partition, after.seq) for _, after in rows.changes] == [
        (f"place/{WARD}/base", 41), (f"place/{CELL}/base", 42), (f"place/{CELL}/base", 43), (f"place/{WARD}/base", 44),
    ]  # fmt: skip
    assert [row["n"] for row in rows.holds] == [5] and [row["needs"] for row in rows.waits] == [OPS[7]]
    assert [row["leaf"] for row in rows.operations] == list(range(100, 107))


def test_the_same_input_comes_to_the_same_rows() -> None:
    assert planned() == planned()


@tries(30)
@given(st.lists(st.integers(0, 7), max_size=4).map(sorted))
def test_pieces_come_to_what_the_whole_comes_to(cuts: list[int]) -> None:
    assert planned(*cuts) == planned()


def test_neither_clock_nor_chance_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    before = planned()

    def never(*_: Any) -> NoReturn:
        raise AssertionError("a plan asked for something that it was not given")

    for module, name in (
        (time, "time"),
        (time, "time_ns"),
        (os, "urandom"),
        (random, "random"),
        (random, "getrandbits"),
    ):
        monkeypatch.setattr(module, name, never)
    assert planned() == before


def test_what_was_given_is_not_written_to() -> None:
    batch, state = operations(), known()
    kept, heads = deepcopy(batch), dict(state.heads)
    Planner("TEST", state, 40, 100, 1, NOW).take(ORIGIN, batch)
    assert [each.frame for each in batch] == [each.frame for each in kept]
    assert [each.said for each in batch] == [each.said for each in kept]
    assert all(state.heads[identity] is each for identity, each in heads.items())


def test_a_planner_that_knows_more_says_so() -> None:
    """The rows depend on the state that is given: another register, anchor or session, another outcome."""
    whole = planned()
    for change in (
        {"anchors": {}},
        {"register": Register({CELL: 7})},
        {"sessions": {}},
        {"fates": {OPS[1]: "applied"}},
    ):
        planner = Planner("TEST", replace(known(), **change), 40, 100, 1, NOW)  # type: ignore[arg-type]
        assert planner.take(ORIGIN, operations()) != whole[0], change


def test_a_rule_that_fails_sets_its_operation_aside_and_no_other() -> None:
    visits = kinds()["patrol.visit"]

    def boom(deed: Any, _head: Any, _known: Any) -> NoReturn:
        raise ZeroDivisionError(deed.op)

    rules: dict[str, Verb] = {"record": replace(visits.verbs["record"], judge=boom)}
    broken: dict[str, Kind] = {**kinds(), "patrol.visit": replace(visits, verbs=rules)}
    planner = Planner("TEST", known(), 40, 100, 1, NOW)
    with mock.patch("sync.judging.plan._log") as log:
        outcomes = [orjson.loads(each) for each in planner.take(ORIGIN, operations(Acceptance(broken)))]
    assert [each["status"] for each in outcomes] == [
        "applied", "quarantined", "quarantined", "quarantined", "held", "applied", "rejected",
    ]  # fmt: skip
    assert [each["problem"]["code"] for each in outcomes[1:3]] == ["server.fault"] * 2
    assert log.exception.call_count == 2
    assert len(planner.finish().operations) == 7
