"""The chain under a bad line: answers lost, batches cut anew, and the same push from two sides at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any
from unittest import mock

import httpx
import pytest

from backend.storage import tables
from headless import Offline, patrol
from headless.chain import frames
from tests.support import hand, store
from tests.support.hand import Hand
from tests.support.world import World, looked, tag
from wsgi import create_app

pytestmark = pytest.mark.engines

EVERYTHING = (tables.operations, tables.records, tables.versions, tables.leaves, tables.partitions, tables.terminals)


def everything(world: World) -> list[list[Any]]:
    """All that a push may change."""
    return [store.rows(world, table) for table in EVERYTHING]


def walked(h: Hand, stops: int = 2) -> None:
    """Writes a round with some stops."""
    round_, opened = h.open()
    for _ in range(stops):
        h.visit(round_, "K")
    h.close_round(round_, after=[opened])


def test_a_round_on_foot_arrives_whole(shared: World) -> None:
    terminal = shared.terminal("PAT")
    terminal.pull()
    round_ = patrol.open_round(terminal, shared.ids["W"])
    patrol.visit(terminal, round_, shared.ids["C1"], tag=tag("C1"), cell=looked(2), note=None)
    patrol.visit(terminal, round_, shared.ids["K"], tag=tag("K"), cell=None, note=None)
    patrol.close_round(terminal, round_)
    told = terminal.push()
    assert [(outcome["status"], outcome["marks"]) for outcome in told] == [("applied", [])] * 4
    assert [outcome["n"] for outcome in told] == [1, 2, 3, 4]
    terminal.pull()
    mine = terminal.identity.terminal
    assert [row["state"] for row in terminal.rows("patrol.round") if row["terminal"] == mine] == ["closed"]
    assert len([row for row in terminal.rows("patrol.visit") if row["terminal"] == mine]) == 2


def test_an_answer_lost_after_the_commit_is_got_by_the_same_push(shared: World) -> None:
    class Lossy(httpx.BaseTransport):
        def __init__(self) -> None:
            self.inner, self.lost = shared.transport(), 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = self.inner.handle_request(request)
            if request.url.path.endswith("/push") and self.lost == 0:
                self.lost += 1
                raise httpx.ReadError("the answer was lost")
            return response

    terminal = shared.terminal("PAT")
    terminal._transport = lossy = Lossy()
    terminal._wire = None
    round_ = patrol.open_round(terminal, shared.ids["W"])
    patrol.close_round(terminal, round_)
    with pytest.raises(Offline):
        terminal.push()
    assert lossy.lost == 1 and len(terminal.waiting()) == 2
    mine = terminal.identity.terminal
    committed = store.rows(shared, tables.operations, terminal=mine)
    before = everything(shared)
    assert [outcome["status"] for outcome in terminal.push()] == ["applied", "applied"]
    assert [queued.raw for queued in terminal.queue()] == [row.raw for row in committed]
    assert everything(shared) == before


def test_a_batch_cut_differently_the_second_time_applies_only_what_is_new(shared: World) -> None:
    h = Hand(shared).signed_in("PAT")
    walked(h, 4)
    assert len(h.told(1, 3)) == 3
    second = h.push(2, 5)
    assert [outcome["n"] for outcome in second.json()["outcomes"]] == [2, 3, 4, 5]
    assert second.json()["next"] == 6
    third = h.push()
    assert third.json()["next"] == h.n + 1 == 7
    kept = store.rows(shared, tables.operations, terminal=h.terminal)
    assert hand.outcomes(third) == b",".join(row.outcome for row in kept)
    assert hand.outcomes(h.push(4, 4)) == kept[3].outcome
    assert len(kept) == 6 and store.verified(shared).operations == len(store.rows(shared, tables.operations))


def until(true: Callable[[], bool]) -> None:
    """Waits for something that another thread does."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize("copies", [2, 4])
def test_the_same_push_at_once_from_several_sides_has_one_effect(shared: World, copies: int) -> None:
    """All of them wait for the facility's turn, so that whoever gets it could take them all into one group."""
    h = Hand(shared).signed_in("PAT")
    walked(h, 10)
    commits = shared.services.pusher._commits
    with mock.patch("sync.writing.commit._log") as log, ThreadPoolExecutor(copies) as pool:
        with commits._turns["TEST"]:
            sent = [pool.submit(h.push) for _ in range(copies)]
            until(lambda: len(commits._queue._waiting["TEST"]) == copies)
        answers = [hand.outcomes(each.result()) for each in sent]
    assert not log.exception.called, "it was the database that told them apart"
    kept = store.rows(shared, tables.operations, terminal=h.terminal)
    assert answers == [b",".join(row.outcome for row in kept)] * copies
    assert len(kept) == h.n and {row.status for row in kept} == {"applied"}
    assert len(store.rows(shared, tables.records, terminal=h.terminal)) == h.n - 1
    store.verified(shared)


