"""Pushes over a gap: what they bring is judged at once, and the chain is proven as soon as the gap is filled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.audit.log import HEAD_TYPE
from backend.kernel.kind import Kind
from backend.records.registry import kinds
from backend.storage import tables
from headless.chain import uuid7
from sync.judging.accept import Acceptance
from tests.support import hand, store
from tests.support.hand import Hand
from tests.support.world import FACILITY, World

LENGTH = 12
GAP = {"code": "chain.gap", "rule": None}
Cut = tuple[int, int]


def rounds(world: World, count: int) -> Hand:
    """A terminal with operations that do not depend on each other."""
    h = Hand(world).signed_in("PAT")
    for _ in range(count):
        h.open()
    return h


def stands(response: httpx.Response) -> tuple[int, list[list[int]]]:
    assert response.status_code == 200, response.text
    return response.json()["next"], response.json()["missing"]


def segments(world: World, h: Hand) -> list[Cut]:
    return [(row.first, row.last) for row in store.rows(world, tables.segments, terminal=h.terminal)]


def marks(response: httpx.Response) -> list[bool]:
    """Whether each outcome is marked as received over a gap."""
    return [GAP in outcome["marks"] for outcome in response.json()["outcomes"]]


def kept(world: World, h: Hand) -> list[Any]:
    return store.rows(world, tables.operations, terminal=h.terminal)


def test_what_comes_over_a_gap_is_judged_at_once_and_marked(both: World) -> None:
    h = rounds(both, 7)
    assert stands(h.push(1, 2)) == (3, [])
    over = h.push(5, 6)
    assert [outcome["status"] for outcome in over.json()["outcomes"]] == ["applied"] * 2
    assert marks(over) == [True, True]
    assert stands(over) == (3, [[3, 4]])
    assert len(store.rows(both, tables.records, terminal=h.terminal)) == 4
    end = store.one(both, tables.terminals, terminal=h.terminal)
    assert (end.last_n, end.top_n, end.captured) == (2, 6, 7)
    filled = h.push(3, 4)
    assert (stands(filled), marks(filled)) == ((7, []), [False, False])
    assert segments(both, h) == []
    assert (stands(h.push(7)), marks(h.push(7))) == ((8, []), [False])
    assert [row.n for row in kept(both, h)] == list(range(1, 8))
    store.verified(both)


def test_a_push_that_partly_covers_several_segments_gives_each_its_stored_outcome(standing: World) -> None:
    h = rounds(standing, 14)
    for first, last in ((2, 3), (6, 7), (9, 9), (13, 14)):
        h.push(first, last)
    assert segments(standing, h) == [(2, 3), (6, 7), (9, 9), (13, 14)]
    before = {row.n: row.outcome for row in kept(standing, h)}
    across = h.push(3, 11)
    assert [outcome["n"] for outcome in across.json()["outcomes"]] == list(range(3, 12))
    assert marks(across) == [True] * 9
    assert stands(across) == (1, [[1, 1], [12, 12]])
    assert segments(standing, h) == [(2, 11), (13, 14)]
    after = {row.n: row.outcome for row in kept(standing, h)}
    assert all(after[n] == outcome for n, outcome in before.items())
    assert hand.outcomes(across) == b",".join(after[n] for n in range(3, 12))
    whole = h.push()
    assert stands(whole) == (15, [])
    assert hand.outcomes(whole) == b",".join(row.outcome for row in kept(standing, h))
    store.verified(standing)


def test_at_most_a_hundred_ranges_are_told_and_one_push_fills_them_all(standing: World) -> None:
    h = rounds(standing, 210)
    for n in range(2, 211, 2):
        response = h.push(n, n)
    assert stands(response) == (1, [[n, n] for n in range(1, 200, 2)])
    assert stands(h.push(2, 3)) == (1, [[1, 1], *([n, n] for n in range(5, 202, 2))])
    filled = h.push(1, 206)
    assert stands(filled) == (207, [[207, 207], [209, 209]])
    assert hand.outcomes(filled) == b",".join(row.outcome for row in kept(standing, h) if row.n <= 206)
    assert stands(h.push(205, 210)) == (211, [])
    assert segments(standing, h) == []


def test_a_push_on_the_end_of_its_chain_reads_neither_segments_nor_outcomes(standing: World) -> None:
    h, statements = rounds(standing, 3), list[str]()
    h.push(1, 1)
    kept_connection = standing.services.store._kept
    assert kept_connection is not None
    driver: Any = kept_connection.connection.driver_connection
    driver.set_trace_callback(statements.append)
    try:
        h.push(2, 2)
    finally:
        driver.set_trace_callback(None)
    touched = [each for each in statements if "segments" in each or "operations.outcome" in each or "forks" in each]
    assert touched == []
    assert len([each for each in statements if "terminals" in each]) == 2 + 1, "end read, session read, end moved"


def test_another_number_than_the_frames_follow_is_no_gap_but_a_broken_body(standing: World) -> None:
    h = rounds(standing, 4)
    del h.frames[1]
    response = h.push(1, 3)
    assert (response.status_code, response.json()["code"]) == (400, "frame.malformed")


# A schema that the server does not take


def test_a_schema_that_is_not_taken_refuses_the_push_and_is_gone_round_by_a_gap(both: World) -> None:
    h = rounds(both, 2)
    h.open(schema=2)
    h.open()
    response = h.push()
    assert (response.status_code, response.json()["code"]) == (426, "schema.unsupported")
    assert response.json()["detail"] == {"kind": "patrol.round", "n": 3, "supported": [1]}
    assert kept(both, h) == []
    assert store.one(both, tables.terminals, terminal=h.terminal).state == "active"
    assert stands(h.push(1, 2)) == (3, [])
    assert stands(h.push(4)) == (3, [[3, 3]])
    assert h.push(3, 3).status_code == 426
    with mock.patch.object(Kind, "supported", lambda _: [1, 2]):
        upgraded = h.push(3, 4)
    assert stands(upgraded) == (5, [])


def test_what_was_taken_once_keeps_its_outcome_when_its_schema_is_no_longer_taken(standing: World) -> None:
    h = rounds(standing, 2)
    told = hand.outcomes(h.push(1, 1))
    later = {**kinds(), "patrol.round": replace(kinds()["patrol.round"], version=2)}
    with mock.patch.object(standing.services.pusher, "_acceptance", Acceptance(later)):
        assert hand.outcomes(h.push(1, 1)) == told
        assert h.push(1, 2).status_code == 426


# The head that a terminal shows


def signed(world: World, size: int) -> str:
    claims = {"facility": FACILITY, "epoch": 1, "size": size, "root": "A" * 43, "at": "2026-11-22T03:14:15.123Z"}
    key = world.services.keyring.head
    return key.sign({"typ": HEAD_TYPE, "kid": key.thumbprint}, claims)


def test_a_terminal_shows_the_newest_head_it_holds(small: World) -> None:
    h = rounds(small, 3)
    first = h.push(1, 1)
    assert h.push(1, 2, head=first.json()["head"]).status_code == 200
    for head in (7, None):
        assert (response := h.push(3, 3, head=head)).json()["code"] == "proof.invalid", response.text
    assert h.push(3, 3, head="not a head").status_code == 200, "what nobody signed says nothing"
    h.open()
    behind = h.push(4, 4, head=signed(small, 10_000))
    assert (behind.status_code, behind.json()["code"]) == (503, "server.behind")
    assert int(behind.headers["Retry-After"]) > 0
    assert [row.n for row in kept(small, h)] == [1, 2, 3]
    assert h.push(4, 4).json()["code"] == "server.behind", "and nothing is written until it is settled"


# Any cutting, in any order

CUTS = st.lists(st.tuples(st.integers(1, LENGTH), st.integers(0, 5)), max_size=10)


def mixed(world: World) -> Hand:
    """Twelve operations: some need others, one is refused, one is no operation."""
    h = Hand(world).signed_in("PAT")
    round_, opened = h.open()
    for at in range(2, LENGTH + 1):
        if at == 5:
            h.put(b"not an operation")
        elif at in (3, 8):
            h.open()
        else:
            note = "" if at == 9 else None
            fields = {"round": round_, "place": world.ids["K"], "tag": None, "cell": None, "note": note or "seen"}
            h.write("patrol.visit", "record", uuid7(), fields | ({"note": ""} if at == 9 else {}), after=[opened])
    return h


FINAL = ["applied"] * 4 + ["quarantined"] + ["applied"] * 3 + ["rejected"] + ["applied"] * 3


@settings(max_examples=60, deadline=None)
@given(cuts=CUTS, again=CUTS, rest=st.randoms(use_true_random=False))
def test_whatever_the_cutting_and_the_order_each_operation_has_one_outcome(
    standing: World, cuts: list[Cut], again: list[Cut], rest: Any
) -> None:
    h = mixed(standing)
    whole = [(n, n) for n in range(1, LENGTH + 1)]
    rest.shuffle(whole)
    received: set[int] = set()
    told: dict[int, dict[str, Any]] = {}
    for first, more in [*cuts, *((n, 0) for n, _ in whole)]:
        last = min(first + more, LENGTH)
        response = h.push(first, last)
        received |= set(range(first, last + 1))
        lacks = [n for n in range(1, max(received) + 1) if n not in received]
        next_, missing = stands(response)
        assert next_ == min([*lacks, max(received) + 1])
        assert [n for a, b in missing for n in range(a, b + 1)] == lacks
        for outcome in response.json()["outcomes"]:
            before = told.setdefault(outcome["n"], outcome)
            assert before == outcome or before["status"] == "held", "a final outcome was given twice, and differently"
            told[outcome["n"]] = outcome
    rows = kept(standing, h)
    assert [(row.n, row.status) for row in rows] == list(enumerate(FINAL, 1))
    for first, more in again:
        last = min(first + more, LENGTH)
        assert hand.outcomes(h.push(first, last)) == b",".join(row.outcome for row in rows[first - 1 : last])
    end = store.one(standing, tables.terminals, terminal=h.terminal)
    assert (end.last_n, end.top_n, end.captured, end.state) == (LENGTH, LENGTH, LENGTH, "active")
    assert end.last_hash == rows[-1].hash and segments(standing, h) == []
    assert len(store.rows(standing, tables.records, terminal=h.terminal)) == FINAL.count("applied")
