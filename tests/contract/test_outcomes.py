"""Outcomes by number: what became of an operation, without sending it again."""

from __future__ import annotations

from copy import copy
from typing import Any

import orjson
import pytest

from backend.identity import terminals
from backend.storage import tables
from headless import proof
from headless.errors import Problem
from tests.support import hand, store
from tests.support.hand import Hand
from tests.support.world import FACILITY, World


def rounds(world: World, count: int) -> Hand:
    h = Hand(world).signed_in("PAT")
    for _ in range(count):
        h.open()
    return h


def refused(ask: Any, *args: Any, **more: Any) -> tuple[int, str]:
    with pytest.raises(Problem) as problem:
        ask(*args, **more)
    return problem.value.status, problem.value.code


def test_outcomes_are_those_of_the_push_and_the_rest_of_its_answer_stands_beside_them(both: World) -> None:
    h = rounds(both, 4)
    h.put(b"not an operation")
    h.push(1, 2)
    pushed = h.push(4, 5).json()
    told = h.fetch(5, 1, 4, 3, 5)
    kept = {row.n: orjson.loads(row.outcome) for row in store.rows(both, tables.operations, terminal=h.terminal)}
    assert told["outcomes"] == [kept[1], kept[4], kept[5]]
    assert list(told) == list(pushed)
    assert {**told, "outcomes": None, "time": None} == {**pushed, "outcomes": None, "time": None}
    assert (told["next"], told["missing"], told["safe_upto"]) == (3, [[3, 3]], 0)


def test_no_numbers_tell_where_the_chain_stands(standing: World) -> None:
    h = rounds(standing, 2)
    assert (h.fetch()["next"], h.fetch()["outcomes"]) == (1, [])
    h.push(1, 1)
    assert h.fetch()["next"] == 2


def test_what_a_verified_backup_covers_is_told(standing: World) -> None:
    h = rounds(standing, 2)
    h.push()
    store.alter(standing, tables.terminals, {"terminal": h.terminal}, safe_n=1)
    assert h.fetch(1)["safe_upto"] == 1
    assert h.push().json()["safe_upto"] == 1


@pytest.mark.parametrize("body", [
    {"incarnation": 1},
    {"numbers": [1]},
    {"incarnation": 0, "numbers": []},
    {"incarnation": 2, "numbers": []},
    {"incarnation": "1", "numbers": []},
    {"incarnation": 1, "numbers": [0]},
    {"incarnation": 1, "numbers": ["1"]},
    {"incarnation": 1, "numbers": list(range(1, 502))},
    {"incarnation": 1, "numbers": [], "terminal": "x"},
], ids=lambda body: str(body)[:50])  # fmt: skip
def test_a_wrong_question_is_refused(standing: World, body: dict[str, Any]) -> None:
    h = rounds(standing, 0)
    assert refused(h.wire.ask, h.key, "POST", "/v1/sync/outcomes", body) == (422, "request.invalid")


def test_five_hundred_numbers_are_answered(standing: World) -> None:
    h = rounds(standing, 1)
    h.push()
    assert [outcome["n"] for outcome in h.fetch(*range(1, 501))["outcomes"]] == [1]


def test_only_the_key_of_the_terminal_is_told(standing: World) -> None:
    h = rounds(standing, 1)
    h.push()
    other = rounds(standing, 0)
    assert other.fetch(1)["outcomes"] == []
    other.key = proof.Key(proof.new_key())
    assert refused(other.fetch, 1) == (401, "terminal.unknown")


def test_a_frozen_incarnation_and_an_ended_one_are_told_theirs(both: World) -> None:
    h = rounds(both, 2)
    pushed = h.push()
    clone = copy(h)
    clone.frames = []
    clone.open()
    assert clone.push().status_code == 409
    expected = orjson.loads(b"[" + hand.outcomes(pushed) + b"]")
    assert h.fetch(1, 2)["outcomes"] == expected
    old = copy(h)
    h.begin_again()
    assert old.fetch(1, 2)["outcomes"] == expected, "by the key that it had"
    told = h.fetch(1, 2, incarnation=1)
    assert told["outcomes"] == expected, "and by the one that came after"
    assert (told["incarnation"], told["next"]) == (1, 3)
    assert (h.fetch(1)["outcomes"], h.fetch()["next"]) == ([], 1)
    assert refused(old.fetch, 1, incarnation=2) == (422, "request.invalid"), "not the other way round"


def test_an_ended_incarnation_is_as_safe_as_the_log_is(standing: World) -> None:
    h = rounds(standing, 3)
    h.push()
    h.begin_again("restored")
    assert h.fetch(incarnation=1)["safe_upto"] == 0
    rows = store.rows(standing, tables.operations, terminal=h.terminal)
    for size, safe in ((rows[0].leaf, 0), (rows[0].leaf + 1, 1), (rows[2].leaf, 2), (rows[2].leaf + 1, 3)):
        store.alter(standing, tables.facilities, {"facility": FACILITY}, safe_size=size)
        assert h.fetch(incarnation=1)["safe_upto"] == safe
    store.alter(standing, tables.facilities, {"facility": FACILITY}, safe_size=0)


def test_a_revoked_terminal_is_not_told(standing: World) -> None:
    h = rounds(standing, 1)
    h.push()
    terminals.revoke(standing.services.door, FACILITY, h.terminal, "test")
    assert refused(h.fetch, 1) == (403, "terminal.revoked")
