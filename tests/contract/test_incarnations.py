"""A new incarnation: another key, numbers from 1, and nothing lost of what the old one had."""

from __future__ import annotations

from copy import copy
from typing import Any

import orjson
import pytest

from backend.identity import terminals
from backend.storage import tables
from headless import chain, proof
from headless.errors import Problem
from tests.support import hand, store
from tests.support.hand import Hand
from tests.support.world import FACILITY, World


def fresh() -> proof.Key:
    return proof.Key(proof.new_key())


def rounds(world: World, count: int) -> Hand:
    h = Hand(world).signed_in("PAT")
    for _ in range(count):
        h.open()
    return h


def fork(h: Hand, n: int) -> Hand:
    """Freezes a terminal by a copy of it that has another operation ``n``; returns the copy."""
    clone = copy(h)
    clone.frames = h.frames[: n - 1]
    clone.open()
    response = clone.push(n, n)
    assert (response.status_code, response.json()["code"]) == (409, "chain.fork")
    return clone


def refused(ask: Any, *args: Any, **more: Any) -> tuple[int, str, Any]:
    with pytest.raises(Problem) as problem:
        ask(*args, **more)
    return problem.value.status, problem.value.code, problem.value.detail


def rewrap(h: Hand, frames: hand.Frames) -> None:
    """Puts operations of an incarnation that ended on the present chain: the same but incarnation and number."""
    for _, _, raw in frames:
        h.put(orjson.dumps(orjson.loads(raw) | {"incarnation": h.incarnation, "n": h.n + 1}))


def issued(world: World, h: Hand) -> list[dict[str, Any]]:
    return [
        {name: leaf[name] for name in ("incarnation", "key", "reason", "from")}
        for leaf in store.leaves(world)
        if leaf["act"] == "incarnation.issued" and leaf["terminal"] == h.terminal
    ]


def test_work_goes_on_under_a_new_incarnation_after_a_fork(both: World) -> None:
    h = rounds(both, 4)
    h.told(1, 3)
    fork(h, 3)
    old, old_key = h.genesis, proof.thumbprint(h.key.jwk)
    frames = h.begin_again()
    key = proof.thumbprint(h.key.jwk)
    assert h.incarnation == 2
    assert h.genesis == chain.genesis(FACILITY, h.terminal, 2, key) != old
    assert issued(both, h) == [
        {"incarnation": 2, "key": key, "reason": "fork", "from": {"incarnation": 1, "n": 3}}
    ]  # fmt: skip
    past = store.one(both, tables.incarnations, terminal=h.terminal)
    assert (past.incarnation, past.thumbprint, past.last_n, past.captured, past.why) == (1, old_key, 3, 4, "fork")
    end = store.one(both, tables.terminals, terminal=h.terminal)
    assert (end.state, end.incarnation, end.last_n, end.top_n, end.captured) == ("active", 2, 0, 0, 0)
    rewrap(h, frames[3:])
    h.signed_in("PAT")
    h.open()
    response = h.push()
    assert response.json()["incarnation"] == 2 and response.json()["next"] == 3
    assert [outcome["status"] for outcome in response.json()["outcomes"]] == ["applied"] * 2
    rows = store.rows(both, tables.operations, terminal=h.terminal)
    assert [(row.incarnation, row.n) for row in rows] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]
    store.verified(both)


def test_an_older_copy_of_a_store_asks_without_a_fork(both: World) -> None:
    h = rounds(both, 2)
    h.told()
    h.begin_again("restored")
    assert issued(both, h)[0]["reason"] == "restored"
    assert store.one(both, tables.incarnations, terminal=h.terminal).why == "restored"
    assert store.rows(both, tables.forks, terminal=h.terminal) == []


def test_the_same_request_again_gets_the_same_answer_and_another_key_is_second(both: World) -> None:
    h, key = rounds(both, 1), fresh()
    first = h.ask_next(key)
    leaves = len(store.leaves(both))
    again = h.ask_next(key)
    assert {name: again[name] for name in ("terminal", "incarnation", "genesis")} == {
        name: first[name] for name in ("terminal", "incarnation", "genesis")
    }
    assert refused(h.ask_next, fresh()) == (409, "incarnation.taken", {})
    assert len(store.leaves(both)) == leaves
    successor = copy(h)
    successor.key = key
    last = fresh()
    assert successor.ask_next(last, "restored")["incarnation"] == 3
    assert h.ask_next(key)["incarnation"] == 2, "the answer to a question does not change with what came since"
    assert refused(h.ask_next, last) == (409, "incarnation.taken", {})


def test_a_key_is_of_one_incarnation_of_one_terminal(standing: World) -> None:
    h, other = rounds(standing, 1), rounds(standing, 1)
    for key in (h.key, other.key):
        status, code, _ = refused(h.ask_next, key)
        assert (status, code) == (422, "request.invalid")
    old = h.key
    h.begin_again()
    assert refused(other.ask_next, old)[:2] == (422, "request.invalid")
    body = {"code": standing.code(), "label": "by hand", "jwk": old.jwk}
    assert refused(h.wire.ask, old, "POST", "/v1/terminals", body)[:2] == (403, "code.invalid")