def test_the_same_push_through_two_servers_of_one_store_has_one_effect(shared: World) -> None:
    h = Hand(shared).signed_in("PAT")
    walked(h, 10)
    beside = replace(shared, app=create_app(shared.settings, shared.clock))
    start = Barrier(2)

    def send(world: World) -> bytes:
        start.wait()
        proof = h.key.push(h.claims())
        return hand.outcomes(hand.send(world, proof, frames(h.frames)))

    try:
        with ThreadPoolExecutor(2) as pool:
            one, other = pool.map(send, (shared, beside))
    finally:
        beside.services.store.close()
    assert one == other
    assert len(store.rows(shared, tables.operations, terminal=h.terminal)) == h.n
    store.verified(shared)


def test_terminals_that_push_together_all_get_their_own_outcomes(shared: World) -> None:
    hands = [Hand(shared).signed_in("PAT") for _ in range(4)]
    for h in hands:
        walked(h)
        h.put(b"not an operation")
    commits, heads = shared.services.pusher._commits, len(store.rows(shared, tables.tree_heads))
    with ThreadPoolExecutor(4) as pool:
        with commits._turns["TEST"]:
            sent = [pool.submit(h.told) for h in hands]
            until(lambda: len(commits._queue._waiting["TEST"]) == 4)
        answers = [each.result() for each in sent]
    assert len(store.rows(shared, tables.tree_heads)) == heads + 1, "one transaction and one head for all of them"
    for h, told in zip(hands, answers, strict=True):
        assert [(outcome["n"], outcome["status"]) for outcome in told] == [
            *((n, "applied") for n in range(1, 5)), (5, "quarantined"),
        ]  # fmt: skip
        assert len(store.rows(shared, tables.operations, terminal=h.terminal)) == 5
    sequence = [outcome["seq"] for told in answers for outcome in told if "seq" in outcome]
    assert len(set(sequence)) == len(sequence)
    store.verified(shared)


def test_one_bad_operation_among_a_hundred_costs_no_other(shared: World) -> None:
    h = Hand(shared).signed_in("PAT")
    round_, _ = h.open()
    for at in range(1, 100):
        h.visit(round_, "K", **({"note": ""} if at == 50 else {}))
    told = h.told()
    assert [outcome["n"] for outcome in told if outcome["status"] != "applied"] == [51]
    assert told[50]["problem"]["field"] == "fields.note"
    assert len(store.rows(shared, tables.records, kind="patrol.visit", terminal=h.terminal)) == 98
    assert store.one(shared, tables.operations, terminal=h.terminal, n=51).raw == h.frames[50][2]


def test_what_a_terminal_has_captured_is_remembered_so_that_a_loss_shows(shared: World) -> None:
    h = Hand(shared).signed_in("PAT")
    walked(h)
    h.push(1, 2)
    assert store.one(shared, tables.terminals, terminal=h.terminal).captured == 4
    h.push(1, 2, captured=9)
    h.push(1, 2, captured=3)
    end = store.one(shared, tables.terminals, terminal=h.terminal)
    assert (end.last_n, end.captured) == (2, 9)
    reported = [
        leaf for leaf in store.leaves(shared) if leaf["act"] == "terminal.reported" and leaf["terminal"] == h.terminal
    ]
    assert [leaf["captured"] for leaf in reported] == [9]


def test_order_rises_though_the_server_s_clock_steps_back(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    reader = both.terminal("AUD")
    reader.pull()
    seen: list[dict[str, Any]] = []
    for step in (0, -3_600_000, -86_400_000, 7_200_000):
        both.clock.advance(step)
        h.open()
        seen += h.told(h.n, h.n)
        reader.pull()
    assert [outcome["seq"] for outcome in seen] == list(range(seen[0]["seq"], seen[0]["seq"] + 4))
    rows = reader.rows("patrol.round")
    assert [row["id"] for row in rows] == [outcome["record"] for outcome in seen]
    received = [row["received_at"] for row in rows]
    assert received != sorted(received)
    store.verified(both)
