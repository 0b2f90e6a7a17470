"""The engine of the duty rules, family by family, as stories of events (tests/support/story.py)."""

from __future__ import annotations

import pytest

from backend.domain.calendars import DAY_MS, HOUR_MS, MINUTE_MS
from backend.domain.rules.model import Before, Counted, Each, End, Lasting, OnEvent, Period, Scheduled
from backend.kernel.clock import to_text
from tests.support.story import START, SYSTEM, Away, Duty, Story, match, rule, rungs

NOON = START + 12 * HOUR_MS
ADMITTED, TALKED, LEFT = match("admission.accepted"), match("talk.recorded"), match("person.released")
FIRST_TALK = rule(
    "A09", OnEvent((ADMITTED,), Each.PERSON), within=24 * HOUR_MS, warn=18 * HOUR_MS, done=(TALKED,),
    chain=rungs(LEAD=0, DIR=240),
)  # fmt: skip


def test_an_event_asks_for_a_duty_and_what_is_asked_for_does_it() -> None:
    story = Story([FIRST_TALK])
    admission = story.happens("admission.accepted", NOON, person="p")
    story.happens("talk.recorded", NOON + HOUR_MS, person="q")
    story.happens("talk.recorded", NOON + 2 * HOUR_MS, person="p")
    (duty,) = story.until(NOON + 3 * DAY_MS).of("A09")
    assert (duty.opens, duty.due) == (NOON, NOON + 24 * HOUR_MS)
    assert duty.said["person"] == "p" and duty.said["cause"] == admission and duty.said["posts"] == ["DISC"]
    assert duty.steps == [("issue", NOON), ("fulfil", NOON + 2 * HOUR_MS)]
    assert not story.engine.memory.page("d")


def test_what_nobody_does_is_reminded_of_told_up_its_chain_and_missed() -> None:
    story = Story([FIRST_TALK])
    story.happens("admission.accepted", NOON, person="p")
    due = NOON + 24 * HOUR_MS
    (duty,) = story.until(NOON + 3 * DAY_MS).of("A09")
    assert duty.steps == [
        ("issue", NOON), ("remind", NOON + 18 * HOUR_MS), ("escalate", due), ("miss", due + 5 * MINUTE_MS),
        ("escalate", due + 4 * HOUR_MS),
    ]  # fmt: skip
    story.happens("talk.recorded", due + 30 * HOUR_MS, person="p")
    (duty,) = story.until(due + 31 * HOUR_MS).of("A09")
    assert duty.steps[-1] == ("fulfil", due + 30 * HOUR_MS) and duty.at("miss")


def test_what_was_done_in_time_and_is_heard_of_late_is_done_in_time() -> None:
    """Transport is never counted: the moment of the fulfilment is that of the talk."""
    story = Story([FIRST_TALK])
    story.happens("admission.accepted", NOON, person="p")
    story.happens("talk.recorded", NOON + HOUR_MS, person="p", heard=NOON + 26 * HOUR_MS)
    (duty,) = story.until(NOON + 27 * HOUR_MS).of("A09")
    assert duty.at("miss") and duty.steps[-1] == ("fulfil", NOON + HOUR_MS)


def test_what_was_done_is_remembered_if_its_reason_is_heard_of_later() -> None:
    story = Story([FIRST_TALK])
    story.happens("talk.recorded", NOON + HOUR_MS, person="p", heard=NOON + 2 * HOUR_MS)
    story.happens("admission.accepted", NOON, person="p", heard=NOON + 3 * HOUR_MS)
    (duty,) = story.until(NOON + 4 * HOUR_MS).of("A09")
    assert duty.steps == [("issue", NOON + 3 * HOUR_MS), ("fulfil", NOON + HOUR_MS)]