@pytest.mark.parametrize("wrong", [
    {"terminal": chain.uuid7()},
    {"thumbprint": "A" * 43},
    {"terminal": 7},
])  # fmt: skip
def test_the_new_key_must_prove_itself_for_this_terminal(standing: World, wrong: dict[str, Any]) -> None:
    h = rounds(standing, 1)
    assert refused(h.ask_next, fresh(), **wrong)[:2] == (401, "proof.invalid")
    key, other = fresh(), fresh()
    claims = {"terminal": h.terminal, "thumbprint": proof.thumbprint(key.jwk)}
    for signed in (
        other._sign(claims, {"typ": "roundsman-key+jwt"}),
        key._sign(claims, {"typ": "roundsman-push+jwt"}),
        "no.jws.at-all",
    ):
        body = {"jwk": key.jwk, "proof": signed, "reason": "fork"}
        assert refused(h.wire.ask, h.key, "POST", "/v1/terminals/incarnations", body)[:2] == (401, "proof.invalid")
    assert store.rows(standing, tables.incarnations, terminal=h.terminal) == []


def test_who_is_not_enrolled_has_no_incarnations(standing: World) -> None:
    h = rounds(standing, 0)
    h.key = fresh()
    assert refused(h.ask_next, fresh())[:2] == (401, "terminal.unknown")


def test_a_revoked_terminal_gets_none_but_hears_again_of_the_one_it_has(both: World) -> None:
    h, key = rounds(both, 1), fresh()
    h.ask_next(key)
    terminals.revoke(both.services.door, FACILITY, h.terminal, "test")
    assert h.ask_next(key)["incarnation"] == 2
    assert refused(h.ask_next, fresh()) == (403, "terminal.revoked", {})
    h.key = key
    assert refused(h.ask_next, fresh()) == (403, "terminal.revoked", {})


def test_the_old_key_does_nothing_any_more(both: World) -> None:
    h = rounds(both, 2)
    h.told(1, 1)
    before = copy(h)
    h.begin_again("restored")
    response = before.push(2, 2)
    assert (response.status_code, response.json()["code"]) == (409, "incarnation.frozen")
    assert response.json()["detail"] == {"incarnation": 2}
    frozen = (409, "incarnation.frozen", {"incarnation": 2})
    assert refused(before.pull) == frozen
    assert refused(lambda: before.signed_in("PAT")) == frozen
    stolen = copy(h)
    stolen.token = before.token
    assert refused(stolen.pull)[:2] == (401, "session.missing"), "a token is bound to the key it was made for"
    h.signed_in("PAT")
    assert h.pull()["partitions"]


def test_the_proof_of_a_push_is_checked_with_the_key_of_its_incarnation(standing: World) -> None:
    h = rounds(standing, 1)
    h.told()
    old = copy(h)
    h.begin_again()
    h.signed_in("PAT").open()
    for hand_, claimed, expected in (
        (h, 1, (401, "proof.invalid")),
        (old, 2, (401, "proof.invalid")),
        (h, 3, (401, "terminal.unknown")),
        (h, 0, (401, "terminal.unknown")),
    ):
        response = hand_.push(1, 1, incarnation=claimed)
        assert (response.status_code, response.json()["code"]) == expected
    assert h.push().status_code == 200


def test_numbers_and_gaps_of_the_old_incarnation_are_not_those_of_the_new_one(both: World) -> None:
    h = rounds(both, 4)
    h.push(1, 1)
    h.push(4, 4)
    frames = h.begin_again("restored")
    h.signed_in("PAT")
    rewrap(h, frames[1:3])
    assert h.push(1, 1).json()["next"] == 2
    assert h.push(2, 2).json()["missing"] == []
    kept = store.rows(both, tables.segments, terminal=h.terminal)
    assert [(row.incarnation, row.first, row.last) for row in kept] == [(1, 4, 4)]
    told = h.fetch(1, 2, 4, incarnation=1)
    assert (told["incarnation"], told["next"], told["missing"]) == (1, 2, [[2, 3]])
    assert [outcome["n"] for outcome in told["outcomes"]] == [1, 4]
    store.verified(both)


def test_one_that_the_server_had_known_is_told_again_and_has_one_effect(both: World) -> None:
    h = rounds(both, 2)
    (first, _) = h.told()
    frames = h.begin_again("restored")
    rewrap(h, frames)
    told = h.told()
    assert [outcome["repeats"] for outcome in told] == [{"incarnation": 1, "n": 1}, {"incarnation": 1, "n": 2}]
    assert (told[0]["status"], told[0]["record"], told[0]["seq"]) == ("applied", first["record"], first["seq"])
    assert len(store.rows(both, tables.records, terminal=h.terminal)) == 2
    store.verified(both)
