"""Edits with what was seen, pending views, conflicts and settlements (protocol sections 5 and 10)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headless import Refused, Terminal, chain
from tests.headless.fake_world import World
from tests.headless.kit import OTHER_CODE, SECRET, Line


@pytest.fixture
def person(terminal: Terminal, world: World) -> str:
    """A person in C1, held by the terminal."""
    id_ = world.person("C1")
    terminal.pull()
    return id_


@pytest.fixture
def other(terminal: Terminal, person: str, tmp_path: Path) -> Iterator[Terminal]:
    """A second terminal of the same ward."""
    with Terminal(tmp_path / "other.db", "http://fake", transport=terminal._transport) as made:
        made.enrol(OTHER_CODE, "PDA-08")
        made.sign_in("PAT", SECRET)
        made.pull()
        yield made


def change(terminal: Terminal, person: str, **changes: Any) -> str:
    return terminal.edit("person", "change", person, changes)


def test_seen_is_the_rows_value_and_then_ones_own(terminal: Terminal, world: World, person: str, line: Line) -> None:
    terminal.learn_kinds()
    line.down = True
    change(terminal, person, name="李四")
    change(terminal, person, name="王五", cell=world.places["C2"])
    first, second = (queued.operation for queued in terminal.waiting())
    assert (first["base"], first["seen"]) == (1, {"name": "张三", "state": "held"})
    assert (second["base"], second["seen"]) == (1, {"name": "李四", "cell": world.places["C1"], "state": "held"})
    assert second["after"] == [first["op"]]
    line.down = False
    assert [each["status"] for each in terminal.push()] == ["applied"] * 2
    assert world.kept.rows[person]["doc"]["name"] == "王五"


def test_seen_may_be_given(terminal: Terminal, world: World, person: str) -> None:
    fields, seen = {"name": "李四"}, {"name": "张三"}
    terminal.capture("person", "change", person, fields, base=1, seen=seen)
    assert terminal.waiting()[0].operation["seen"] == seen
    terminal.edit("person", "change", person, {"name": "王五"}, seen={"number": "2"}, schema=1)
    assert terminal.waiting()[1].operation["seen"] == {"name": "李四", "number": "2"}
    terminal.capture("k", "v", chain.uuid7(), {})
    assert "seen" not in terminal.waiting()[2].operation


def test_a_verb_that_only_watches(terminal: Terminal, world: World, person: str) -> None:
    kinds = {"person": {"schema": 1, "verbs": {"release": {"edits": False, "watches": ["state", "cell", "bed"]}}}}
    terminal.store.note("kinds", kinds)
    row = world.kept.rows[person]
    del row["doc"]["state"]
    row["seq"] = world.kept.seq = world.kept.seq + 1
    terminal.pull()
    terminal.edit("person", "release", person, {"ground": "bail"})
    said = terminal.waiting()[0].operation
    assert said["seen"] == {"state": "held", "cell": world.places["C1"], "bed": None}
    view = terminal.view(person)
    assert view is not None and "ground" not in view["doc"] and view["version"] == 1


def test_what_is_not_held_cannot_be_edited(terminal: Terminal) -> None:
    with pytest.raises(Refused, match="not held"):
        change(terminal, chain.uuid7(), name="李四")
    assert terminal.waiting() == []


def test_an_edit_stays_before_its_officer_whatever_a_pull_brings(
    terminal: Terminal, other: Terminal, world: World, person: str
) -> None:
    op = change(terminal, person, name="李四")
    change(other, person, cell=world.places["C2"])
    assert [each["status"] for each in other.push()] == ["applied"]
    terminal.pull()
    (row,) = terminal.rows("person")
    assert (row["version"], row["doc"]["name"], row["doc"]["cell"]) == (2, "张三", world.places["C2"])
    (view,) = terminal.rows("person", pending=True)
    assert (view["version"], view["doc"]["name"], view["doc"]["cell"]) == (2, "李四", world.places["C2"])
    assert (view["pending"], view["seq"]) == ([op], row["seq"])
    assert [each["status"] for each in terminal.push()] == ["merged"]
    assert terminal.view(person) == view  # until the next pull brings the row
    terminal.pull()
    assert terminal.view(person) == terminal.rows("person")[0]
    assert "pending" not in terminal.rows("person", pending=True)[0]
    assert terminal.rows("person")[0]["doc"] == view["doc"]


def test_a_record_of_ones_own_is_there_before_it_is_sent(terminal: Terminal, world: World) -> None:
    record = chain.uuid7()
    terminal.capture("person", "create", record, {"name": "新来"})
    (row,) = terminal.rows("person", pending=True)
    assert (row["id"], row["version"], row["doc"], row["seq"]) == (record, 1, {"name": "新来"}, None)
    change(terminal, record, name="改名")
    said = terminal.waiting()[1].operation
    assert (said["base"], said["seen"]) == (1, {"name": "新来"})
    assert terminal.rows("person") == []
    terminal.push()  # refused: the fake server knows no such verb
    assert terminal.rows("person", pending=True) == terminal.waiting() == []


def test_another_officer_does_not_see_it(terminal: Terminal, world: World, person: str) -> None:
    change(terminal, person, name="李四")
    world.officers["PAT2"]["wards"] = ["W"]
    terminal.sign_in("PAT2", SECRET)
    assert terminal.rows(pending=True) == []
    assert terminal.queue(officer=world.officers["PAT2"]["id"]) == []
    terminal.pull()
    view = terminal.view(person)
    assert view is not None and view["doc"]["name"] == "张三"
    change(terminal, person, name="王五")
    first, second = (queued.operation for queued in terminal.queue())
    assert (second["base"], second["seen"], second["after"]) == (1, {"name": "张三"}, [first["op"]])
    assert [each["status"] for each in terminal.push()] == ["applied", "conflict"]  # he had not seen the first one's


def test_two_values_for_one_field_are_settled_off_line(
    terminal: Terminal, other: Terminal, world: World, person: str, line: Line
) -> None:
    change(other, person, name="李四")
    change(terminal, person, name="王五")
    other.push()
    (outcome,) = terminal.push()
    assert (outcome["status"], outcome["record"], outcome["problem"]["code"]) == ("conflict", person, "record.conflict")
    terminal.pull()
    assert terminal.view(person)["doc"]["name"] == "李四"  # type: ignore[index]
    (dispute,) = terminal.conflicts()
    assert dispute["id"] == outcome["conflict"]
    assert dispute["doc"]["server"] == {"name": "李四"}
    (candidate,) = dispute["doc"]["candidates"]
    with pytest.raises(Refused, match="none of the values"):
        terminal.settle(dispute["id"], {"name": chain.uuid7()}, "看过证件")
    with pytest.raises(Refused, match="none of the values"):
        terminal.settle(dispute["id"], {"cell": "server"}, "看过证件")
    with pytest.raises(Refused, match="not held"):
        terminal.settle(chain.uuid7(), {}, "看过证件")
    line.down = True
    op = terminal.settle(dispute["id"], {"name": candidate["op"]}, "看过证件")
    said = terminal.waiting()[0].operation
    assert (said["kind"], said["verb"], said["base"], said["record"]) == ("conflict", "settle", 1, dispute["id"])
    assert said["fields"] == {
        "saw": [candidate["op"]],
        "server": {"name": "李四"},
        "choice": {"name": candidate["op"]},
        "reason": "看过证件",
    }
    line.down = False
    (told,) = terminal.push()
    assert (told["op"], told["status"], told["also"][0]["record"]) == (op, "applied", person)
    terminal.pull()
    assert terminal.conflicts() == []
    assert terminal.view(person)["doc"]["name"] == "王五"  # type: ignore[index]


def test_a_settlement_that_had_not_seen_every_value(
    terminal: Terminal, other: Terminal, world: World, person: str
) -> None:
    change(other, person, name="李四")
    change(terminal, person, name="王五")
    other.push()
    terminal.push()
    terminal.pull()
    (dispute,) = terminal.conflicts()
    terminal.settle(dispute["id"], {"name": "server"}, "看过证件")
    change(other, person, name="赵六")
    joined = other.push()
    assert [each["problem"]["code"] for each in joined if each["status"] == "conflict"] == ["record.disputed"]
    (told,) = terminal.push()
    assert (told["status"], told["problem"]["code"]) == ("conflict", "settlement.outdated")
    terminal.pull()
    (dispute,) = terminal.conflicts()
    assert [each["accepted"] for each in dispute["doc"]["settlements"]] == [False]
    assert len(dispute["doc"]["candidates"]) == 2


def test_kinds_are_kept_for_later(terminal: Terminal, line: Line) -> None:
    assert set(terminal.learn_kinds()) == {"person", "conflict"}
    line.down = True
    assert terminal._form("person", "change")["watches"] == ["state"]
    assert terminal._form("no", "such") == {}
