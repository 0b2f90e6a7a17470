"""The whole protocol between the headless terminal and the real server: every turn that its life can take."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.identity import assignments
from backend.storage import tables
from headless import Terminal, chain, patrol
from headless.patrol import BY_SESSION
from sync.writing.local import Act
from tests.headless.whole import agreed, same_rows, told, walked
from tests.support import store
from tests.support.world import FACILITY, SECRET, World


@pytest.fixture
def terminal(small: World) -> Terminal:
    made = small.terminal("PAT")
    made.pull()
    return made


@pytest.fixture
def clerks(small: World) -> tuple[Terminal, Terminal]:
    """Two terminals of the intake, where persons are registered and changed."""
    made = small.terminal("INT"), small.terminal("INT")
    for each in made:
        each.learn_kinds()
        each.pull()
    return made


def test_a_terminal_says_how_it_is(terminal: Terminal, small: World) -> None:
    walked(terminal, small, 1)
    waiting = terminal.waiting()
    terminal.report()
    (kept,) = store.rows(small, tables.reports)
    said = orjson.loads(kept.body)
    assert (kept.terminal, said["queue"]) == (terminal.identity.terminal, len(waiting))
    assert said["oldest_waiting"] == waiting[0].operation["recorded_at"]
    assert 0 < said["storage_used"] < said["storage_quota"]
    terminal.push()
    terminal.report()  # too soon: it waits as it is told
    (kept,) = store.rows(small, tables.reports)
    assert (orjson.loads(kept.body)["queue"], orjson.loads(kept.body)["oldest_waiting"]) == (0, None)


# Gaps and custody


def test_urgent_ones_first_and_the_gap_filled(terminal: Terminal, small: World) -> None:
    walked(terminal, small, 4)
    ops = [queued.op for queued in terminal.queue()]
    assert told(terminal.push(urgent=[ops[0], ops[3]], limit=2)) == [(n, "applied") for n in (1, 4, 2, 3, 5)]
    assert "chain.gap" in [mark["code"] for mark in terminal.outcomes()[ops[3]]["marks"]]
    agreed(terminal, small)
    terminal.pull()
    same_rows(terminal, small)


def test_custody_ends_with_what_was_missing(terminal: Terminal, small: World) -> None:
    round_id = walked(terminal, small, 1)
    patrol.close_round(terminal, round_id)
    opening = terminal.queue()[0].op
    receipts = terminal.push(skip=[1])
    assert told(receipts) == [(2, "held"), (3, "held")]
    assert [receipt["missing"][0] for receipt in receipts] == [{"op": opening}] * 2
    assert told(terminal.push()) == [(1, "applied"), (2, "applied"), (3, "applied")]
    agreed(terminal, small)


def test_custody_ends_at_its_deadline(terminal: Terminal, small: World) -> None:
    walked(terminal, small, 1)
    (receipt,) = terminal.push(skip=[1])
    assert receipt["status"] == "held"
    small.clock.advance(5 * 24 * 3600 * 1000 + 1000)
    assert small.services.commits.end_custody(FACILITY) == 1  # as the scheduled job does
    (outcome,) = terminal.push(skip=[1])
    assert outcome["n"] == 2 and outcome["status"] not in ("held", "waiting")
    assert terminal.held() == []
    assert terminal.push() != []
    agreed(terminal, small)


def test_a_schema_of_tomorrow_is_kept(terminal: Terminal, small: World) -> None:
    round_id = patrol.open_round(terminal, small.ids["W"])
    fields = {"round": round_id, "place": small.ids["K"], "tag": None, "cell": None, "note": "标签脱落"}
    for schema in (1, 99, 1):
        terminal.capture("patrol.visit", "record", chain.uuid7(), fields, schema=schema)
    assert told(terminal.push()) == [(1, "applied"), (2, "applied"), (4, "applied")]
    assert terminal.status()["unsupported"] == [3]
    assert [queued.n for queued in terminal.waiting()] == [3]


# A queue that outlives its session


def test_a_chain_that_is_pushed_by_nobody(terminal: Terminal, small: World) -> None:
    round_id = walked(terminal, small, 1)
    terminal.capture(
        "patrol.round",
        "close",
        round_id,
        {"result": "completed", "reason": None, "visits": 1},
        base=1,
        signoff=BY_SESSION,
    )
    terminal.sign_out()
    assert told(terminal.push()) == [(1, "applied"), (2, "applied"), (3, "applied")]
    agreed(terminal, small)


# Disputes


def changed(clerk: Terminal, person: str, **fields: Any) -> str:
    return clerk.edit("person", "change", person, fields)


def test_other_fields_merge(clerks: tuple[Terminal, Terminal], small: World) -> None:
    one, other = clerks
    changed(one, small.ids["p1"], name="李四")
    changed(other, small.ids["p1"], number="A-7")
    assert told(one.push()) == [(1, "applied")]
    other.pull()
    view = other.view(small.ids["p1"])
    assert view is not None and (view["doc"]["name"], view["doc"]["number"]) == ("李四", "A-7")
    assert told(other.push()) == [(1, "merged")]
    for each in clerks:
        each.pull()
        (row,) = each.store.rows(record=small.ids["p1"])
        assert (row["version"], row["doc"]["name"], row["doc"]["number"]) == (3, "李四", "A-7")
        same_rows(each, small)


def test_one_field_twice_is_a_dispute_and_is_settled(clerks: tuple[Terminal, Terminal], small: World) -> None:
    one, other = clerks
    changed(one, small.ids["p1"], name="李四")
    mine = changed(other, small.ids["p1"], name="王五")
    one.push()
    (outcome,) = other.push()
    assert (outcome["status"], outcome["record"]) == ("conflict", small.ids["p1"])
    for each in clerks:
        each.pull()
        assert [row["id"] for row in each.conflicts()] == [outcome["conflict"]]
    other.settle(outcome["conflict"], {"name": mine}, "看过证件")
    (settled,) = other.push()
    assert settled["status"] == "applied"
    assert [each["record"] for each in settled["also"]] == [small.ids["p1"]]
    for each in clerks:
        each.pull()
        assert each.conflicts() == []
        (row,) = each.store.rows(record=small.ids["p1"])
        assert row["doc"]["name"] == "王五"
        same_rows(each, small)
    agreed(other, small)
    late = chain.uuid7()
    assert late not in one.outcomes()


def test_two_settlements(clerks: tuple[Terminal, Terminal], small: World) -> None:
    one, other = clerks
    changed(one, small.ids["p1"], name="李四")
    mine = changed(other, small.ids["p1"], name="王五")
    one.push()
    (outcome,) = other.push()
    for each, choice in zip(clerks, ("server", mine), strict=True):
        each.pull()
        each.settle(outcome["conflict"], {"name": choice}, "看过证件")
    assert [each["status"] for each in one.push()] == ["applied"]
    (second,) = other.push()
    assert second["status"] == "conflict"
    other.pull()
    (dispute,) = other.conflicts()
    assert len(dispute["doc"]["settlements"]) == 2


# Rows


def test_a_scope_that_is_given_and_taken(terminal: Terminal, small: World) -> None:
    door = small.services.door
    waiting = walked(terminal, small, 1)
    assignments.assign(door, FACILITY, small.ids["PAT"], small.ids["V"], small.ids["ADM"])
    assert terminal.pull().gone == []
    assert {row["doc"]["code"] for row in terminal.rows("place")} == {"W", "C1", "C2", "K", "V", "D1"}
    same_rows(terminal, small)
    small.clock.advance(1000)
    assignments.unassign(door, FACILITY, small.ids["PAT"], small.ids["W"], small.ids["ADM"])
    terminal.pull()
    assert {row["doc"]["code"] for row in terminal.rows("place")} == {"V", "D1"}
    assert [queued.record for queued in terminal.waiting()][0] == waiting
    same_rows(terminal, small)


def test_a_person_who_moves_while_an_edit_waits(clerks: tuple[Terminal, Terminal], small: World) -> None:
    one, _ = clerks
    changed(one, small.ids["p1"], name="李四")
    small.desk("INT", Act("person", "change", small.ids["p1"], {"cell": small.ids["D1"]}, base=1))
    one.pull()
    view = one.view(small.ids["p1"])
    assert view is not None and (view["doc"]["name"], view["doc"]["cell"]) == ("李四", small.ids["D1"])
    assert told(one.push()) == [(1, "merged")]


def test_one_device_and_two_officers(terminal: Terminal, small: World) -> None:
    walked(terminal, small, 2)
    terminal.sign_in("PAT2", SECRET)
    assert terminal.queue(officer=small.ids["PAT2"]) == terminal.rows(pending=True) == []
    outcomes, _ = terminal.sync()
    assert [each["status"] for each in outcomes] == ["applied"] * 3
    assert {row["doc"]["code"] for row in terminal.rows("place")} == {"V", "D1"}
    same_rows(terminal, small)


def test_what_has_changed_by_itself_is_repaired(terminal: Terminal, small: World) -> None:
    walked(terminal, small, 20)
    terminal.sync()
    assert terminal.repair().partitions == []
    changed, lost, *_ = terminal.rows("patrol.visit")
    changed["doc"]["note"] = "另一句"
    database = terminal.store._db
    database.execute("UPDATE rows SET body = ? WHERE id = ?", [orjson.dumps(changed).decode(), changed["id"]])
    database.execute("DELETE FROM rows WHERE id = ?", [lost["id"]])
    done = terminal.repair()
    assert (done.partitions, done.fetched, done.removed) == ([changed["partition"]], 2, 0)
    same_rows(terminal, small)


def test_a_large_partition_comes_as_a_snapshot(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.reading.pull.MOST_AT_ONCE", 10)
    walker = small.terminal("PAT")
    walked(walker, small, 30)
    walker.push()
    reader = small.terminal("PAT")
    pulled = reader.pull()
    assert pulled.snapshots == [f"place/{small.ids['W']}/base"] or pulled.snapshots == [f"place/{small.ids['K']}/base"]
    same_rows(reader, small)
    assert len(reader.rows("patrol.visit")) == 30
    walked(walker, small, 1)
    walker.push()
    assert reader.pull().snapshots == []
    assert len(reader.rows("patrol.visit")) == 31
    same_rows(reader, small)
    whole = small.terminal("PAT")
    assert whole.pull(snapshots=False, limit=3).snapshots == []
    assert whole.rows() == reader.rows()
