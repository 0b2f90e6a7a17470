"""A device that is enrolled again closes the terminal it was, and what that one had captured and never sent is listed."""

from __future__ import annotations

from copy import copy
from typing import Any

import pytest

from backend.identity import terminals
from backend.storage import tables
from headless.errors import Problem
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import FACILITY, World


def enrolled(world: World, asset: str | None, count: int = 0) -> Hand:
    h = Hand(world, asset=asset).signed_in("PAT")
    for _ in range(count):
        h.open()
    return h


def closings(world: World, h: Hand) -> list[tuple[str, Any]]:
    return [
        (leaf["by_asset"], leaf["never_received"])
        for leaf in store.leaves(world)
        if leaf["act"] == "terminal.closed" and leaf["terminal"] == h.terminal
    ]


def state(world: World, h: Hand) -> str:
    found: str = store.one(world, tables.terminals, terminal=h.terminal).state
    return found


def test_enrolling_an_asset_again_closes_its_old_terminal_and_lists_the_loss(both: World) -> None:
    old = enrolled(both, "资产-0042", 9)
    old.push(1, 2)
    old.push(5, 5)
    other, none = enrolled(both, "资产-0043"), enrolled(both, None)
    again = enrolled(both, "资产-0042")
    assert closings(both, old) == [("资产-0042", [[3, 4], [6, 9]])]
    assert [state(both, h) for h in (old, other, none, again)] == ["closed", "active", "active", "active"]
    assert store.one(both, tables.terminals, terminal=again.terminal).asset == "资产-0042"
    response = old.push(3, 4)
    assert (response.status_code, response.json()["code"]) == (403, "terminal.revoked")
    with pytest.raises(Problem) as problem:
        old.pull()
    assert problem.value.code == "terminal.revoked"
    assert old.wire.ask(old.key, "POST", "/v1/terminals/wiped") == {}
    enrolled(both, "资产-0042")
    assert (closings(both, again), len(closings(both, old))) == ([("资产-0042", [])], 1)
    store.verified(both)


def test_the_same_code_again_closes_nothing(standing: World) -> None:
    h = enrolled(standing, "asset-7")
    code = standing.code()
    body = {"code": code, "label": "by hand", "jwk": h.key.jwk, "asset": "asset-7"}
    with pytest.raises(Problem) as problem:
        h.wire.ask(h.key, "POST", "/v1/terminals", body)
    assert problem.value.code == "code.invalid"
    assert state(standing, h) == "active", "a refused enrolment closes nothing"
    first = Hand(standing, code=code, asset="asset-8")
    again = first.wire.ask(first.key, "POST", "/v1/terminals", body | {"jwk": first.key.jwk, "asset": "asset-8"})
    assert again["terminal"] == first.terminal and state(standing, first) == "active"


def test_frozen_and_revoked_terminals_are_closed_too_and_forked_numbers_were_received(standing: World) -> None:
    frozen = enrolled(standing, "asset-1", 4)
    frozen.push(1, 2)
    clone = copy(frozen)
    clone.frames = frozen.frames[:1]
    for _ in range(2):
        clone.open()
    assert clone.push(2, 3).status_code == 409
    revoked = enrolled(standing, "asset-2", 1)
    revoked.push()
    terminals.revoke(standing.services.door, FACILITY, revoked.terminal, "test")
    enrolled(standing, "asset-1")
    enrolled(standing, "asset-2")
    assert closings(standing, frozen) == [("asset-1", [[4, 4]])], "3 lies among the forks"
    assert closings(standing, revoked) == [("asset-2", [])]
    assert (state(standing, frozen), state(standing, revoked)) == ("closed", "closed")


def test_a_wiped_terminal_stays_wiped(standing: World) -> None:
    h = enrolled(standing, "asset-3")
    h.wire.ask(h.key, "POST", "/v1/terminals/wiped")
    enrolled(standing, "asset-3")
    assert (state(standing, h), closings(standing, h)) == ("wiped", [])


@pytest.mark.parametrize("asset", ["", "x" * 41, 7])
def test_an_asset_is_a_short_text(standing: World, asset: Any) -> None:
    with pytest.raises(Problem) as problem:
        Hand(standing, asset=asset)
    assert (problem.value.status, problem.value.body["errors"][0]["field"]) == (422, "asset")
