"""Gaps, custody, schemas that are not taken, and what may be forgotten (protocol section 6)."""

from __future__ import annotations

import pytest

from headless import Offline, Terminal, chain, patrol
from headless.patrol import BY_SESSION
from tests.headless.fake_rows import sent
from tests.headless.fake_world import Failure, World
from tests.headless.kit import Line
from tests.headless.test_push import agreed, captured


def test_an_urgent_operation_goes_first_over_the_gap(terminal: Terminal, world: World, line: Line) -> None:
    ops = captured(terminal, world, 5)
    line.requests.clear()
    outcomes = terminal.push(urgent=[ops[0], ops[3]])
    assert [outcome["n"] for outcome in outcomes] == [1, 4, 2, 3, 5]
    assert line.paths() == ["/v1/sync/push"] * 4 + ["/v1/audit/consistency"]
    assert terminal.outcomes()[ops[3]]["marks"] == [{"code": "chain.gap", "rule": None}]
    agreed(terminal, world)


def test_what_is_skipped_stays(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 4)
    assert [outcome["n"] for outcome in terminal.push(skip=[2, 3])] == [1, 4]
    assert [queued.n for queued in terminal.waiting()] == [2, 3]
    chain_ = world.terminals[terminal.identity.terminal]
    assert (chain_.next, chain_.missing, chain_.captured) == (2, [[2, 3]], 4)
    assert [outcome["n"] for outcome in terminal.push()] == [2, 3]
    agreed(terminal, world)


def test_custody_until_what_it_needs_has_come(terminal: Terminal, world: World) -> None:
    round_id = patrol.open_round(terminal, world.places["W"])
    patrol.visit(terminal, round_id, world.places["K"], tag=None, cell=None, note="标签脱落")
    patrol.close_round(terminal, round_id)
    op = terminal.queue()[0].op
    receipts = terminal.push(skip=[1])
    assert [receipt["status"] for receipt in receipts] == ["held", "held"]
    assert receipts[1]["missing"] == [{"op": op}, {"record": round_id}]
    assert [queued.n for queued in terminal.held()] == [2, 3]
    assert terminal.status()["operations"] == {"held": 2, "waiting": 1}
    assert [(each["n"], each["status"]) for each in terminal.push()] == [(1, "applied"), (2, "applied"), (3, "applied")]
    assert terminal.held() == []
    agreed(terminal, world)


def test_the_receipt_again_is_no_news(terminal: Terminal, world: World) -> None:
    terminal.capture("patrol.round", "close", chain.uuid7(), _CLOSED, base=1, signoff=BY_SESSION)
    assert [each["status"] for each in terminal.push()] == ["held"]
    assert terminal.push() == []
    world.chains.judge_held(world.now(), forced=True)
    assert [each["problem"]["code"] for each in terminal.push()] == ["record.unknown"]
    agreed(terminal, world)


def test_more_in_custody_than_one_question_holds(terminal: Terminal, world: World, line: Line) -> None:
    for _ in range(501):
        terminal.capture("patrol.round", "close", chain.uuid7(), _CLOSED, base=1, signoff=BY_SESSION)
    assert len(terminal.push()) == 501
    world.chains.judge_held(world.now(), forced=True)
    line.requests.clear()
    assert len(terminal.push()) == 501
    assert line.paths() == ["/v1/sync/outcomes"] * 2


