"""Assessments, counselling, education, equipment and premises as shifts live them: on handhelds, part of it without signal;
what is remarkable about each, and what the rules of duty hear."""

from __future__ import annotations

from typing import Any

import pytest

from backend.domain.assessments import QUESTIONS
from backend.kernel.clock import to_text
from headless.chain import uuid7
from headless.patrol import BY_SESSION
from headless.terminal import Terminal
from sync.writing.local import Act
from tests.support.happened import events, told
from tests.support.world import World

MINUTE = 60_000
HOUR = 60 * MINUTE


def at(world: World, ago: int = 0) -> str:
    return to_text(world.clock.now() - ago)


def writes(terminal: Terminal, kind: str, verb: str, fields: dict[str, Any], record: str = "", **other: Any) -> str:
    record = record or uuid7()
    terminal.capture(kind, verb, record, fields, **other)
    return record


def marks(terminal: Terminal) -> list[list[str]]:
    """Pushes what is queued; the marks of each operation, all of which took effect."""
    outcomes = terminal.push()
    assert {outcome["status"] for outcome in outcomes} <= {"applied", "merged"}, outcomes
    return [[mark["code"] for mark in outcome["marks"]] for outcome in outcomes]


def assessment(world: World, person: str, grade: str | None, sort: str = "screen", ago: int = 0) -> dict[str, Any]:
    return {
        "person": world.ids[person], "sort": sort, "assessed_at": at(world, ago), "participants": [],
        "answers": dict.fromkeys(QUESTIONS, False), "grade": grade, "reason": "依据谈话", "rests_on": [],
        "measures": ["none"],
    }  # fmt: skip


def test_an_assessment_and_what_follows_from_it(small: World) -> None:
    """Screened off line in the cell, referred; the counsellor answers an hour later on another handheld."""
    cell, counsellor = small.terminal("DISC"), small.terminal("LEAD")
    first = writes(cell, "assessment", "record", assessment(small, "p1", "grade1", ago=MINUTE), signoff=BY_SESSION)
    again = writes(cell, "assessment", "record", assessment(small, "p2", None, "regular"), signoff=BY_SESSION)
    referral = {
        "person": small.ids["p1"], "urgency": "urgent", "grounds": ["self_harm", "sleep"], "words": "流露轻生念头",
        "cause": first,
    }  # fmt: skip
    case = writes(cell, "counselling", "refer", referral)
    small.clock.advance(HOUR)
    assert marks(cell) == [["grade.differs"], [], []], "the register knows no grade of p1"
    counsellor.pull()
    answer = {"result": "continued", "seen_at": at(small, 31 * MINUTE), "advice": "每日疏导"}
    writes(counsellor, "counselling", "answer", answer, case, base=1, seen={"state": "referred"}, signoff=BY_SESSION)
    assert marks(counsellor) == [["record.late"]]
    assert told(small, first) == [("risk.assessed", {"grade": "grade1", "screen": True, "differs": True})]
    assert told(small, again) == [("risk.assessed", {"grade": None, "screen": False, "differs": False})]
    assert told(small, case) == [
        ("counselling.referred", {"urgency": "urgent", "self_harm": True}),
        ("counselling.answered", {"result": "continued"}),
    ]
    (assessed,) = events(small, first)
    assert (assessed.person, small.clock.now() - assessed.at) == (small.ids["p1"], HOUR + MINUTE)
    small.desk("INT", Act("person", "change", small.ids["p1"], {"risk": "grade1"}, base=1))
    writes(cell, "assessment", "record", assessment(small, "p1", "grade1", "event"), signoff=BY_SESSION)
    small.desk("INT", Act("person", "change", small.ids["p2"], {"cell": None, "state": "released"}, base=1))
    writes(cell, "assessment", "record", assessment(small, "p2", None), signoff=BY_SESSION)
    assert marks(cell) == [[], ["person.not_held", "scope.outside"]]


