"""A revoked terminal hands in its queue, all of it, and is then told to wipe itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import httpx
import pytest

from backend.audit import backups
from backend.identity import facilities, terminals
from backend.kernel.keys import load_jwk
from backend.storage import tables
from backend.storage.engine import sqlite_url
from headless import proof
from headless.chain import uuid7
from headless.errors import Problem
from tests.contract.test_epochs import opens
from tests.support import hand, store
from tests.support.hand import Hand
from tests.support.world import FACILITY, World

REVOKED = (403, "terminal.revoked")


def rounds(world: World, count: int) -> Hand:
    h = Hand(world).signed_in("PAT")
    for _ in range(count):
        h.open()
    return h


def revoke(world: World, h: Hand) -> None:
    terminals.revoke(world.services.door, FACILITY, h.terminal, "test")


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def refused(ask: Any, *args: Any) -> tuple[int, str]:
    with pytest.raises(Problem) as problem:
        ask(*args)
    return problem.value.status, problem.value.code


def handed(response: httpx.Response) -> tuple[list[tuple[int, str]], str | None]:
    assert response.status_code == 200, response.text
    told = response.json()
    return [(outcome["n"], outcome["status"]) for outcome in told["outcomes"]], told["order"]


@pytest.fixture
def back_up(request: pytest.FixtureRequest) -> Iterator[Callable[[World], None]]:
    """Makes a copy of an installation, reads it back, and tells the live store what it covers."""
    copies: list[str] = []

    def made(world: World) -> None:
        services = world.services
        if services.store.sqlite:
            target = world.folder / f"{uuid7()}.sqlite3"
            backups.make(services.store, target)
            url = sqlite_url(target)
        else:
            services.store.engine.dispose()
            url = request.getfixturevalue("postgres").fresh(world.settings.database)
            copies.append(url)
        backups.confirm(services.door, load_jwk(services.keyring.head.jwk), url)

    yield made
    for url in copies:
        request.getfixturevalue("postgres").drop(url)


def acts(world: World, h: Hand) -> list[str]:
    found = [leaf["act"] for leaf in store.leaves(world) if leaf.get("terminal") == h.terminal]
    return [act for act in found if act.startswith("terminal.")]


def test_everything_ends_in_escrow_and_the_order_comes_with_the_last_of_it(both: World) -> None:
    h = rounds(both, 2)
    h.told(1, 1)
    h.open()
    h.put(b"not an operation")
    h.open()
    revoke(both, h)
    records = len(store.rows(both, tables.records, kind="patrol.round"))
    assert handed(h.evacuate(1, 2)) == ([(1, "applied"), (2, "escrowed")], None)
    over = h.evacuate(5, 5)
    assert handed(over) == ([(5, "escrowed")], None)
    assert over.json()["missing"] == [[3, 4]]
    last = h.evacuate(3, 4)
    assert handed(last) == ([(3, "escrowed"), (4, "quarantined")], "keep")
    assert (last.json()["next"], last.json()["missing"]) == (6, [])
    problem = last.json()["outcomes"][0]["problem"]["code"]
    assert problem == "terminal.evacuated"
    assert len(store.rows(both, tables.records, kind="patrol.round")) == records, "nothing took effect"
    whole = h.evacuate()
    assert handed(whole)[1] == "keep"
    kept = store.rows(both, tables.operations, terminal=h.terminal)
    assert hand.outcomes(whole) == b",".join(row.outcome for row in kept)
    assert [row.raw for row in kept] == [raw for _, _, raw in h.frames]
    store.verified(both)


def test_the_wipe_is_ordered_when_a_copy_that_was_read_back_has_it_all(
    both: World, back_up: Callable[[World], None]
) -> None:
    h = rounds(both, 3)
    h.told(1, 1)
    revoke(both, h)
    h.evacuate(2, 2)
    back_up(both)
    assert handed(h.evacuate(3, 3)) == ([(3, "escrowed")], "keep"), "the copy lacks the last of it"
    assert handed(nothing(h)) == ([], "keep")
    back_up(both)
    assert handed(nothing(h)) == ([], "wipe")


def test_a_fork_s_bytes_must_be_in_the_copy_too(small: World, back_up: Callable[[World], None]) -> None:
    h = rounds(small, 2)
    h.told()
    clone = copy(h)
    clone.frames = h.frames[:1]
    clone.open()
    revoke(small, h)
    back_up(small)
    assert handed(clone.evacuate(2, 2)) == ([(2, "quarantined")], "keep")
    small.clock.advance(1)
    rounds(small, 0)  # work went on: the head that is copied is younger
    back_up(small)
    assert handed(nothing(clone)) == ([], "wipe")


def test_a_copy_of_an_earlier_epoch_lets_nobody_go(small: World, back_up: Callable[[World], None]) -> None:
    h, idle = rounds(small, 1), Hand(small)
    h.told()
    for each in (h, idle):
        revoke(small, each)
    back_up(small)
    opens(small)
    assert handed(nothing(h)) == ([], "keep")
    assert handed(nothing(idle)) == ([], "wipe"), "it has nothing that could be lost"
    back_up(small)
    assert handed(nothing(h)) == ([], "wipe")


def test_an_operation_of_a_schema_that_is_not_taken_is_handed_in_too(standing: World) -> None:
    h = rounds(standing, 1)
    h.open(schema=2)
    revoke(standing, h)
    assert handed(h.evacuate()) == ([(1, "escrowed"), (2, "escrowed")], "keep")


def test_what_was_captured_and_has_not_come_holds_the_order_back(standing: World) -> None:
    h = rounds(standing, 3)
    h.push(1, 2, captured=9)
    revoke(standing, h)
    assert handed(h.evacuate(1, 3)) == ([(1, "applied"), (2, "applied"), (3, "escrowed")], None)
    assert handed(h.evacuate(3, 3, captured=3)) == ([(3, "escrowed")], None), "less is not believed later"
    for _ in range(6):
        h.open()
    assert handed(h.evacuate(4, 9))[1] == "keep"


def test_a_revoked_terminal_is_answered_nowhere_else(both: World) -> None:
    h = rounds(both, 2)
    h.told(1, 1)
    revoke(both, h)
    assert code(h.push(1, 1)) == REVOKED
    assert code(h.push(2, 2)) == REVOKED
    for ask in (h.pull, h.fetch, lambda: h.signed_in("PAT")):
        assert refused(ask) == REVOKED
    assert handed(h.evacuate(2, 2)) == ([(2, "escrowed")], "keep")


def test_an_active_or_a_frozen_terminal_is_not_evacuated(standing: World) -> None:
    h = rounds(standing, 2)
    assert code(h.evacuate()) == (409, "evacuation.not_ordered")
    h.told(1, 1)
    clone = copy(h)
    clone.frames = []
    clone.open()
    assert code(clone.push(1, 1)) == (409, "chain.fork")
    assert code(h.evacuate()) == (409, "evacuation.not_ordered")


def test_a_proof_for_one_route_is_none_for_the_other(standing: World) -> None:
    h = rounds(standing, 1)
    push = h.key.push(h.claims())
    body = b"%d %s %d\n%s\n" % (1, h.frames[0][1].encode(), len(h.frames[0][2]), h.frames[0][2])
    assert code(hand.send(standing, push, body, hand.EVACUATE)) == (401, "proof.invalid")
    evacuation = h.key._sign(h.claims(), {"typ": "roundsman-evacuation+jwt", "kid": h.terminal})
    assert code(hand.send(standing, evacuation, body)) == (401, "proof.invalid")


def test_a_copy_of_a_revoked_terminal_is_quarantined_and_still_let_go(both: World) -> None:
    """Nobody freezes what is revoked: what lies off its chain is kept, and told the same each time."""
    h = rounds(both, 4)
    h.told(1, 3)
    clone = copy(h)
    clone.frames = h.frames[:1]
    for _ in range(3):
        clone.open()
    revoke(both, h)
    first = clone.evacuate(1, 4)
    assert handed(first) == ([(1, "applied"), (2, "quarantined"), (3, "quarantined"), (4, "quarantined")], "keep")
    assert first.json()["outcomes"][1]["problem"]["code"] == "chain.fork"
    assert [row.raw for row in store.rows(both, tables.forks, terminal=h.terminal)] == [
        raw for _, _, raw in clone.frames[1:]
    ]  # fmt: skip
    leaves = len(store.leaves(both))
    assert hand.outcomes(clone.evacuate(1, 4)) == hand.outcomes(first)
    assert hand.outcomes(clone.evacuate(3, 3)) in hand.outcomes(first)
    assert len(store.leaves(both)) == leaves
    assert store.one(both, tables.terminals, terminal=h.terminal).state == "revoked"
    assert handed(h.evacuate(2, 4)) == ([(2, "applied"), (3, "applied"), (4, "escrowed")], "keep")
    store.verified(both)


def test_a_frozen_terminal_that_is_revoked_hands_in_what_it_has(standing: World) -> None:
    h = rounds(standing, 3)
    h.told(1, 1)
    clone = copy(h)
    clone.frames = []
    clone.open()
    assert code(clone.push()) == (409, "chain.fork")
    revoke(standing, h)
    assert handed(h.evacuate(2, 3)) == ([(2, "escrowed"), (3, "escrowed")], "keep")


def test_the_wipe_is_kept_as_the_claim_it_is(both: World) -> None:
    h = rounds(both, 1)
    revoke(both, h)
    h.evacuate()
    for _ in range(2):
        assert h.wire.ask(h.key, "POST", "/v1/terminals/wiped") == {}
    assert acts(both, h) == ["terminal.enrolled", "terminal.revoked", "terminal.wiped"]
    assert code(h.evacuate()) == REVOKED
    assert code(h.push()) == REVOKED
    assert refused(h.pull) == REVOKED
    assert refused(h.ask_next, proof.Key(proof.new_key())) == REVOKED
    revoke(both, h)
    assert acts(both, h)[-1] == "terminal.wiped", "a wiped terminal is not revoked again"
    store.verified(both)


def test_nobody_says_wiped_for_an_incarnation_that_ended_or_for_no_terminal(standing: World) -> None:
    h = rounds(standing, 1)
    old = h.key
    h.begin_again("restored")
    assert refused(h.wire.ask, old, "POST", "/v1/terminals/wiped") == (409, "incarnation.frozen")
    assert store.one(standing, tables.terminals, terminal=h.terminal).state == "active"
    nobody = proof.Key(proof.new_key())
    assert refused(h.wire.ask, nobody, "POST", "/v1/terminals/wiped") == (401, "terminal.unknown")


# Who revokes


def test_an_administrator_revokes_a_terminal_and_nobody_else_does(both: World) -> None:
    h, admin = rounds(both, 1), Hand(both).signed_in("ADM")
    route = f"/v1/terminals/{h.terminal}/revoke"
    other = Hand(both).signed_in("LEAD")
    assert refused(other.wire.ask, other.key, "POST", route, None, other.token) == (403, "role.forbidden")
    for _ in range(2):
        assert admin.wire.ask(admin.key, "POST", route, None, admin.token) == {}
    assert code(h.push()) == REVOKED
    (leaf,) = [leaf for leaf in store.leaves(both) if leaf["act"] == "terminal.revoked"]
    assert (leaf["terminal"], leaf["by"]) == (h.terminal, admin.officer)


def test_the_server_s_own_terminal_and_those_of_others_are_not_revoked(standing: World) -> None:
    admin = Hand(standing).signed_in("ADM")
    server = facilities.one(standing.services.store, FACILITY).server
    for terminal in (server, uuid7()):
        route = f"/v1/terminals/{terminal}/revoke"
        assert refused(admin.wire.ask, admin.key, "POST", route, None, admin.token) == (404, "route.unknown")
    assert store.one(standing, tables.terminals, terminal=server).state == "active"


def test_the_console_revokes_a_terminal(small: World) -> None:
    h = rounds(small, 1)
    runner = small.app.test_cli_runner()
    done = runner.invoke(args=["terminals", "revoke", FACILITY, h.terminal])
    assert (done.exit_code, done.output) == (0, f"{h.terminal} is revoked\n")
    assert code(h.push()) == REVOKED
    for args in (["NOWHERE", h.terminal], [FACILITY, uuid7()]):
        failed = runner.invoke(args=["terminals", "revoke", *args])
        assert failed.exit_code == 1 and "there is no" in failed.output


def test_who_has_nothing_left_asks_with_nothing(standing: World) -> None:
    idle, behind = Hand(standing), rounds(standing, 3)
    behind.push(3, 3)
    for h in (idle, behind):
        revoke(standing, h)
    assert handed(nothing(idle)) == ([], "wipe")
    assert handed(nothing(behind)) == ([], None)
    assert handed(behind.evacuate(1, 2))[1] == "keep"
    assert handed(nothing(behind)) == ([], "keep")


def test_one_whose_device_was_enrolled_again_still_hands_in_what_it_has(standing: World) -> None:
    h = Hand(standing, asset="asset-evacuated").signed_in("PAT")
    h.open()
    Hand(standing, asset="asset-evacuated")
    assert code(h.push()) == REVOKED
    assert handed(h.evacuate()) == ([(1, "escrowed")], "keep")


def nothing(h: Hand) -> httpx.Response:
    """An evacuation without frames."""
    last = h.frames[-1][1] if h.frames else h.genesis
    claims = {
        "facility": h.facility, "terminal": h.terminal, "incarnation": 1, "first": h.n + 1, "count": 0,
        "prior": last, "last": last, "captured": h.n,
    }  # fmt: skip
    return hand.send(h.world, h.key.push(claims, "evacuation"), b"", hand.EVACUATE)