def test_a_schema_that_is_not_taken_is_stepped_over_and_tried_again(
    terminal: Terminal, world: World, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    round_id = patrol.open_round(terminal, world.places["W"])
    fields = {"round": round_id, "place": world.places["K"], "tag": None, "cell": None, "note": "标签脱落"}
    for schema in (1, 7, 1, 7, 1):
        terminal.capture("patrol.visit", "record", chain.uuid7(), fields, schema=schema)
    assert [each["n"] for each in terminal.push()] == [1, 2, 4, 6]
    assert terminal.status()["unsupported"] == [3, 5]
    assert [queued.n for queued in terminal.waiting()] == [3, 5]
    line.requests.clear()
    captured(terminal, world, 3)
    assert [each["n"] for each in terminal.push()] == [7]
    # The new one; and each of the two by itself, behind it; then one proof for all.
    assert line.paths() == ["/v1/sync/push"] * 3 + ["/v1/audit/consistency"]
    monkeypatch.setattr("tests.headless.fake_chains.SUPPORTED", [1, 7])
    assert [each["n"] for each in terminal.push()] == [3, 5]
    assert terminal.status()["unsupported"] == []
    agreed(terminal, world)


@pytest.mark.parametrize("n", [None, 9])
def test_a_426_of_nothing_that_was_sent(terminal: Terminal, world: World, n: int | None) -> None:
    captured(terminal, world, 2)
    world.trouble = [Failure(426, "schema.unsupported", detail={"n": n})]
    with pytest.raises(Exception, match="was not sent"):
        terminal.push()
    assert len(terminal.waiting()) == 2


def test_only_what_is_final_and_safe_is_forgotten(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 3)
    terminal.push()
    assert terminal.prune() == 0
    world.backup()
    terminal.capture("patrol.round", "close", chain.uuid7(), _CLOSED, base=1, signoff=BY_SESSION)  # held: 4
    round_id = patrol.current_round(terminal)
    terminal.push()
    captured(terminal, world, 1)
    terminal.push()
    world.backup()
    terminal._ask([])
    terminal._ask([5])
    assert terminal.status()["safe_upto"] == 5
    assert terminal.prune() == 3  # the held one stays, and what stands behind it
    assert [queued.n for queued in terminal.queue()] == [4, 5]
    assert terminal.prune() == 0
    terminal.pull()
    assert patrol.current_round(terminal) == round_id  # now from the rows
    patrol.visit(terminal, str(round_id), world.places["K"], tag=None, cell=None, note="标签脱落")
    patrol.close_round(terminal, str(round_id))
    assert terminal.queue()[-1].operation["fields"]["visits"] == 4
    assert {each["status"] for each in terminal.push()} == {"applied"}
    taken = world.terminals[terminal.identity.terminal].taken
    assert [queued.raw for queued in terminal.queue()] == [taken[n].raw for n in (4, 5, 6, 7)]


def test_a_chain_goes_on_when_all_of_it_was_forgotten(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 2)
    terminal.push()
    world.backup()
    captured(terminal, world, 1)
    terminal.push()
    assert terminal.prune() == 2
    world.backup()
    captured(terminal, world, 1)
    terminal.push()
    assert terminal.prune() == 1
    terminal.store.prune()
    (left,) = terminal.queue()
    assert left.hash == world.terminals[terminal.identity.terminal].taken[4].hash
    with Terminal(terminal.store.path, transport=terminal._transport) as again:
        captured(again, world, 1)
        assert [each["n"] for each in again.push()] == [5]


def test_lost_answers_are_learnt_before_anything_is_sent_again(terminal: Terminal, world: World, line: Line) -> None:
    captured(terminal, world, 3)
    line.lose_answers = 1
    with pytest.raises(Offline):
        terminal.push()
    line.requests.clear()
    with Terminal(terminal.store.path, transport=line) as again:
        assert [each["n"] for each in again.push()] == [1, 2, 3]
    assert set(line.paths()) == {"/v1/sync/outcomes", "/v1/audit/consistency"}
    agreed(terminal, world)


def test_rows_are_summed_as_they_were_sent(terminal: Terminal, world: World) -> None:
    from headless.digests import body_of

    odd = {"id": "x", "doc": {"note": '"\\\b\t\n\f\r\u0001\u001f\u007f/é 巡 🜚 \u2028'}, "n": 2**53 - 1, "none": None}
    assert body_of(odd) == sent(odd)


_CLOSED = {"result": "completed", "reason": None, "visits": 0}