def test_a_terminal_that_is_away_gives_unconfirmed_first() -> None:
    due = NOON + 24 * HOUR_MS
    away = Story([FIRST_TALK], presence=Away())
    away.happens("admission.accepted", NOON, person="p")
    (duty,) = away.until(NOON + 3 * DAY_MS).of("A09")
    assert duty.at("unconfirm") == [due] and duty.at("miss") == [due + 4 * HOUR_MS]
    back = Story([FIRST_TALK], presence=Away(due + 10 * MINUTE_MS))
    back.happens("admission.accepted", NOON, person="p")
    for at in range(due - MINUTE_MS, due + HOUR_MS, MINUTE_MS):
        back.until(at)
    (duty,) = back.of("A09")
    assert duty.at("unconfirm") == [due] and duty.at("miss") == [due + 15 * MINUTE_MS]


def test_a_leaders_duty_has_the_same_clock_and_a_completion_ends_it() -> None:
    story = Story([])
    doc = {
        "posts": ["MED"], "officer": None, "person": "p", "place": None, "cause": None, "rule": None, "warn_at": None,
        "opens_at": to_text(NOON), "due_at": to_text(NOON + HOUR_MS), "chain": [],
    }  # fmt: skip
    for record in ("done", "left"):
        story.duties[record] = Duty(record, doc)
        story.hears(story.version("duty", record, NOON, state="issued", doc=doc))
    story.hears(story.version("duty", "done", NOON + MINUTE_MS, state="completed", doc=doc, version=2))
    story.until(NOON + DAY_MS)
    assert [story.duties[each].steps for each in ("done", "left")] == [[], [("miss", NOON + HOUR_MS + 5 * MINUTE_MS)]]


def test_who_was_told_since_nobody_had_received_it_is_not_told_again() -> None:
    story = Story([FIRST_TALK])
    story.happens("admission.accepted", NOON, person="p")
    (duty,) = story.until(NOON + HOUR_MS).of("A09")
    told = story.version("duty", duty.id, NOON + HOUR_MS, state="issued", doc={"level": 1}, version=2, officer=SYSTEM)
    story.hears(told)
    due = NOON + 24 * HOUR_MS
    assert story.until(NOON + 3 * DAY_MS).of("A09")[0].at("escalate") == [due + 4 * HOUR_MS]


def test_who_has_left_needs_nothing_more() -> None:
    story = Story([FIRST_TALK, rule("late", OnEvent((ADMITTED,), Each.PERSON), within=HOUR_MS)])
    story.happens("admission.accepted", NOON, person="p")
    story.happens("person.released", NOON + 2 * HOUR_MS, person="p")
    story.until(NOON + 2 * DAY_MS)
    assert story.of("A09")[0].steps[-1] == ("cancel", NOON + 2 * HOUR_MS)
    assert story.of("late")[0].state == "miss"


def test_a_duty_that_repeats_is_asked_again_until_it_is_done() -> None:
    again = rule("L04", OnEvent((match("term.expired"),), Each.PERSON), repeats=HOUR_MS, done=(TALKED,))
    story = Story([again])
    story.happens("term.expired", NOON, person="p")
    story.happens("talk.recorded", NOON + 4 * HOUR_MS, person="p")
    duties = story.until(NOON + 12 * HOUR_MS).of("L04")
    assert [each.due for each in duties] == [NOON + HOUR_MS, NOON + 3 * HOUR_MS, NOON + 5 * HOUR_MS]
    assert [each.state for each in duties] == ["miss", "miss", "fulfil"]


GRADE_1 = (match("risk.changed", risk="grade1"),)
DAILY = rule(
    "T11",
    Lasting(GRADE_1, (match("risk.changed", risk="grade3"), LEFT), Each.PERSON, DAY_MS, DAY_MS),
    within=2 * HOUR_MS,
    done=(match("risk.assessed"),),
)


def test_a_state_that_lasts_asks_again_and_again() -> None:
    story = Story([DAILY])
    story.happens("risk.changed", NOON, person="p", risk="grade1")
    story.happens("risk.assessed", NOON + DAY_MS + HOUR_MS, person="p")
    duties = story.until(NOON + 2 * DAY_MS).of("T11")
    assert [each.opens - NOON for each in duties] == [DAY_MS, 2 * DAY_MS + HOUR_MS]
    assert duties[0].state == "fulfil" and duties[1].state == "issue"
    story.happens("risk.changed", NOON + 2 * DAY_MS, person="p", risk="grade3")
    duties = story.until(NOON + 9 * DAY_MS).of("T11")
    assert len(duties) == 2 and duties[1].state == "cancel"


