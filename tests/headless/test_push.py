"""Push: every operation once, whatever the line, the cutting, or the server's memory does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from headless import Broken, Offline, Problem, Terminal, chain, patrol
from tests.headless.fake_crypto import b64
from tests.headless.fake_world import Failure, World
from tests.headless.kit import CODE, HandClock, Line


def captured(terminal: Terminal, world: World, number: int) -> list[str]:
    """A round and visits, `number` operations in all, none of them sent."""
    round_id = patrol.current_round(terminal) or patrol.open_round(terminal, world.places["W"])
    while len(terminal.waiting()) < number:
        tag: patrol.Tag = {"uid": "04A1", "medium": "nfc", "counter": len(terminal.waiting())}
        patrol.visit(terminal, round_id, world.places["K"], tag=tag, cell=None, note=None)
    return [queued.op for queued in terminal.waiting()]


def agreed(terminal: Terminal, world: World) -> None:
    """The server holds this queue, byte for byte, each effect once, and both know the same outcomes."""
    taken = world.terminals[terminal.identity.terminal].taken
    assert [(queued.n, queued.hash, queued.raw, queued.outcome) for queued in terminal.queue()] == [
        (n, link.hash, link.raw, link.outcome) for n, link in sorted(taken.items())
    ]
    assert set(world.kept.effects.values()) <= {1}


def test_outcomes_are_kept(terminal: Terminal, world: World) -> None:
    ops = captured(terminal, world, 3)
    outcomes = terminal.push()
    assert [(outcome["op"], outcome["status"]) for outcome in outcomes] == [(op, "applied") for op in ops]
    assert terminal.outcomes() == {outcome["op"]: outcome for outcome in outcomes}
    assert terminal.waiting() == []
    assert terminal.push() == []
    agreed(terminal, world)


def test_each_answer_renews_the_anchor(terminal: Terminal, world: World) -> None:
    before = terminal.anchor
    captured(terminal, world, 2)
    terminal.push()
    assert before is not None
    assert terminal.anchor is not None
    assert terminal.anchor.size == before.size + 2


def test_without_signal_everything_stays(terminal: Terminal, world: World, line: Line) -> None:
    line.down = True
    captured(terminal, world, 2)
    with pytest.raises(Offline):
        terminal.push()
    assert len(terminal.waiting()) == 2
    line.down = False
    assert len(terminal.push()) == 2


def test_any_session_or_none_pushes_every_queue(terminal: Terminal, world: World, line: Line) -> None:
    captured(terminal, world, 2)
    terminal.sign_out()
    outcomes, pulled = terminal.sync()
    assert [outcome["status"] for outcome in outcomes] == ["applied"] * 2
    assert pulled is None
    assert "Authorization" not in line.requests[-1].headers


def test_a_lost_answer_is_got_again_with_one_effect(terminal: Terminal, world: World, line: Line) -> None:
    captured(terminal, world, 3)
    line.lose_answers = 1
    with pytest.raises(Offline):
        terminal.push()
    assert len(terminal.waiting()) == 3
    assert len(terminal.push()) == 3
    agreed(terminal, world)


def test_a_lost_answer_is_got_again_when_cut_differently(terminal: Terminal, world: World, line: Line) -> None:
    captured(terminal, world, 5)
    line.lose_answers = 1
    with pytest.raises(Offline):
        terminal.push(limit=3)
    captured(terminal, world, 7)
    line.requests.clear()
    assert [outcome["n"] for outcome in terminal.push(limit=2)] == [1, 2, 3, 4, 5, 6, 7]
    assert line.paths() == ["/v1/sync/push"] * 4 + ["/v1/audit/consistency"]
    agreed(terminal, world)


def test_the_same_push_twice_at_once(terminal: Terminal, world: World, line: Line) -> None:
    captured(terminal, world, 3)
    line.meanwhile = lambda: agreed_push(terminal)
    assert terminal.push() == []  # the other was quicker, and learnt the same
    agreed(terminal, world)


def agreed_push(terminal: Terminal) -> None:
    assert len(terminal.push()) == 3


def test_a_capture_during_a_push_goes_with_the_next(terminal: Terminal, world: World, line: Line) -> None:
    captured(terminal, world, 2)

    def meanwhile() -> None:
        terminal.capture("patrol.round", "open", chain.uuid7(), {})

    line.meanwhile = meanwhile
    assert [outcome["status"] for outcome in terminal.push()] == ["applied", "applied", "rejected"]
    agreed(terminal, world)


def test_one_bad_operation_stops_only_its_dependents(terminal: Terminal, world: World) -> None:
    bad = patrol.open_round(terminal, chain.uuid7())
    patrol.visit(terminal, bad, world.places["K"], tag=None, cell=None, note="标签脱落")
    good = patrol.open_round(terminal, world.places["W"])
    for _ in range(2):
        patrol.visit(terminal, good, world.places["K"], tag=None, cell=None, note="标签脱落")
    statuses = [outcome["status"] for outcome in terminal.push()]
    assert statuses[:2] == ["rejected"] * 2
    assert terminal.outcomes()[terminal.queue()[1].op]["problem"]["code"] == "dependency.rejected"
    assert statuses[2:] == ["applied"] * 3
    assert terminal.status()["operations"] == {"applied": 3, "rejected": 2}


def test_a_conflict_and_a_quarantine_are_outcomes_like_others(terminal: Terminal, world: World) -> None:
    round_id = patrol.open_round(terminal, world.places["W"])
    patrol.close_round(terminal, round_id)
    patrol.close_round(terminal, round_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "canonical", lambda operation: b'{"op": 1, "op": 1}')
        terminal.capture("k", "v", chain.uuid7(), {})
    assert [outcome["status"] for outcome in terminal.push()] == ["applied", "applied", "conflict", "quarantined"]
    agreed(terminal, world)


def test_too_large_batches_are_halved(terminal: Terminal, world: World, line: Line) -> None:
    captured(terminal, world, 8)
    world.max_batch = 3
    line.requests.clear()
    assert len(terminal.push()) == 8
    assert line.paths().count("/v1/sync/push") == 2 + 4  # 8, 4, then 2 at a time
    world.max_batch = 0
    captured(terminal, world, 1)
    with pytest.raises(Problem) as refused:
        terminal.push()
    assert refused.value.code == "batch.too_large"
    assert len(terminal.waiting()) == 1


def test_a_body_stays_below_its_limit(terminal: Terminal, world: World, line: Line) -> None:
    fields = {"note": "x" * 60_000}
    for _ in range(72):
        terminal.capture("patrol.round", "open", chain.uuid7(), fields)
    line.requests.clear()
    assert len(terminal.push()) == 72
    sizes = [len(request.content) for request in line.requests if request.method == "POST"]
    assert [size <= chain.MAX_BODY for size in sizes] == [True, True]


def test_a_busy_server_is_waited_for(terminal: Terminal, world: World, clock: HandClock) -> None:
    captured(terminal, world, 2)
    world.trouble = [Failure(503, "server.busy", retry_after=5)]
    assert len(terminal.push()) == 2
    assert clock.slept == [5.625]


def test_a_revoked_terminal_keeps_its_queue(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 2)
    world.terminals[terminal.identity.terminal].revoked = True
    with pytest.raises(Problem) as refused:
        terminal.push()
    assert (refused.value.status, refused.value.code) == (403, "terminal.revoked")
    assert len(terminal.waiting()) == 2


def _spoilt(answer: dict[str, Any], how: str, world: World) -> dict[str, Any]:
    if how == "another operation":
        answer["outcomes"][1]["op"] = chain.uuid7()
    elif how == "an outcome is missing":
        answer["outcomes"].pop()
    elif how == "next stands still":
        answer["next"] = 2
    elif how == "it is missing all the same":
        answer["next"], answer["missing"] = 2, [[2, 2]]
    elif how == "of another chain":
        answer["incarnation"] = 2
    elif how == "ranges that are none":
        answer["missing"] = [1]
    elif how == "no head":
        del answer["head"]
    elif how == "two roots":
        last = {
            "facility": "DEMO",
            "epoch": 1,
            "size": len(world.leaves) - 2,
            "root": b64(b"x" * 32),
            "at": world.now(),
        }
        answer["head"] = world.signer.sign("roundsman-head+jwt", last)
    return answer


@pytest.mark.parametrize(
    "how",
    [
        "another operation",
        "an outcome is missing",
        "next stands still",
        "it is missing all the same",
        "of another chain",
        "ranges that are none",
        "no head",
        "two roots",
    ],
)
def test_an_answer_that_breaks_the_protocol_is_not_kept(
    terminal: Terminal, world: World, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    captured(terminal, world, 1)
    terminal.push()
    captured(terminal, world, 2)
    receive = world.receive
    monkeypatch.setattr(world, "receive", lambda *call: _spoilt(_copied(receive(*call)), how, world))
    before = terminal.queue(), terminal.anchor
    with pytest.raises(Broken):
        terminal.push()
    assert (terminal.queue(), terminal.anchor) == before


def _copied(answer: dict[str, Any]) -> dict[str, Any]:
    return answer | {"outcomes": [dict(outcome) for outcome in answer["outcomes"]]}


def test_a_second_outcome_is_not_believed(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 1)
    terminal.push()
    before = terminal.queue()
    world.terminals[terminal.identity.terminal].taken[1].outcome["status"] = "rejected"
    with pytest.raises(Broken, match="not the one given before"):
        terminal._ask([1])
    assert terminal.queue() == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]"])
def test_an_answer_that_is_no_json_object(tmp_path: Path, content: bytes) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=content))
    with Terminal(tmp_path / "t.db", "http://fake", transport=transport) as terminal, pytest.raises(Broken):
        terminal.enrol(CODE, "PDA-07")


def test_a_proxys_error_page_is_a_problem_too(tmp_path: Path) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(502, html="<h1>Bad gateway</h1>"))
    with Terminal(tmp_path / "t.db", "http://fake", transport=transport) as terminal:
        with pytest.raises(Problem) as refused:
            terminal.enrol(CODE, "PDA-07")
        assert (refused.value.code, refused.value.detail) == ("http.502", {})
