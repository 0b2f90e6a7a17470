"""Capture: what an operation says, gapless numbers under threads and processes, no number for a refusal."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headless import NotSignedIn, Refused, Terminal, chain, patrol
from tests.headless.fake_kinds import KEYS
from tests.headless.fake_world import World
from tests.headless.kit import OTHER_CODE, SECRET, Line


def test_an_operation_has_all_keys_and_no_other(terminal: Terminal, world: World, line: Line) -> None:
    line.down = True
    seen = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    op = terminal.capture("patrol.visit", "record", chain.uuid7(), {"note": "巡"}, observed_at=seen)
    (queued,) = terminal.waiting()
    operation = queued.operation
    assert set(operation) == KEYS
    assert queued.raw == chain.canonical(operation)
    assert (queued.op, operation["op"], operation["n"]) == (op, op, 1)
    assert operation["terminal"] == terminal.identity.terminal
    assert operation["observed_at"] == "2026-11-22T03:00:00.000Z"
    assert operation["recorded_at"] == "2026-11-22T03:14:15.123Z"
    assert terminal.anchor is not None
    assert operation["anchor"] == terminal.anchor.anchor()
    assert terminal.session is not None
    assert operation["officer"] == terminal.session.officer
    assert operation["clock"] == {"boot": "00000000-0000-4000-8000-000000000000", "monotonic": 1000}


def test_after_names_the_previous_operation_on_the_record_once(terminal: Terminal) -> None:
    record, other = chain.uuid7(), chain.uuid7()
    first = terminal.capture("k", "v", record, {})
    between = terminal.capture("k", "v", other, {})
    second = terminal.capture("k", "v", record, {}, after=[between, first])
    terminal.capture("k", "v", record, {})
    assert [queued.operation["after"] for queued in terminal.queue()] == [[], [], [between, first], [second]]


def test_after_names_a_refused_beginning_and_passes_over_a_refused_change(terminal: Terminal, world: World) -> None:
    refused, made = patrol.open_round(terminal, chain.uuid7()), patrol.open_round(terminal, world.places["W"])
    patrol.close_round(terminal, made, result="no such result")
    assert [outcome["status"] for outcome in terminal.push()] == ["rejected", "applied", "rejected"]
    beginning, opening, change = [queued.op for queued in terminal.queue()]
    for record in (refused, made, made):
        terminal.capture("k", "v", record, {}, base=1)
    *_, first, second, third = [queued.operation["after"] for queued in terminal.queue()]
    assert (first, second) == ([beginning], [opening])
    assert third == [terminal.queue()[4].op], "what waits may yet be applied"
    assert change not in second


def test_refused_captures_use_no_number(terminal: Terminal) -> None:
    many = [chain.uuid7() for _ in range(65)]
    with pytest.raises(Refused, match="after"):
        terminal.capture("k", "v", chain.uuid7(), {}, after=many)
    with pytest.raises(Refused, match="float"):
        terminal.capture("k", "v", chain.uuid7(), {"temperature": 36.6})
    with pytest.raises(Refused, match="bytes"):
        terminal.capture("k", "v", chain.uuid7(), {"note": "巡" * 30_000})
    terminal.capture("k", "v", chain.uuid7(), {}, after=many[:64])
    assert [queued.n for queued in terminal.queue()] == [1]


def test_capture_needs_an_officer_but_no_live_session(terminal: Terminal, world: World) -> None:
    world.end_all()
    terminal.capture("k", "v", chain.uuid7(), {})
    terminal.sign_out()
    with pytest.raises(NotSignedIn):
        terminal.capture("k", "v", chain.uuid7(), {})
    terminal.capture("k", "v", chain.uuid7(), {}, officer=chain.uuid7(), session=chain.uuid7())
    assert len(terminal.waiting()) == 2


def test_threads_and_second_connections_share_one_gapless_chain(terminal: Terminal, tmp_path: Path) -> None:
    with Terminal(tmp_path / "terminal.db") as second:

        def work(through: Terminal) -> None:
            for _ in range(15):
                through.capture("k", "v", chain.uuid7(), {})

        threads = [threading.Thread(target=work, args=(t,)) for t in (terminal, second) * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    queue = terminal.queue()
    assert [queued.n for queued in queue] == list(range(1, 121))
    prior = terminal.identity.genesis
    for queued in queue:
        assert queued.operation["n"] == queued.n
        prior = chain.link(prior, queued.n, queued.raw)
        assert prior == queued.hash


def test_a_transaction_that_fails_leaves_nothing(terminal: Terminal, tmp_path: Path) -> None:
    terminal.capture("k", "v", chain.uuid7(), {})
    held = terminal.store.cursors()

    def twice() -> None:
        with terminal.store.transaction():
            terminal.store._db.table("queue").update(1, {"status": "applied"})
            terminal.store._db.table("cursors").insert({"partition": "x", "seq": 1})
            terminal.store._db.table("cursors").insert({"partition": "x", "seq": 1})

    with pytest.raises(sqlite3.IntegrityError):
        twice()
    with sqlite3.connect(tmp_path / "terminal.db") as other:
        assert dict(other.execute("SELECT partition, seq FROM cursors")) == held
        assert other.execute("SELECT status FROM queue").fetchall() == [("waiting",)]


def test_the_database_is_durable(terminal: Terminal) -> None:
    database = terminal.store._db
    assert database.journal_mode == "wal"
    assert database.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_round_is_remembered_by_the_queue(terminal: Terminal, world: World) -> None:
    assert patrol.current_round(terminal) is None
    refused = patrol.open_round(terminal, chain.uuid7())
    terminal.push()
    assert terminal.queue(record=refused)[0].status == "rejected"
    assert patrol.current_round(terminal) is None
    round_id = patrol.open_round(terminal, world.places["W"])
    assert patrol.current_round(terminal) == round_id
    cell: patrol.Cell = {"headcount": 3, "response": "moving", "observation": "asleep"}
    patrol.visit(terminal, round_id, world.places["C1"], tag=None, cell=cell, note="标签脱落")
    terminal.sign_in("PAT2", SECRET)
    assert patrol.current_round(terminal) is None  # it is the other officer's
    terminal.sign_in("PAT", SECRET)
    patrol.close_round(terminal, round_id)
    assert patrol.current_round(terminal) is None
    open_, visit, close = [queued.operation for queued in terminal.queue()][1:]
    assert visit["after"] == close["after"] == [open_["op"]]
    assert close["fields"]["visits"] == 1
    assert close["signoff"] == {"method": "session", "evidence": [], "challenge": None}
    assert [outcome["status"] for outcome in terminal.push()] == ["applied"] * 3


def test_work_on_another_terminals_round_needs_its_operation(terminal: Terminal, world: World, tmp_path: Path) -> None:
    round_id = patrol.open_round(terminal, world.places["W"])
    terminal.push()
    with Terminal(tmp_path / "second.db", "http://fake", transport=terminal._transport) as second:
        second.enrol(OTHER_CODE, "PDA-08")
        second.sign_in("PAT", SECRET)
        second.pull()
        patrol.visit(second, round_id, world.places["K"], tag=None, cell=None, note="标签脱落")
        assert second.queue()[0].operation["after"] == [terminal.queue()[0].op]
        assert second.push()[0]["status"] == "applied"