def test_a_state_whose_duty_nobody_does_asks_all_the_same() -> None:
    story = Story([DAILY])
    story.happens("risk.changed", NOON, person="p", risk="grade1")
    duties = story.until(NOON + 3 * DAY_MS + 3 * HOUR_MS).of("T11")
    assert [each.state for each in duties] == ["miss", "miss", "miss"]
    assert [each.opens - NOON for each in duties] == [DAY_MS, 2 * DAY_MS, 3 * DAY_MS]


def test_a_beginning_that_is_heard_of_after_its_end_begins_nothing() -> None:
    story = Story([DAILY])
    story.happens("risk.changed", NOON + HOUR_MS, person="p", risk="grade3", heard=NOON + 2 * HOUR_MS)
    story.happens("risk.changed", NOON, person="p", risk="grade1", heard=NOON + 3 * HOUR_MS)
    assert not story.until(NOON + 3 * DAY_MS).of("T11")
    assert not story.engine.memory.page("w|T11")


def test_a_state_may_end_of_itself() -> None:
    week = rule("A11", Lasting((ADMITTED,), (LEFT,), Each.PERSON, 0, DAY_MS, 3 * DAY_MS), until=End.DAY, within=None)
    story = Story([week])
    story.happens("admission.accepted", NOON, person="p")
    duties = story.until(NOON + 9 * DAY_MS).of("A11")
    assert [each.opens - NOON for each in duties] == [0, DAY_MS, 2 * DAY_MS]
    assert {(each.due - START) % DAY_MS for each in duties} == {0}


def test_a_moment_that_is_named_is_a_deadline_and_may_move() -> None:
    near = rule(
        "L01", Before((match("stage.changed"),), (LEFT,), Each.PERSON, "ends", 3 * DAY_MS), within=None, done=(TALKED,)
    )
    story = Story([near])
    story.happens("stage.changed", NOON, person="p", ends=to_text(NOON + 10 * DAY_MS))
    story.until(NOON + 5 * DAY_MS)
    assert not story.duties
    story.until(NOON + 6 * DAY_MS)
    (duty,) = story.of("L01")
    assert (duty.opens, duty.due) == (NOON + 7 * DAY_MS, NOON + 10 * DAY_MS)
    story.happens("stage.changed", NOON + 8 * DAY_MS, person="p", ends=to_text(NOON + 20 * DAY_MS))
    story.happens("stage.changed", NOON + DAY_MS, person="p", ends=to_text(NOON + 9 * DAY_MS), heard=NOON + 8 * DAY_MS)
    first, second = story.until(NOON + 17 * DAY_MS).of("L01")
    assert first.state == "cancel" and second.due == NOON + 20 * DAY_MS
    story.happens("person.released", NOON + 18 * DAY_MS, person="p")
    assert story.until(NOON + 30 * DAY_MS).of("L01")[1].state == "cancel"


def test_what_is_short_by_a_moment_of_the_period_is_asked_for_until_its_end() -> None:
    """An hour in the yard a day, looked at 16:00: one cell had it, one had half of it, one is empty."""
    yard = Counted((match("yard.exercised"),), (), (), Each.PLACE, Period.DAY, 60, "minutes", 16 * HOUR_MS)
    story = Story([rule("P15", yard)])
    story.ward("W", "c1", "c2", "c3")
    story.person("p1", "c1")
    story.person("p2", "c2")
    story.happens("yard.exercised", NOON, place="c1", minutes=60)
    story.happens("yard.exercised", NOON, place="c2", minutes=30)
    (duty,) = story.until(START + 17 * HOUR_MS).of("P15")
    assert duty.said["place"] == "c2" and duty.opens == START + 16 * HOUR_MS and duty.due == START + DAY_MS
    story.happens("yard.exercised", START + 18 * HOUR_MS, place="c2", minutes=30)
    assert story.until(START + 20 * HOUR_MS).of("P15")[0].state == "fulfil"
    assert len(story.until(START + DAY_MS + 17 * HOUR_MS).of("P15")) == 3


