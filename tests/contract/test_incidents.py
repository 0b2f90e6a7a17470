"""Emergencies, hazards and drills: several officers at once, on line and off, and what only a leader decides."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.domain.plans import checklist
from backend.kernel.clock import to_text
from backend.kernel.events import Event, Version, version_of
from backend.records.registry import kinds
from backend.storage import tables
from headless.chain import uuid7
from headless.patrol import BY_SESSION
from headless.terminal import Terminal
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import World


def opened(world: World, terminal: Terminal, **other: Any) -> str:
    """A fire in C1, told to the server; its record."""
    record = uuid7()
    fields = {
        "type": "fire", "severity": "urgent", "person": None, "place": world.ids["C1"], "cause": None, "text": "冒烟",
    } | other  # fmt: skip
    terminal.capture("incident", "open", record, fields)
    assert [outcome["status"] for outcome in terminal.push()] == ["applied"]
    return record


def row(world: World, record: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(store.one(world, tables.records, id=record).body)
    return found


def happened(world: World, record: str) -> list[Event]:
    """The events of all versions of a record."""
    bodies = [each.body for each in store.rows(world, tables.versions, id=record)]
    versions = [version_of(body) for body in (*bodies, store.one(world, tables.records, id=record).body)]
    versions.sort(key=lambda version: version.version)
    before: list[Version | None] = [None, *versions]
    return [
        event
        for earlier, later in zip(before, versions, strict=False)
        for event in kinds()[later.kind].events(earlier, later)
    ]


def test_several_officers_work_on_one_incident_off_line_and_nothing_is_lost(both: World) -> None:
    patrol, aux, leader, medic = (both.terminal(name) for name in ("PAT", "AUX", "LEAD", "MED"))
    record = opened(both, patrol)
    for each in (patrol, aux, leader, medic):
        each.learn_kinds()
        each.pull()
    does = lambda terminal, verb, fields, **more: terminal.edit("incident", verb, record, fields, **more)  # noqa: E731
    does(leader, "assign", {"role": "evacuation", "officers": [both.ids["PAT"], both.ids["AUX"]]})
    does(leader, "evacuate", {"cells": [both.ids["C1"], both.ids["C2"]]})
    does(patrol, "do", {"item": "alarm", "note": None})
    does(patrol, "count", {"cell": both.ids["C1"], "counted": 2, "elsewhere": 0, "note": None})
    does(aux, "note", {"text": "西侧门已开"})
    does(aux, "count", {"cell": both.ids["C2"], "counted": 0, "elsewhere": 0, "note": "未见一人"})
    does(medic, "do", {"item": "negotiate", "note": None})
    outcomes = [outcome for each in (leader, patrol, aux, medic) for outcome in each.push()]
    assert {outcome["status"] for outcome in outcomes} == {"applied", "merged"}
    marks = [[mark["code"] for mark in outcome["marks"]] for outcome in outcomes]
    assert marks == [[], [], [], [], [], ["headcount.differs"], ["plan.beside"]]
    doc = row(both, record)["doc"]
    assert doc["roles"] == {"evacuation": [both.ids["PAT"], both.ids["AUX"]]}
    assert doc["plan"]["alarm"]["officer"] == both.ids["PAT"] and set(doc["plan"]) == {*checklist("fire"), "negotiate"}
    assert doc["cells"][both.ids["C2"]] == {"lodged": 1, "counted": 0, "elsewhere": 0}
    assert [each["what"] for each in doc["timeline"]] == [
        "opened", "assigned", "evacuated", "done", "counted", "note", "counted", "done",
    ]  # fmt: skip
    aux.pull()
    does(aux, "count", {"cell": both.ids["C2"], "counted": 0, "elsewhere": 1, "note": "在医务室"})
    aux.push()
    leader.pull()
    does(leader, "close", {"report": "线路起火，已扑灭", "undone": "未动用武警"}, signoff=BY_SESSION)
    (closed,) = leader.push()
    assert (closed["status"], closed["marks"], row(both, record)["state"]) == ("applied", [], "closed")
    told = [(event.name.partition(".")[2], event.facts.get("complete")) for event in happened(both, record)]
    assert [name for name, _ in told[:4]] == ["opened", "assigned", "part", "part"]
    assert [each for each in told[4:] if each[0] != "worked"] == [
        ("evacuated", False),
        ("evacuated", True),
        ("closed", None),
    ]
    assert [name for name, _ in told].count("worked") == 6
    does(aux, "note", {"text": "补记：门锁已换"})
    (late,) = aux.push()
    assert late["status"] == "merged" and row(both, record)["doc"]["timeline"][-1]["text"] == "补记：门锁已换"


def test_two_leaders_who_give_one_part_apart_are_told(both: World) -> None:
    leader, director = both.terminal("LEAD"), both.terminal("DIR")
    record = opened(both, leader)
    for each, officer in ((leader, "PAT"), (director, "DISC")):
        each.learn_kinds()
        each.pull()
        each.edit("incident", "assign", record, {"role": "commander", "officers": [both.ids[officer]]})
    (first,), (second,) = leader.push(), director.push()
    assert (first["status"], second["status"]) == ("applied", "conflict")
    assert row(both, record)["doc"]["roles"] == {"commander": [both.ids["PAT"]]}


def test_an_evacuation_that_is_not_accounted_for_is_marked_when_it_is_closed(both: World) -> None:
    leader = both.terminal("LEAD")
    record = opened(both, leader, type="failure", severity="important")
    leader.learn_kinds()
    leader.pull()
    leader.edit("incident", "evacuate", record, {"cells": [both.ids["C1"]]})
    leader.edit("incident", "close", record, {"report": "已恢复供电", "undone": "无须"}, signoff=BY_SESSION)
    outcomes = leader.push()
    assert [mark["code"] for mark in outcomes[-1]["marks"]] == ["evacuation.open"]
    leader.pull()
    leader.edit("incident", "evacuate", record, {"cells": [both.ids["C2"]]})
    (outcome,) = leader.push()
    assert outcome["problem"]["code"] == "record.state"


def test_an_alarm_goes_to_open_streams_at_once(both: World) -> None:
    heard: list[Any] = []
    both.services.herald.listen(heard.append)
    terminal = both.terminal("PAT")
    urgent, _ = opened(both, terminal), opened(both, terminal, severity="important", type="other")
    assert [orjson.loads(body)["id"] for news in heard for _, body in news.alarms] == [urgent]


def hazard(h: Hand, **other: Any) -> str:
    record = uuid7()
    fields = {
        "place": h.world.ids["C1"], "sort": "lock", "severity": "important", "text": "锁舌松动", "rectify_by": None,
    } | other  # fmt: skip
    h.write("hazard", "find", record, fields)
    (outcome,) = h.told(h.n, h.n)
    assert outcome["status"] == "applied", outcome
    return record


def step(h: Hand, record: str, verb: str, fields: dict[str, Any]) -> dict[str, Any]:
    kept = store.one(h.world, tables.records, id=record)
    signoff = BY_SESSION if verb == "verify" else None
    h.write("hazard", verb, record, fields, base=kept.version, seen={"state": kept.state}, signoff=signoff)
    (outcome,) = h.told(h.n, h.n)
    return outcome


def test_a_hazard_is_put_right_by_one_and_verified_by_another(both: World) -> None:
    patrol, cell, leader = (Hand(both).signed_in(name) for name in ("PAT", "DISC", "LEAD"))
    record = hazard(patrol)
    due = in_text(both, 3_600_000)
    task = {"posts": ["DISC"], "officer": None, "rectify_by": due}
    assert step(cell, record, "assign", task)["problem"]["code"] == "officer.unauthorised"
    assert step(leader, record, "assign", task)["status"] == "applied"
    both.clock.advance(3_600_001)
    late = step(leader, record, "rectify", {"measures": "已更换"})
    assert [mark["code"] for mark in late["marks"]] == ["hazard.late"]
    assert step(leader, record, "verify", {"passed": True, "note": None})["problem"]["code"] == "officer.unauthorised"
    director = Hand(both).signed_in("DIR")
    assert step(director, record, "verify", {"passed": False, "note": "仍松动"})["status"] == "applied"
    assert step(director, record, "verify", {"passed": True, "note": None})["problem"]["code"] == "record.state"
    step(cell, record, "rectify", {"measures": "整体更换"})
    assert step(leader, record, "verify", {"passed": True, "note": None})["status"] == "applied"
    assert [event.name for event in happened(both, record)] == [
        "hazard.found", "hazard.assigned", "hazard.rectified", "hazard.returned", "hazard.rectified", "hazard.verified",
    ]  # fmt: skip
    assert happened(both, record)[1].facts == {
        "sort": "lock", "severity": "important", "rectify_by": due, "officer": None, "posts": "DISC",
    }  # fmt: skip


def in_text(world: World, by: int) -> str:
    return to_text(world.clock.now() + by)


@pytest.mark.parametrize(("left_out", "expected"), [(None, []), ("count", ["drill.partial"])])
def test_a_drill_that_left_steps_out_says_so(both: World, left_out: str | None, expected: list[str]) -> None:
    h = Hand(both).signed_in("LEAD")
    now = in_text(both, 0)
    items = [each for each in checklist("disaster") if each not in {left_out, "statement"}]
    record, fields = uuid7(), {
        "type": "disaster", "place": both.ids["W"], "started_at": in_text(both, -20 * 60_000), "ended_at": now,
        "officers": [both.ids["PAT"]], "persons": 2, "items": items, "response_seconds": None, "findings": "有序",
        "improvements": None,
    }  # fmt: skip
    h.write("drill", "record", record, fields, signoff=BY_SESSION)
    (outcome,) = h.told(h.n, h.n)
    assert [mark["code"] for mark in outcome["marks"]] == expected
    (event,) = happened(both, record)
    assert (event.name, event.facts) == ("drill.held", {"type": "disaster", "minutes": 20, "officers": 1})
