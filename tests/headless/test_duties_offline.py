"""What a terminal knows of its duties without signal: what is due, what rings, and what was done comes in time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from backend.domain.calendars import HOUR_MS, MINUTE_MS
from backend.duty.engine.family import Act as Ordered
from backend.kernel.clock import to_text
from backend.storage import tables
from headless import Terminal, chain, duties, handing, patrol
from headless.__main__ import main
from headless.errors import Refused
from sync.writing.local import Act
from tests.contract.test_duties import issue
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import FACILITY, World

MINUTE = timedelta(minutes=1)


@pytest.fixture
def leader(small: World) -> Hand:
    return Hand(small).signed_in("LEAD")


def stands(terminal: Terminal) -> dict[str, tuple[str, bool]]:
    return {due.record: (due.stands, due.rings) for due in duties.agenda(terminal)}


def visit(terminal: Terminal, round_: str, cell: str, headcount: int) -> None:
    seen: patrol.Cell = {"headcount": headcount, "response": "moving", "observation": "calm"}
    patrol.visit(terminal, round_, cell, tag=None, cell=seen, note="标签脱落")


def system(world: World, record: str, verb: str, fields: dict[str, Any] | None = None) -> None:
    (outcome,) = world.services.desk.serve(FACILITY, [Ordered("duty", verb, record, fields or {}, world.clock.now())])
    assert outcome is not None and outcome["status"] == "applied", outcome


def test_a_terminal_without_signal_knows_what_is_due_and_rings_by_itself(small: World, leader: Hand) -> None:
    now = small.clock.now()
    later = {"opens_at": to_text(now + HOUR_MS), "due_at": to_text(now + 2 * HOUR_MS)}
    loud, quiet = issue(leader, loud=True, **later), issue(leader, **later)
    others = issue(leader, posts=["MED"])
    terminal = small.terminal("DISC")
    terminal.pull()
    assert stands(terminal) == {loud: ("coming", False), quiet: ("coming", False)}
    assert others not in stands(terminal)
    small.clock.advance(HOUR_MS)
    assert stands(terminal) == {loud: ("open", True), quiet: ("open", False)}
    duties.snooze(terminal, loud, terminal.clock.now() + 10 * MINUTE)
    assert duties.ringing(terminal) == []
    small.clock.advance(10 * MINUTE_MS)
    assert [due.record for due in duties.ringing(terminal)] == [loud]
    with pytest.raises(Refused):
        duties.snooze(terminal, loud, terminal.clock.now() + 51 * MINUTE)
    duties.snooze(terminal, loud, terminal.clock.now() + 50 * MINUTE)
    small.clock.advance(50 * MINUTE_MS + 1)
    assert stands(terminal) == {loud: ("overdue", True), quiet: ("overdue", False)}
    duties.acknowledge(terminal, loud)
    assert duties.ringing(terminal) == []
    duties.complete(terminal, loud, "已谈话")
    assert stands(terminal) == {quiet: ("overdue", False)}
    outcomes = terminal.push()
    assert {each["status"] for each in outcomes} <= {"applied", "merged"}, outcomes
    doc = orjson.loads(store.one(small, tables.records, id=loud).body)["doc"]
    assert [each["step"] for each in doc["steps"]] == ["issued", "snoozed", "snoozed", "acknowledged", "completed"]


def test_what_was_done_in_time_without_signal_counts_as_in_time_beside_the_miss(small: World, leader: Hand) -> None:
    record = issue(leader)
    terminal = small.terminal("DISC")
    terminal.pull()
    small.clock.advance(30 * MINUTE_MS)
    duties.complete(terminal, record, "已谈话")
    small.clock.advance(HOUR_MS)
    system(small, record, "unconfirm")
    small.clock.advance(4 * HOUR_MS)
    system(small, record, "miss")
    (outcome,) = terminal.push()
    assert (outcome["status"], outcome["marks"]) == ("merged", [])
    terminal.pull()
    (row,) = terminal.rows("duty")
    assert [each["step"] for each in row["doc"]["steps"]] == ["issued", "unconfirmed", "missed", "completed"]
    assert (row["state"], duties.agenda(terminal)) == ("completed", [])


def test_windows_of_patrol_ring_until_every_cell_of_the_ward_was_looked_into(small: World) -> None:
    now = small.clock.now()
    at = [(now + each * MINUTE_MS, now + (each + 15) * MINUTE_MS) for each in (0, 20)]
    windows = [{"opens_at": to_text(opens), "due_at": to_text(due), "rule": "P01"} for opens, due in at]
    plan = {"place": small.ids["W"], "since": to_text(now), "until": to_text(now + HOUR_MS), "windows": windows}
    (outcome,) = small.desk("LEAD", Act("patrol.plan", "issue", record := chain.uuid7(), plan))
    assert outcome["status"] == "applied", outcome
    terminal = small.terminal("PAT")
    terminal.pull()
    first, second = duties.agenda(terminal)
    assert (first.record, first.stands, first.rings, first.place) == (record, "open", True, small.ids["W"])
    assert (second.stands, second.rings) == ("coming", False)
    round_ = patrol.open_round(terminal, small.ids["W"])
    visit(terminal, round_, small.ids["C1"], 2)
    assert len(duties.ringing(terminal)) == 1
    visit(terminal, round_, small.ids["C2"], 1)
    assert [due.due_at for due in duties.agenda(terminal)] == [windows[1]["due_at"]]
    small.clock.advance(20 * MINUTE_MS)
    assert [due.due_at for due in duties.ringing(terminal)] == [windows[1]["due_at"]]
    terminal.sign_in("DISC", "a secret for tests")
    terminal.pull()
    assert duties.agenda(terminal) == []


def test_a_duty_that_was_handed_on_or_told_up_its_chain_is_whose_it_is_then(small: World, leader: Hand) -> None:
    record = issue(leader, posts=["DISC"], loud=True)
    patrol_, officer = small.terminal("PAT"), small.terminal("DISC")
    for terminal in (patrol_, officer):
        terminal.pull()
    assert (record in stands(officer), record in stands(patrol_)) == (True, False)
    system(small, record, "escalate", {"posts": ["PAT"], "level": 1})
    patrol_.pull()
    assert stands(patrol_)[record] == ("open", True)


def test_a_handover_by_code_without_signal_and_the_page_of_who_comes(small: World, leader: Hand) -> None:
    issue(leader)
    out, in_ = small.terminal("DISC"), small.terminal("PAT")
    now = small.clock.now()
    fields: dict[str, Any] = {
        "sort": "shift", "place": small.ids["W"], "since": to_text(now - 12 * HOUR_MS), "until": to_text(now),
        "incoming": None, "duties": [], "risks": [], "sick": [], "counts": [], "rollcall": None, "words": "门锁待修",
    }  # fmt: skip
    record, code = handing.offer(out, fields)
    handing.take(in_, code)
    with pytest.raises(Refused):
        handing.take(in_, code.replace("handover", "other"))
    assert [each["status"] for each in out.push() + in_.push()] == ["applied", "applied"]
    assert store.one(small, tables.records, id=record).state == "signed"
    page = handing.since(in_)
    assert [each["handover"] for each in page["handovers"]] == [record]
    assert "handover" in {each["kind"] for each in page["changes"]}
    assert page["kinds"]["duty"] == len(page["open"]) == 1


def test_the_command_line_lists_what_is_due_without_signal_and_the_page_with_it(small: World, leader: Hand) -> None:
    record = issue(leader, loud=True)
    terminal = small.terminal("DISC")
    assert [duties.line(due) for due in duties.agenda(terminal)] == []
    terminal.pull()
    (line,) = [duties.line(due) for due in duties.agenda(terminal)]
    assert line.startswith("* ") and record in line and "open" in line
    first, *_ = handing.page(terminal)
    assert first.endswith(to_text(small.clock.now()))
    always = {"opens_at": "2000-01-01T00:00:00.000Z", "due_at": "2099-12-31T00:00:00.000Z"}
    lasting = issue(leader, loud=True, **always)
    terminal.pull()
    result = CliRunner().invoke(main, ["--db", str(small.folder / "terminal-0.sqlite3"), "duties", "--ringing"])
    assert result.exit_code == 0 and lasting in result.output, result.output


def steps(world: World, record: str) -> list[str]:
    doc = orjson.loads(store.one(world, tables.records, id=record).body)["doc"]
    return [each["step"] for each in doc["steps"]]


def test_the_engine_waits_for_a_terminal_that_is_away_and_misses_what_does_not_come(small: World, leader: Hand) -> None:
    """Due after an hour, in which the terminal has no signal: unconfirmed, then done in time, or missed after four hours."""
    tick = small.services.clockwork.tick
    tick(FACILITY)
    done, forgotten = issue(leader), issue(leader)
    terminal = small.terminal("DISC")
    terminal.pull()
    tick(FACILITY)
    small.clock.advance(30 * MINUTE_MS)
    duties.complete(terminal, done, "已谈话")
    small.clock.advance(31 * MINUTE_MS)
    tick(FACILITY)
    assert (steps(small, done), steps(small, forgotten)) == (["issued", "unconfirmed"], ["issued", "unconfirmed"])
    small.clock.advance(2 * HOUR_MS)
    terminal.sync()
    tick(FACILITY)
    assert steps(small, done) == ["issued", "unconfirmed", "completed"]
    small.clock.advance(6 * MINUTE_MS)
    tick(FACILITY)
    assert steps(small, forgotten) == ["issued", "unconfirmed", "missed"]
    duties.complete(terminal, forgotten, "补谈话")
    (outcome,) = terminal.push()
    assert [mark["code"] for mark in outcome["marks"]] == ["duty.late"]
    small.clock.advance(4 * HOUR_MS)
    tick(FACILITY)
    assert steps(small, forgotten) == ["issued", "unconfirmed", "missed", "completed"]
