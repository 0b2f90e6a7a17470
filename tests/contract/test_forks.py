"""A chain that divides ends its incarnation; whatever came on the other branch is kept as it was sent."""

from __future__ import annotations

from copy import copy
from typing import Any

import httpx
import pytest

from backend.audit.verify import Broken
from backend.storage import tables
from headless.errors import Problem
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import World


def rounds(world: World, count: int) -> Hand:
    h = Hand(world).signed_in("PAT")
    for _ in range(count):
        h.open()
    return h


def branch(h: Hand, n: int, length: int | None = None) -> Hand:
    """The same terminal from an older copy: from number ``n`` on it has other operations."""
    clone = copy(h)
    clone.frames = h.frames[: n - 1]
    for _ in range((length or h.n) - n + 1):
        clone.open()
    return clone


def forked(response: httpx.Response) -> int:
    assert (response.status_code, response.json()["code"]) == (409, "chain.fork"), response.text
    n: int = response.json()["detail"]["n"]
    return n


def frozen(response: httpx.Response) -> Any:
    assert (response.status_code, response.json()["code"]) == (409, "incarnation.frozen"), response.text
    return response.json()["detail"]["incarnation"]


def quarantined(world: World, h: Hand) -> list[tuple[int, bytes]]:
    return [(row.n, row.raw) for row in store.rows(world, tables.forks, terminal=h.terminal)]


def fork_leaves(world: World, h: Hand) -> list[tuple[int, int, int]]:
    return [
        (leaf["incarnation"], leaf["n"], leaf["count"])
        for leaf in store.leaves(world)
        if leaf["act"] == "chain.forked" and leaf["terminal"] == h.terminal
    ]


def raws(h: Hand, *numbers: int) -> list[tuple[int, bytes]]:
    return [(n, h.frames[n - 1][2]) for n in numbers]


def received(world: World, h: Hand) -> list[int]:
    return [row.n for row in store.rows(world, tables.operations, terminal=h.terminal)]


def test_other_bytes_under_a_known_number_freeze_the_incarnation_and_are_kept(both: World) -> None:
    h = rounds(both, 5)
    h.told(1, 3)
    clone = branch(h, 2, 6)
    assert forked(clone.push(1, 5)) == 2
    assert quarantined(both, h) == raws(clone, 2, 3, 4, 5)
    assert fork_leaves(both, h) == [(1, 2, 4)]
    end = store.one(both, tables.terminals, terminal=h.terminal)
    assert (end.state, end.incarnation, end.last_n, end.captured) == ("frozen", 1, 3, 6)
    assert received(both, h) == [1, 2, 3]
    for response in (h.push(4, 5), h.push(1, 3), clone.push(1, 5), h.push(5, 5)):
        assert frozen(response) is None
    assert len(fork_leaves(both, h)) == 1, "nothing more is taken of it, and nothing more is written"
    store.verified(both)


@pytest.mark.parametrize("first", [3, 4])
def test_a_new_number_on_another_past_is_a_fork(standing: World, first: int) -> None:
    h = rounds(standing, 4)
    h.told(1, first - 1)
    clone = branch(h, 2)
    assert forked(clone.push(first, 4)) == first
    assert quarantined(standing, h) == raws(clone, *range(first, 5))
    assert received(standing, h) == list(range(1, first))


def test_bytes_that_hang_on_a_past_which_never_came_are_proven_all_the_same(small: World) -> None:
    h = rounds(small, 4)
    h.told(1, 2)
    clone = branch(h, 2)
    assert forked(clone.push(3, 4)) == 3
    store.verified(small)
    for n in (3, 4):
        store.alter(small, tables.forks, {"n": n}, raw=b"other bytes")
        with pytest.raises(Broken, match=f"forked operation {n}"):
            store.verified(small)
        store.alter(small, tables.forks, {"n": n}, raw=clone.frames[n - 1][2])
    store.verified(small)


def test_another_first_operation_or_another_genesis_is_a_fork(standing: World) -> None:
    h = rounds(standing, 2)
    h.told(1, 2)
    assert forked(branch(h, 1).push(1, 1)) == 1
    other = rounds(standing, 2)
    other.genesis = h.genesis
    other.frames = []
    other.open()
    assert forked(other.push()) == 1


GAPS = {
    "the filling ends with another hash than the segment claims": ((3, 4), 2, (1, 2), 2, [1, 2]),
    "it reaches into the segment": ((3, 4), 2, (1, 3), 2, [1, 2, 3]),
    "it reaches beyond the segment": ((3, 4), 2, (1, 6), 2, [1, 2, 3, 4, 5, 6]),
    "only the last number before the segment comes": ((3, 4), 2, (2, 2), 2, [2]),
    "what follows the segment was made on another past": ((3, 4), 4, (5, 6), 5, [5, 6]),
    "what lies in the segment has other bytes": ((3, 5), 4, (4, 4), 4, [4]),
    "the segment's first number claims another past": ((3, 4), 2, (3, 4), 3, [3, 4]),
    "a known number lies in what is sent, then a gap is filled with a fork": ((3, 4), 2, (1, 4), 2, [1, 2, 3, 4]),
}


@pytest.mark.parametrize("name", GAPS)
def test_a_gap_that_is_not_filled_with_what_was_claimed_is_a_fork(standing: World, name: str) -> None:
    segment, divides, pushed, n, kept = GAPS[name]
    h = rounds(standing, 6)
    assert h.push(*segment).status_code == 200
    clone = branch(h, divides)
    before = store.rows(standing, tables.operations, terminal=h.terminal)
    assert forked(clone.push(*pushed)) == n
    assert quarantined(standing, h) == raws(clone, *kept)
    assert fork_leaves(standing, h) == [(1, n, len(kept))]
    assert store.rows(standing, tables.operations, terminal=h.terminal) == before
    assert frozen(h.push(1, 6)) is None
    store.verified(standing)


def test_a_filling_in_pieces_is_a_fork_at_the_piece_that_does_not_fit(standing: World) -> None:
    h = rounds(standing, 6)
    h.push(5, 6)
    clone = branch(h, 2)
    assert clone.push(1, 2).status_code == 200
    assert forked(clone.push(3, 4)) == 4
    assert quarantined(standing, h) == raws(clone, 3, 4)
    assert received(standing, h) == [1, 2, 5, 6]
    store.verified(standing)


def test_two_branches_beyond_the_same_gap_are_a_fork_where_they_meet(standing: World) -> None:
    h = rounds(standing, 8)
    clone = branch(h, 2)
    h.push(3, 4)
    assert clone.push(7, 8).status_code == 200, "nobody can know yet"
    assert forked(clone.push(5, 6)) == 5
    assert quarantined(standing, h) == raws(clone, 5, 6)
    store.verified(standing)


def test_a_frozen_terminal_reads_and_signs_in_no_more_until_it_begins_again(both: World) -> None:
    h = rounds(both, 2)
    h.told(1, 2)
    forked(branch(h, 2).push(2, 2))
    for ask in (h.pull, lambda: h.signed_in("PAT")):
        with pytest.raises(Problem) as problem:
            ask()
        assert (problem.value.status, problem.value.code) == (409, "incarnation.frozen")
        assert problem.value.detail == {"incarnation": None}
    h.begin_again()
    h.signed_in("PAT")
    assert h.pull()["partitions"]
    h.open()
    assert [outcome["status"] for outcome in h.told()] == ["applied"]
    store.verified(both)
