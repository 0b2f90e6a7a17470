"""Patrol windows in the engine: plans ahead of time, and what becomes of each window."""

from __future__ import annotations

from typing import Any

import pytest

from backend.domain.calendars import DAY_MS, HOUR_MS, MINUTE_MS
from backend.domain.rules.model import Windows
from backend.kernel.clock import from_text
from backend.kernel.events import Event
from tests.support.story import START, Story, rule, rungs

P01 = rule("P01", Windows(15 * MINUTE_MS, 20 * MINUTE_MS, ()), posts=("PAT",), chain=rungs(LEAD=10))
P02 = rule("P02", Windows(10 * MINUTE_MS, 15 * MINUTE_MS, ("grade1",)), posts=("PAT",), chain=rungs(LEAD=0))
SHIFT = START + 8 * HOUR_MS
"""08:00 in Beijing: a shift begins."""
CELLS = ("c1", "c2")
Window = dict[str, Any]


def story(*rules: Any, begin: int = SHIFT, **options: Any) -> Story:
    """Ward w with one person in each of two cells; a third cell is empty."""
    told = Story(rules or (P01, P02), start=begin - 1, **options)
    told.ward("w", *CELLS, "c3", at=begin - 1)
    for number, cell in enumerate(CELLS):
        enters(told, f"p{number}", cell, begin - 1)
    return told.until(begin)


def enters(told: Story, person: str, cell: str, at: int, risk: str | None = None) -> None:
    told.person(person, cell, at, risk, Event("admission.accepted", at, person, cell, {"cell": cell}))


def plans(told: Story) -> dict[str, dict[str, Any]]:
    """The plans as the records stand after all acts."""
    found: dict[str, dict[str, Any]] = {}
    for act in (each for each in told.others if each.kind == "patrol.plan"):
        if act.verb == "issue":
            found[act.record] = {**act.fields, "windows": [dict(each) for each in act.fields["windows"]]}
        elif act.verb == "redraw":
            plan = found[act.record]
            stay = [each for each in plan["windows"] if each["opens_at"] < act.fields["from_at"]]
            plan["windows"] = [*stay, *map(dict, act.fields["windows"])]
        else:
            for said in act.fields["windows"]:
                (window,) = [each for each in found[act.record]["windows"] if each["opens_at"] == said["opens_at"]]
                window |= said
    return found


def windows(told: Story) -> list[Window]:
    return sorted(
        (window for plan in plans(told).values() for window in plan["windows"]), key=lambda each: str(each["opens_at"])
    )


def span(window: Window) -> tuple[int, int]:
    return from_text(window["opens_at"]), from_text(window["due_at"])


def walk(told: Story, at: int, *cells: str, heard: int | None = None, name: str = "patrol.visited") -> None:
    for cell in cells or CELLS:
        told.happens(name, at, place=cell, cell=True, heard=heard)


def states(told: Story) -> list[str]:
    return [each["state"] for each in windows(told) if "state" in each]


def test_plans_are_issued_a_day_ahead_for_wards_in_which_somebody_is_lodged() -> None:
    told = story()
    told.ward("empty", "e1", at=SHIFT)
    told.until(SHIFT + 1)
    made = list(plans(told).values())
    assert {plan["place"] for plan in made} == {"w"}
    shifts = [(from_text(plan["since"]), from_text(plan["until"])) for plan in made]
    assert shifts[0][0] <= SHIFT and shifts[-1][1] >= SHIFT + DAY_MS
    assert [until for _, until in shifts[:-1]] == [since for since, _ in shifts[1:]]
    for plan in made:
        spans = [span(each) for each in plan["windows"]]
        assert all(from_text(plan["since"]) < due <= from_text(plan["until"]) for _, due in spans)
    told.until(SHIFT + 3 * DAY_MS)
    ends = [from_text(plan["until"]) for plan in plans(told).values()]
    assert len(ends) == len(set(ends)) and max(ends) >= SHIFT + 4 * DAY_MS
    every = [span(each) for each in windows(told)]
    assert max(later[1] - each[0] for each, later in zip(every, every[1:], strict=False)) <= 20 * MINUTE_MS


def test_a_window_is_kept_when_every_cell_with_somebody_in_it_was_looked_into() -> None:
    told = story(P01)
    for opens, due in [span(each) for each in windows(told)][:5]:
        walk(told, opens + 1000, "c1")
        walk(told, due, "c2")
        told.until(due)
    told.until(due + 2 * MINUTE_MS)
    assert states(told) == ["kept"] * 4, "told four at a time"
    assert told.of("P01") == []


def test_a_window_that_was_not_kept_becomes_one_duty_that_escalates() -> None:
    told = story(P01)
    opens, due = span(windows(told)[0])
    walk(told, opens, "c1")
    told.until(due + MINUTE_MS)
    (duty,) = told.of("P01")
    assert (duty.opens, duty.due, duty.said["place"], duty.said["person"]) == (opens, due, "w", None)
    assert duty.said["cause"] in plans(told)
    assert states(told) == ["missed"]
    told.until(due + 10 * MINUTE_MS)
    assert duty.at("escalate") == [due + 10 * MINUTE_MS] and duty.state == "miss"


def test_a_look_by_video_never_keeps_a_window_nor_does_passing_by() -> None:
    told = story(P01)
    opens, due = span(windows(told)[0])
    walk(told, opens, name="video.patrolled")
    for cell in CELLS:
        told.happens("patrol.visited", opens, place=cell, cell=False)
    told.until(due + MINUTE_MS)
    assert states(told) == ["missed"]