def test_a_class_is_held_for_some_and_not_for_others(small: World) -> None:
    cell = small.terminal("DISC")
    lesson = {
        "place": small.ids["C1"], "sort": "law", "topic": "宪法", "started_at": at(small, 45 * MINUTE),
        "ended_at": at(small), "present": [small.ids["p1"], small.ids["p3"]],
        "absent": [{"person": small.ids["p2"], "why": "court"}], "note": None,
    }  # fmt: skip
    held = writes(cell, "education", "record", lesson)
    assert marks(cell) == [[]]
    facts = {"sort": "law", "minutes": 45}
    assert told(small, held) == [
        ("education.held", facts | {"attended": 2}), ("education.attended", facts), ("education.attended", facts),
    ]  # fmt: skip
    whole, *each = events(small, held)
    assert (whole.person, whole.place) == (None, small.ids["C1"])
    assert [event.person for event in each] == [small.ids["p1"], small.ids["p3"]]
    small.desk("INT", Act("person", "change", small.ids["p3"], {"cell": None, "state": "released"}, base=1))
    small.clock.advance(HOUR)
    writes(cell, "education", "record", lesson)
    assert marks(cell) == [["record.late", "person.not_held"]]


def test_a_fault_from_the_round_that_finds_it_to_its_repair(small: World) -> None:
    """Found by the patrol off line; the leader thinks it graver; repaired in the evening, untried."""
    patrol, leader = small.terminal("PAT"), small.terminal("LEAD")
    place = small.ids["C1"]
    items = [{"item": "cell_door", "condition": "works"}, {"item": "camera", "condition": "damaged"}]
    looked = {"place": place, "checked_at": at(small), "items": items, "note": None}
    round_ = writes(patrol, "equipment_round", "record", looked)
    broken = {
        "place": place, "item": "camera", "severity": "important", "deliberate": True, "found_at": at(small),
        "round": round_, "words": "镜头被遮挡后脱落", "meanwhile": None,
    }  # fmt: skip
    fault = writes(patrol, "equipment_fault", "report", broken)
    small.clock.advance(HOUR)
    assert marks(patrol) == [["equipment.faulty"], []]
    leader.pull()
    graver = {"severity": "critical", "meanwhile": "专人值守"}
    seen = {"severity": "important", "meanwhile": None}
    writes(leader, "equipment_fault", "amend", graver, fault, base=1, seen=seen)
    assert marks(leader) == [[]]
    small.clock.advance(6 * HOUR)
    patrol.pull()
    repair = {"result": "replaced", "repaired_at": at(small), "tested": False, "words": "更换"}
    writes(patrol, "equipment_fault", "repair", repair, fault, base=2, seen={"state": "faulty"}, signoff=BY_SESSION)
    assert marks(patrol) == [["repair.untested"]]
    writes(leader, "equipment_fault", "amend", {"deliberate": False}, fault, base=2, seen={"deliberate": True})
    (late,) = leader.push()
    assert (late["status"], late["problem"]["code"]) == ("rejected", "record.state")
    assert told(small, round_) == [("equipment.rounded", {"items": 2, "faulty": 1})]
    known = {"item": "camera", "deliberate": True}
    assert told(small, fault) == [
        ("equipment.faulted", known | {"severity": "important"}),
        ("equipment.repaired", known | {"severity": "critical"}),
    ]
    began, ended = events(small, fault)
    assert (ended.at - began.at, began.place) == (7 * HOUR, place)


@pytest.mark.parametrize(
    ("kind", "fields", "expected", "facts"),
    [
        ("equipment_round", {"items": [{"item": "gate", "condition": "unreachable"}], "note": "钥匙未到"},
         ["equipment.unseen"], ("equipment.rounded", {"items": 1, "faulty": 0})),
        ("workshop_check", {"phase": "after", "headcount": 20, "tools_out": 40, "tools_seen": 39,
         "findings": ["unguarded_machine", "blocked_exit"], "note": "缺剪刀一把"},
         ["tools.differ"], ("workshop.checked", {"phase": "after", "findings": 2, "tools": False})),
        ("workshop_check", {"phase": "before", "headcount": 0, "tools_out": 40, "tools_seen": 40,
         "findings": ["nothing"], "note": None}, [], ("workshop.checked", {"phase": "before", "findings": 0, "tools": True})),
        ("hygiene_check", {"area": "cell", "things": [{"thing": "pests", "grade": "bad"}, {"thing": "air", "grade": "poor"}],
         "measures": "当日消杀"}, ["hygiene.bad"], ("hygiene.checked", {"area": "cell", "poor": 1, "bad": 1})),
    ],
)  # fmt: skip
def test_what_is_remarkable_about_a_check(
    small: World, kind: str, fields: dict[str, Any], expected: list[str], facts: Any
) -> None:
    patrol = small.terminal("PAT")
    record = writes(patrol, kind, "record", {"place": small.ids["C1"], "checked_at": at(small)} | fields)
    assert marks(patrol) == [expected]
    assert told(small, record) == [facts]
    assert [event.place for event in events(small, record)] == [small.ids["C1"]]