def test_who_came_too_late_to_be_kept_short_is_let_off_once() -> None:
    talks = Counted((TALKED,), (), (), Each.PERSON, Period.DAY, 1, None, 16 * HOUR_MS)
    story = Story([rule("T01", talks)])
    story.person("early", "c")
    story.person("late", "c", START + 15 * HOUR_MS)
    assert [each.said["person"] for each in story.until(START + DAY_MS).of("T01")] == ["early"]
    assert len(story.until(START + 2 * DAY_MS).of("T01")) == 3


@pytest.mark.parametrize(
    ("period", "opens"),
    [
        (Period.DAY, [START + DAY_MS * day + 8 * HOUR_MS for day in range(4)]),
        (Period.WEEK, [START + DAY_MS + 8 * HOUR_MS]),
        (Period.SHIFT, [START + HOUR_MS * (8 + 12 * shift) + 8 * HOUR_MS for shift in range(-1, 7)]),
    ],
)
def test_a_schedule_asks_in_each_period_a_day_ahead(period: Period, opens: list[int]) -> None:
    story = Story([rule("P17", Scheduled(period, Each.FACILITY, 8 * HOUR_MS, 0))])
    duties = story.until(START + 3 * DAY_MS).of("P17")
    assert [each.opens for each in duties] == opens
    assert all(each.steps[0][1] == max(START, each.opens - DAY_MS) for each in duties)
    assert {each.said["person"] or each.said["place"] for each in duties} == {None}


def test_an_unannounced_moment_is_not_told_before_it_comes() -> None:
    story = Story([rule("P16", Scheduled(Period.DAY, Each.FACILITY, 0, 20 * HOUR_MS), posts=("LEAD",))])
    duties = story.until(START + 30 * DAY_MS).of("P16")
    assert len(duties) >= 29 and len({(each.opens - START) % DAY_MS for each in duties}) > 20
    assert all(each.at("issue") == [each.opens] for each in duties)


def test_the_engines_own_events_are_heard_for_each_subject() -> None:
    story = Story([rule("P09", OnEvent((match("shift.began"),), Each.WARD), until=End.SHIFT, within=None)])
    story.ward("W", "c1", "c2")
    story.ward("V", "d1")
    story.person("p1", "c1")
    story.person("p2", "c2")
    duties = story.until(START + 21 * HOUR_MS).of("P09")
    assert [(each.said["place"], each.opens, each.due) for each in duties] == [
        ("W", START + 8 * HOUR_MS, START + 20 * HOUR_MS), ("W", START + 20 * HOUR_MS, START + 32 * HOUR_MS)
    ]  # fmt: skip


def test_what_was_due_before_the_engine_began_is_not_asked_for_but_what_lasts_is() -> None:
    story = Story([FIRST_TALK, DAILY])
    story.engine.memory.drop("e|began")
    story = story.restarted()
    story.happens("admission.accepted", START - 3 * DAY_MS, person="p")
    story.happens("risk.changed", START - 3 * DAY_MS, person="p", risk="grade1")
    story.engine.learn(story._pending, START)
    story._pending = []
    story.engine.begin(START)
    story.until(START + HOUR_MS)
    assert not story.of("A09") and [each.opens for each in story.of("T11")] == [START]


def test_a_broken_rule_costs_no_other() -> None:
    broken = rule("L01", Before((match("stage.changed"),), (), Each.PERSON, "ends", DAY_MS), within=None)
    whole = rule("L05", OnEvent((match("stage.changed"),), Each.PERSON))
    story = Story([broken, whole])
    faults: list[str] = []
    story.engine._fault = lambda owner, fault: faults.append(owner)
    story.happens("stage.changed", NOON, person="p", ends="tomorrow")
    story.until(NOON + HOUR_MS)
    assert faults == ["L01"] and len(story.of("L05")) == 1