def test_a_look_before_a_window_opens_does_not_keep_it() -> None:
    told = story(P01)
    opens, due = span(windows(told)[0])
    walk(told, opens - 1)
    told.until(due + MINUTE_MS)
    assert states(told) == ["missed"]


def test_a_ward_walked_late_says_so_beside_the_miss() -> None:
    told = story(P01)
    _, due = span(windows(told)[0])
    told.until(due + MINUTE_MS)
    walk(told, due + 2 * MINUTE_MS)
    told.until(due + 3 * MINUTE_MS)
    assert states(told) == ["late"]
    marks = [each["state"] for act in told.others if act.verb == "mark" for each in act.fields["windows"]]
    assert marks == ["missed", "late"]
    (duty,) = told.of("P01")
    assert duty.at("fulfil") == [due + 2 * MINUTE_MS]


def test_stops_that_arrive_hours_later_and_were_made_in_time_set_it_right() -> None:
    told = story(P01)
    opens, due = span(windows(told)[0])
    told.until(due + 3 * HOUR_MS)
    assert states(told)[0] == "missed"
    walk(told, opens + 1000, heard=due + 3 * HOUR_MS)
    told.until(due + 3 * HOUR_MS)
    assert states(told)[0] == "kept"
    first = told.of("P01")[0]
    assert first.at("miss") and first.at("fulfil") == [opens + 1000]


def test_the_next_round_ends_the_alarm_of_those_before_it() -> None:
    told = story(P01)
    spans = [span(each) for each in windows(told)]
    told.until(spans[2][0])
    walk(told, spans[2][0] + 1)
    told.until(spans[2][0] + 1)
    assert [duty.state for duty in told.of("P01")] == ["fulfil", "fulfil"]
    assert states(told) == ["missed", "missed"]


def test_whoever_came_while_a_window_was_open_need_not_be_looked_at_in_it() -> None:
    told = story(P01)
    opens, due = span(windows(told)[0])
    enters(told, "late", "c3", opens + 1)
    walk(told, due)
    told.until(due + MINUTE_MS)
    assert states(told) == [] and told.of("P01") == []
    opens, due = span(windows(told)[1])
    walk(told, due)
    told.until(due + MINUTE_MS)
    assert "missed" in states(told)


def test_the_highest_risk_of_a_ward_brings_its_windows_closer_and_back() -> None:
    told = story()
    at = span(windows(told)[4])[1] + 1
    told.until(at)
    before = [span(each) for each in windows(told)]
    told.person("p0", "c1", at, "grade1", Event("risk.changed", at, "p0", None, {"risk": "grade1", "before": None}))
    told.until(at)
    after = windows(told)
    assert [span(each) for each in after if span(each)[0] <= at] == [each for each in before if each[0] <= at]
    fresh = [each for each in after if span(each)[0] > at]
    assert {each["rule"] for each in fresh} == {"P02"}
    spans = [span(each) for each in fresh]
    assert max(later[1] - each[0] for each, later in zip(spans, spans[1:], strict=False)) <= 15 * MINUTE_MS
    assert spans[0][1] - before[4][0] <= 15 * MINUTE_MS
    told.person("p0", "c1", at + 1, None, Event("risk.changed", at + 1, "p0", None, {"risk": None, "before": "grade1"}))
    told.until(at + 1)
    assert {each["rule"] for each in windows(told) if span(each)[0] > at + 20 * MINUTE_MS} == {"P01"}


def test_a_ward_that_empties_has_no_windows_until_somebody_comes() -> None:
    told = story(P01)
    for number in range(2):
        told.person(f"p{number}", None, SHIFT + 1, None, Event("person.released", SHIFT + 1, f"p{number}"))
    told.until(SHIFT + HOUR_MS)
    assert windows(told) == [] and told.of("P01") == []
    enters(told, "p9", "c1", SHIFT + HOUR_MS)
    told.until(SHIFT + HOUR_MS)
    assert span(windows(told)[0])[1] <= SHIFT + HOUR_MS + 20 * MINUTE_MS


@pytest.mark.parametrize("steps", [1, 7, 3000])
def test_however_the_time_is_cut_and_after_restarts_the_same_comes_of_it(steps: int) -> None:
    whole = day(story(), 1)
    assert whole.others
    cut = day(story(), steps)
    assert [(act.verb, act.record, act.fields, act.at) for act in cut.acts] == [
        (act.verb, act.record, act.fields, act.at) for act in whole.acts
    ]


def day(told: Story, steps: int) -> Story:
    """Half a day with rounds now and then, some of which arrive late; run in so many steps, each after a restart."""
    for number, window in enumerate(windows(told)):
        opens, due = span(window)
        if number % 3:
            walk(told, opens + (due - opens) // 2, heard=due + (number % 5) * 7 * MINUTE_MS)
    told._pending.sort(key=lambda each: each.after.received_at)
    pending, told._pending = told._pending, []
    end = SHIFT + 12 * HOUR_MS
    for step in range(1, steps + 1):
        upto = SHIFT + (end - SHIFT) * step // steps
        told._pending = [each for each in pending if each.after.received_at <= upto]
        pending = pending[len(told._pending) :]
        told.restarted().until(upto)
    return told


def test_what_is_kept_does_not_grow_with_history() -> None:
    told = story()
    told.until(SHIFT + 3 * DAY_MS)
    size = sum(len(str(body)) for key, body in told.engine.memory.items() if key.startswith("w|windows"))
    told.until(SHIFT + 20 * DAY_MS)
    assert sum(len(str(body)) for key, body in told.engine.memory.items() if key.startswith("w|windows")) < 1.2 * size
