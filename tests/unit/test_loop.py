"""The closed loop of dynamic information through the pure engine: who is asked what, when, and what becomes of it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from backend.domain.calendars import HOUR_MS, MINUTE_MS
from backend.domain.dynamic_info import CATEGORIES
from backend.domain.plans import ITEMS, TYPES, checklist
from backend.domain.routing import AREAS, ROUTES, TIMES, first, route
from backend.domain.shifts import Holder, Plan, Roster
from backend.duty import loop, mismatches
from backend.duty.engine.engine import Engine
from backend.duty.engine.family import Input
from backend.duty.engine.memory import Memory
from backend.kernel.clock import to_text
from backend.kernel.events import Event
from backend.kernel.ids import named
from tests.support.story import START, Duty, Story

NOON = START + 12 * HOUR_MS
REPORT = named(NOON, "report")
SECOND = 1000
PLACES = {"W": None, "C1": "W", "C2": "W", "C3": "W"}
NEAR, MIDDLE, FAR = "near", "middle", "far"
SERVING = {NEAR: "PAT", MIDDLE: "PAT", FAR: "DISC", "chief": "LEAD", "doctor": "MED", "desk": "INT"}
ROSTER = Roster(
    Plan(holders=tuple(Holder(officer, (post,), (("W", 0, None),)) for officer, post in SERVING.items())), PLACES
)


def told(story: Story, name: str, at: int, officer_: str, record: str = REPORT, **facts: Any) -> None:
    """An event of a report about C1 by an officer."""
    said = {"category": "dispute", "severity": "urgent", "area": "cell", "officer": officer_} | facts
    story.hears(story.version("dynamic_info", record, at, officer=officer_), Event(name, at, "p", "C1", said))


def scanned(story: Story, officer: str, place: str, at: int) -> None:
    story.hears(
        story.version("patrol.visit", named(at, officer), at, officer=officer), Event("patrol.visited", at, None, place)
    )


@pytest.fixture
def story() -> Story:
    """A ward whose officers were last seen in C1, C2 and C3, of whom only some go first."""
    made = Story([], rota=ROSTER, companions=[*loop.companions(), *mismatches.companions()])
    made.ward("W", "C1", "C2", "C3")
    for officer, place in ((FAR, "C3"), (MIDDLE, "C2"), (NEAR, "C1")):
        scanned(made, officer, place, NOON - 30 * MINUTE_MS)
    return made.until(NOON - MINUTE_MS)


def asked(story: Story, step: str) -> list[Duty]:
    return story.of(f"loop.{step}")


def after(duty: Duty) -> int:
    """How long after noon it is due."""
    return duty.due - NOON


def test_one_report_gives_several_posts_their_own_duties(story: Story) -> None:
    told(story, "dynamic.reported", NOON, "desk")
    story.until(NOON)
    assert {(each.rule, *each.said["posts"]) for each in story.duties.values()} == {
        ("loop.first", "PAT", "DISC"), ("loop.handle", "PAT", "DISC"), ("loop.deploy", "LEAD"),
        ("loop.task", "DISC"), ("loop.task", "MED"),
    }  # fmt: skip
    assert all(each.said["cause"] == REPORT and each.said["person"] == "p" for each in story.duties.values())
    assert {each.said["asks"]["zh"].partition("：")[0] for each in story.duties.values()} == {"争执或打架"}
    assert [after(each) for each in asked(story, "deploy")] == [5 * MINUTE_MS]
    assert all(each.said["loud"] for each in story.duties.values())


def test_the_nearest_is_asked_first_and_the_next_when_he_lets_his_time_pass(story: Story) -> None:
    told(story, "dynamic.reported", NOON, "desk")
    story.until(NOON + 59 * SECOND)
    assert [each.said["officer"] for each in asked(story, "first")] == [NEAR]
    story.until(NOON + 150 * SECOND)
    assert [(each.said["officer"], after(each) // SECOND) for each in asked(story, "first")] == [
        (NEAR, 60), (MIDDLE, 120), (FAR, 180),
    ]  # fmt: skip
    story.until(NOON + 181 * SECOND)
    assert [each.said["officer"] for each in asked(story, "first")][3:] == [None]
    told(story, "dynamic.acknowledged", NOON + 200 * SECOND, MIDDLE)
    story.until(NOON + HOUR_MS)
    assert [(each.said["officer"], each.state) for each in asked(story, "first")] == [
        (NEAR, "cancel"), (MIDDLE, "fulfil"), (FAR, "cancel"), (None, "fulfil"),
    ]  # fmt: skip


def test_who_reported_it_is_not_asked_to_go_there(story: Story) -> None:
    told(story, "dynamic.reported", NOON, NEAR)
    story.until(NOON)
    assert [each.said["officer"] for each in asked(story, "first")] == [MIDDLE]


def test_a_newer_scan_tells_where_somebody_is_and_an_older_one_does_not(story: Story) -> None:
    scanned(story, FAR, "C1", NOON - 2 * MINUTE_MS)
    scanned(story, NEAR, "C3", NOON - 2 * HOUR_MS)
    told(story, "dynamic.reported", NOON, "desk")
    story.until(NOON)
    assert [each.said["officer"] for each in asked(story, "first")] == [FAR]


def test_the_loop_runs_to_its_close(story: Story) -> None:
    told(story, "dynamic.reported", NOON, "desk")
    told(story, "dynamic.acknowledged", NOON + 20 * SECOND, NEAR)
    until = to_text(NOON + HOUR_MS)
    told(story, "dynamic.deployed", NOON + 2 * MINUTE_MS, "chief")
    told(story, "dynamic.sent", NOON + 2 * MINUTE_MS, "chief", officer=FAR, post=None, until=until)
    told(story, "dynamic.sent", NOON + 2 * MINUTE_MS, "chief", officer=None, post="MED", until=None)
    told(story, "dynamic.arrived", NOON + 3 * MINUTE_MS, NEAR)
    told(story, "dynamic.handled", NOON + 20 * MINUTE_MS, FAR)
    story.until(NOON + 21 * MINUTE_MS)
    assert [(each.said["officer"], each.said["posts"], after(each)) for each in asked(story, "sent")] == [
        (None, ["MED"], 32 * MINUTE_MS), (FAR, ["PAT", "DISC"], HOUR_MS),
    ]  # fmt: skip
    done = {each.rule: each.state for each in story.duties.values() if each.rule != "loop.sent"}
    assert done == {
        "loop.first": "fulfil", "loop.handle": "fulfil", "loop.deploy": "fulfil",
        "loop.task": "issue", "loop.answer": "issue",
    }  # fmt: skip
    assert [each.state for each in asked(story, "sent")] == ["issue", "fulfil"]
    (answer,) = asked(story, "answer")
    assert (answer.said["officer"], after(answer)) == (FAR, 80 * MINUTE_MS)
    told(story, "dynamic.answered", NOON + 30 * MINUTE_MS, NEAR)
    told(story, "dynamic.returned", NOON + 40 * MINUTE_MS, "chief")
    story.until(NOON + 41 * MINUTE_MS)
    assert [each.state for each in asked(story, "close")] == ["cancel"]
    assert [each.state for each in asked(story, "handle")] == ["fulfil", "issue"]
    told(story, "dynamic.handled", NOON + 50 * MINUTE_MS, NEAR)
    told(story, "dynamic.answered", NOON + 51 * MINUTE_MS, NEAR)
    told(story, "dynamic.closed", NOON + 52 * MINUTE_MS, "chief")
    story.until(NOON + 53 * MINUTE_MS)
    assert [(each.rule, each.said["posts"]) for each in story.duties.values() if each.state == "issue"] == [
        ("loop.task", ["DISC"])
    ]
    assert [each.state for each in asked(story, "close")] == ["cancel", "fulfil"]
    assert f"record/{REPORT}" not in [key.rpartition("|")[2] for key in story.engine.memory.page("w|loop")]


def test_a_step_that_is_late_is_told_to_the_leader_and_then_to_the_director(story: Story) -> None:
    told(story, "dynamic.reported", NOON, "desk", severity="important")
    story.until(NOON + 6 * HOUR_MS)
    handle, deploy = asked(story, "handle")[0], asked(story, "deploy")[0]
    times = TIMES["important"]
    assert [at - NOON for at in handle.at("escalate")] == [times.handle, times.handle + times.late]
    assert [each["posts"] for each in handle.said["chain"]] == [["LEAD"], ["DIR"]]
    assert [each["posts"] for each in deploy.said["chain"]] == [["DIR"]]
    assert handle.at("miss") and not handle.said["loud"]


def test_what_is_ordinary_asks_those_alone_who_handle_it(story: Story) -> None:
    told(story, "dynamic.reported", NOON, "desk", severity="ordinary")
    story.until(NOON + HOUR_MS)
    assert [each.rule for each in story.duties.values()] == ["loop.handle"]
    told(story, "dynamic.escalated", NOON + HOUR_MS, "desk", before="ordinary")
    story.until(NOON + HOUR_MS)
    assert [each.state for each in asked(story, "handle")] == ["issue", "cancel"]
    assert asked(story, "first") and asked(story, "deploy")


def test_a_deployment_does_not_stop_the_next_from_being_asked_and_each_one_is_a_duty_of_its_own(story: Story) -> None:
    told(story, "dynamic.reported", NOON, "desk")
    until = to_text(NOON + HOUR_MS)
    for at in (10, 20):
        told(story, "dynamic.deployed", NOON + at * SECOND, "chief")
        told(story, "dynamic.sent", NOON + at * SECOND, "chief", officer=FAR, post=None, until=until)
    told(story, "dynamic.escalated", NOON + 30 * SECOND, "desk", before="important")
    told(story, "dynamic.reclassified", NOON + 30 * SECOND, "desk", before="conduct")
    story.until(NOON + 31 * SECOND)
    assert sorted((each.state, after(each)) for each in asked(story, "sent")) == [
        ("cancel", HOUR_MS),
        ("issue", HOUR_MS),
    ]
    assert [(each.said["posts"], each.state) for each in asked(story, "task") if each.said["posts"] == ["DISC"]] == [
        (["DISC"], "cancel"), (["DISC"], "cancel"), (["DISC"], "issue"),
    ]  # fmt: skip
    story.until(NOON + 91 * SECOND)
    assert [each.said["officer"] for each in asked(story, "first") if each.state == "issue"] == [NEAR, MIDDLE]


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_in_whatever_order_steps_arrive_that_were_taken_apart_the_same_comes_of_it(
    story: Story, order: tuple[int, ...]
) -> None:
    """Two acknowledge and a third handles it, all without signal: their terminals come back in any order."""
    steps = (("acknowledged", 20, MIDDLE), ("arrived", 40, NEAR), ("handled", 50, FAR))
    told(story, "dynamic.reported", NOON, "desk")
    for arrives, index in enumerate(order):
        name, at, officer = steps[index]
        received = NOON + HOUR_MS + arrives * SECOND
        version = story.version("dynamic_info", REPORT, received, officer=officer)
        facts = {"category": "dispute", "severity": "urgent", "area": "cell", "officer": officer}
        story.hears(version, Event(f"dynamic.{name}", NOON + at * SECOND, "p", "C1", facts))
    story.until(NOON + HOUR_MS + MINUTE_MS)
    (handle,) = asked(story, "handle")
    (answer,) = asked(story, "answer")
    assert handle.steps[-1] == ("fulfil", NOON + 50 * SECOND)
    assert (answer.said["officer"], answer.state) == (FAR, "issue")
    assert {each.state for each in asked(story, "first")} <= {"fulfil", "cancel", "miss"}
    assert not [each for each in story.engine.memory.page("w|loop") if story.engine.memory.get(each).get("w")]


def test_what_is_withdrawn_concerns_nobody_any_more(story: Story) -> None:
    told(story, "dynamic.reported", NOON, "desk")
    told(story, "dynamic.withdrawn", NOON + MINUTE_MS, "desk")
    story.until(NOON + 24 * HOUR_MS)
    assert {each.state for each in story.duties.values()} == {"cancel"}
    assert not [key for key in story.engine.memory.page("w|loop") if "record" in key]


def test_nobody_is_late_for_what_was_still_on_its_way(story: Story) -> None:
    said = {"category": "dispute", "severity": "urgent", "area": "cell"}
    version = story.version("dynamic_info", REPORT, NOON - 3 * HOUR_MS, officer="desk", received_at=NOON)
    story.hears(version, Event("dynamic.reported", NOON - 3 * HOUR_MS, "p", "C1", said))
    story.until(NOON)
    assert {each.opens for each in story.duties.values()} == {NOON}


def test_whoever_completes_the_duty_has_taken_the_step(story: Story) -> None:
    told(story, "dynamic.reported", NOON, "desk")
    story.until(NOON)
    (duty,) = asked(story, "first")
    story.hears(story.version("duty", duty.id, NOON + SECOND, state="completed", doc=duty.said, version=2))
    story.until(NOON + 10 * MINUTE_MS)
    assert len(asked(story, "first")) == 1
    (handle,) = asked(story, "handle")
    story.hears(story.version("duty", handle.id, NOON + 11 * MINUTE_MS, state="completed", doc=handle.said, version=2))
    story.until(NOON + 11 * MINUTE_MS)
    assert [each.said["posts"] for each in asked(story, "close")] == [["LEAD"]]


@pytest.mark.parametrize("step", [15 * SECOND, 7 * MINUTE_MS, 4 * HOUR_MS])
def test_however_often_it_is_asked_the_duties_are_the_same(step: int) -> None:
    """A story told in ticks of any length, with a restart between them, is the story told at once."""

    def play(ticks: int | None) -> dict[str, Any]:
        made = Story([], rota=ROSTER, companions=loop.companions())
        made.ward("W", "C1", "C2", "C3")
        events = [
            ("dynamic.reported", 0, "desk"), ("dynamic.acknowledged", 90 * SECOND, MIDDLE),
            ("dynamic.handled", 40 * MINUTE_MS, MIDDLE), ("dynamic.answered", 50 * MINUTE_MS, MIDDLE),
        ]  # fmt: skip
        end = NOON + 8 * HOUR_MS
        for officer, place in ((FAR, "C3"), (MIDDLE, "C2"), (NEAR, "C1")):
            scanned(made, officer, place, NOON - 30 * MINUTE_MS)
        for at in range(NOON, end, ticks or end - NOON):
            upto = min(at + (ticks or end - NOON), end)
            for name, late, officer in events:
                if at <= NOON + late < upto:
                    told(made, name, NOON + late, officer)
            made.until(upto).restarted()
        return {each.id: (each.said, each.steps) for each in made.duties.values()}

    assert play(step) == play(None)


def test_a_count_that_does_not_match_opens_one_incident(story: Story) -> None:
    counts = {"counted": 9, "expected": 10}
    cause = story.happens("headcount.mismatch", NOON, place="W", **counts)
    story.happens("headcount.mismatch", NOON + 5 * MINUTE_MS, place="W", **counts)
    story.happens("headcount.mismatch", NOON + 5 * MINUTE_MS, place="V", **counts)
    story.happens("headcount.solved", NOON + 9 * MINUTE_MS, place="W", counted=10, expected=10)
    story.happens("headcount.solved", NOON + 10 * MINUTE_MS, place="W", counted=10, expected=10)
    story.until(NOON + HOUR_MS)
    opened, noted, other, solved = story.others
    assert (opened.kind, opened.verb, opened.creates) == ("incident", "open", True)
    assert opened.fields == opened.fields | {"type": "headcount", "place": "W", "cause": cause}
    assert "应有10人，实有9人" in opened.fields["text"]
    assert (noted.verb, noted.record) == (solved.verb, solved.record) == ("note", opened.record)
    assert (other.verb, other.fields["place"]) == ("open", "V") and other.record != opened.record
    assert [key.rpartition("|")[2] for key in story.engine.memory.page("w|mismatch")] == ["facility/TEST", "place/V"]
    story.happens("incident.closed", NOON + 2 * HOUR_MS, place="V", record=other.record)
    story.happens("headcount.mismatch", NOON + 3 * HOUR_MS, place="V", **counts)
    story.until(NOON + 4 * HOUR_MS)
    assert story.others[-1].verb == "open" and story.others[-1].record != other.record


def test_what_was_before_anybody_was_asked_is_asked_for_where_it_still_stands_open() -> None:
    """The records of a facility that begins are met as they stand: a report that was handled needs no answer, a count that
    did not match no incident, and what is still open is asked for."""
    made = Story([], rota=ROSTER, companions=[*loop.companions(), *mismatches.companions()], memory=Memory())
    fresh = Engine(made.ports, Memory(), made.companions)
    said = {"category": "dispute", "severity": "important", "area": "cell"}
    for record, steps in (("open", ["reported"]), ("handled", ["reported", "handled"]), ("closed", _ALL)):
        events = [Event(f"dynamic.{step}", NOON - HOUR_MS, "p", "C1", said) for step in steps]
        fresh.learn([Input(None, made.version("dynamic_info", record, NOON), tuple(events))], NOON)
    mismatch = Event("headcount.mismatch", NOON - HOUR_MS, None, "W", {"counted": 1, "expected": 2})
    fresh.learn([Input(None, made.version("headcount", "h", NOON), (mismatch,))], NOON)
    fresh.begin(NOON)
    acts = fresh.advance([], NOON + MINUTE_MS).acts
    assert {(act.kind, act.verb, act.fields.get("cause")) for act in acts} == {("duty", "issue", "open")}
    again = made.version("headcount", "i", NOON + MINUTE_MS)
    found = fresh.advance([Input(None, again, (replace(mismatch, at=NOON + MINUTE_MS),))], NOON + MINUTE_MS).acts
    assert [(act.kind, act.verb) for act in found] == [("incident", "open")]


_ALL = ["reported", "acknowledged", "handled", "answered", "closed"]


def test_every_kind_of_report_has_a_way_and_every_emergency_a_plan() -> None:
    assert set(ROUTES) <= set(CATEGORIES)
    assert all(first(category, area) for category in CATEGORIES for area in (None, *AREAS))
    assert first("dispute", "room")[0] == "INT" and first("dispute", "cell") == ("PAT", "DISC")
    for type_ in TYPES:
        items = checklist(type_)
        assert set(items) <= set(ITEMS) and len(set(items)) == len(items) and items[-1] == "statement"


def test_the_page_on_the_loop_says_what_the_code_does() -> None:
    """docs/loop.md: every severity with its times, every category with its posts, every emergency with its plan."""
    page = (Path(__file__).parents[2] / "docs" / "loop.md").read_text()
    rows, plans = (_rows(part) for part in page.split("## Incidents"))
    for severity, times in TIMES.items():
        said = (times.acknowledge, times.deploy, times.handle, times.answer, times.close, times.late)
        assert rows[severity] == [_span(each) for each in said]
    for category in CATEGORIES:
        posts, work = rows[category]
        assert posts == ", ".join(route(category).first)
        others = [] if work == "–" else [each.partition(":")[0] for each in work.split("; ")]
        assert others == list(route(category).others)
    for type_ in TYPES:
        assert re.findall(r"`(\w+)`", plans[type_][0]) == list(checklist(type_))


def _rows(page: str) -> dict[str, list[str]]:
    """The rows of its tables by the word with which they begin."""
    found = [line.strip("| ").split("|") for line in page.splitlines() if line.startswith("| `")]
    return {first.split()[0].strip("`"): [cell.strip() for cell in rest] for first, *rest in found}


def _span(amount: int | None) -> str:
    if amount is None:
        return "–"
    return f"{amount // MINUTE_MS} min" if amount < HOUR_MS else f"{amount // HOUR_MS} h"
