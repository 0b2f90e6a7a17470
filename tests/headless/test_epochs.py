"""A restored server: what it lost is offered again, rows begin anew, heads bear witness (protocol section 12)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headless import Broken, Problem, Terminal, patrol
from tests.headless.fake_world import World
from tests.headless.kit import HandClock, Line
from tests.headless.test_pull import scope_rows
from tests.headless.test_push import agreed, captured


def test_what_was_lost_is_offered_again(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 4)
    terminal.push()
    old = terminal.anchor
    captured(terminal, world, 2)
    world.lose(terminal.identity.terminal, kept=1)
    told = terminal.push()
    assert sorted((each["n"], each["status"]) for each in told) == [(n, "applied") for n in (2, 3, 4, 5, 6)]
    agreed(terminal, world)
    assert terminal.anchor is not None and old is not None
    assert (terminal.anchor.epoch, old.epoch) == (2, 1)


def test_without_anything_new_a_pull_brings_the_word(terminal: Terminal, world: World, line: Line) -> None:
    captured(terminal, world, 4)
    terminal.push()
    terminal.pull()
    world.lose(terminal.identity.terminal, kept=2)
    terminal.pull()
    assert terminal.rows() == scope_rows(world, "PAT")
    assert terminal.store.pulled()[0] == 2
    line.requests.clear()
    assert [each["n"] for each in terminal.push()] == [3, 4]
    assert line.paths()[0] == "/v1/sync/outcomes"
    agreed(terminal, world)
    terminal.pull()
    assert terminal.rows() == scope_rows(world, "PAT")


def test_one_sync_is_enough(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 4)
    terminal.sync()
    world.lose(terminal.identity.terminal, kept=2)
    outcomes, pulled = terminal.sync()
    assert [each["n"] for each in outcomes] == [3, 4]
    assert pulled is not None and pulled.rows == 8
    assert terminal.rows() == scope_rows(world, "PAT")
    agreed(terminal, world)


def test_an_outcome_that_the_backup_did_not_have_yet_is_asked_for_again(terminal: Terminal, world: World) -> None:
    round_id = patrol.open_round(terminal, world.places["W"])
    patrol.visit(terminal, round_id, world.places["K"], tag=None, cell=None, note="标签脱落")
    terminal.push(skip=[1])
    receipt = dict(world.terminals[terminal.identity.terminal].taken[2].outcome)
    assert receipt["status"] == "held"
    terminal.push()
    assert [queued.status for queued in terminal.queue()] == ["applied"] * 2
    chain = world.terminals[terminal.identity.terminal]
    world.lose(chain.id, kept=0)
    chain.taken[2] = type(chain.taken.get(2, None) or _link())(*_as_it_was(terminal, receipt))
    chain.priors[2] = terminal.queue()[0].hash
    world.chains.custody = [(chain, 2)]
    terminal.pull()
    terminal.push()
    assert [queued.status for queued in terminal.queue()] == ["applied"] * 2
    agreed(terminal, world)


def _link() -> object:
    from tests.headless.fake_chains import Link

    return Link("", b"", {})


def _as_it_was(terminal: Terminal, receipt: dict[str, object]) -> tuple[object, ...]:
    queued = terminal.queue()[1]
    return queued.hash, queued.raw, receipt


def test_nothing_is_forgotten_until_the_new_epoch_has_spoken(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 4)
    terminal.push()
    world.backup()
    terminal._ask([1])
    world.lose(terminal.identity.terminal, kept=2)
    terminal.pull()
    assert terminal.prune() == 0
    terminal.store.settle(terminal.outcome_of([]))
    assert (terminal.status()["safe_upto"], terminal.prune()) == (2, 0)  # final, by the word of the epoch before
    terminal.push()
    assert (terminal.status()["safe_upto"], terminal.prune()) == (2, 2)
    assert [queued.n for queued in terminal.queue()] == [3, 4]
    agreed_tail = [queued.raw for queued in terminal.queue()]
    taken = world.terminals[terminal.identity.terminal].taken
    assert agreed_tail == [taken[3].raw, taken[4].raw]


def test_what_was_forgotten_leaves_a_gap_that_stops_nothing(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 3)
    terminal.push()
    world.backup()
    captured(terminal, world, 1)
    terminal.push()
    assert terminal.prune() == 3
    world.lose(terminal.identity.terminal, kept=1)  # an older backup than the one that was promised
    terminal.pull()
    assert [(each["n"], each["status"]) for each in terminal.push()] == [(4, "applied")]
    assert world.terminals[terminal.identity.terminal].missing == [[2, 3]]


def test_the_newest_head_of_the_old_epoch_is_shown_once(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 3)
    terminal.push()
    old = terminal.anchor
    assert old is not None
    terminal.pull()
    world.lose(terminal.identity.terminal, kept=3)
    terminal.pull()
    world.shown.clear()
    for _ in range(2):
        captured(terminal, world, 1)
        terminal.push()
    assert [(shown["epoch"], shown["size"]) for shown in world.shown] == [(1, old.size), (2, 2)]


def test_each_push_shows_the_newest_head_and_a_server_that_is_behind_stops(
    terminal: Terminal, world: World, clock: HandClock
) -> None:
    captured(terminal, world, 2)
    terminal.push()
    captured(terminal, world, 1)
    del world.leaves[1:]  # restored in silence
    with pytest.raises(Problem) as refused:
        terminal.push()
    assert (refused.value.code, refused.value.retry_after) == ("server.behind", 20)
    assert clock.slept == [22.5] * 3
    assert len(terminal.waiting()) == 1


def test_an_epoch_that_goes_back_is_a_broken_server(terminal: Terminal, world: World) -> None:
    world.lose(terminal.identity.terminal, kept=0)
    terminal.pull()
    world.epoch = 1
    with pytest.raises(Broken, match="epoch 1 after 2"):
        terminal.pull()


def test_rows_of_the_old_epoch_go_page_by_page(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 4)
    terminal.push()
    terminal.pull()
    world.lose(terminal.identity.terminal, kept=2)
    assert terminal.pull(limit=1).rows == 6
    assert terminal.rows() == scope_rows(world, "PAT")


def test_an_old_word_that_comes_late_changes_nothing(terminal: Terminal, world: World) -> None:
    captured(terminal, world, 1)
    terminal.push()
    before = terminal.outcomes()
    world.lose(terminal.identity.terminal, kept=1)
    terminal.pull()
    terminal.push()
    late = dict(next(iter(before.values())), status="rejected")
    with terminal.store.transaction():
        assert terminal.store._settle_one(1, late) is False
    assert terminal.outcomes() == before


def test_a_cursor_of_the_old_epoch_is_never_sent_as_one_of_the_new(
    terminal: Terminal, world: World, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured(terminal, world, 2)
    terminal.sync()
    world.lose(terminal.identity.terminal, kept=2)
    page = world.page

    def forgetful(*call: Any) -> dict[str, Any]:
        """Says nothing of one partition, in its first answer."""
        monkeypatch.undo()
        told = page(*call)
        return told | {"partitions": told["partitions"][1:], "more": True}

    monkeypatch.setattr(world, "page", forgetful)
    line.requests.clear()
    terminal.pull()
    first, second = (json.loads(request.content) for request in line.requests)
    assert (first["epoch"], second["epoch"]) == (1, 2)
    assert len(second["partitions"]) == len(first["partitions"]) - 1
    assert terminal.rows() == scope_rows(world, "PAT")
