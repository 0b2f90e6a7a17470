"""Every rule of the pack that something can set off fires in a test of its own; the others say what they wait for."""

from __future__ import annotations

from datetime import date

import pytest

from backend.domain.calendars import DAY_MS, HOUR_MS, MINUTE_MS
from backend.domain.rules import model
from backend.domain.rules.composing import laid
from backend.domain.rules.model import Pack
from backend.domain.rules.page import table
from backend.domain.rules.reading import base
from backend.domain.rules.telling import waits_for
from backend.kernel.clock import from_text, to_text
from backend.kernel.events import Event
from tests.rules.cases import CASES, EXTRA, TALKED, Case, D, H, Said, said
from tests.support.story import START, Duty, Story

NOON = START + 12 * HOUR_MS
TODAY = date(2026, 11, 22)
SET_OFF = model.OnEvent | model.Lasting
BY_CLOCK = {
    "P01", "P02", "P05", "P09", "P10", "P11", "P11.evening", "P12", "P14", "P15", "P15.JLS", "P16", "P16.day", "P16.night",
    "P17", "T01", "T10.named",
}  # fmt: skip
"""Rules with a test of their own below."""
WAITING = 47
"""Rules that wait for a kind or connector that is not there, without those that give such a rule its number."""


def only(rule: str, type_: str = "KSS") -> Pack:
    """The pack in force in a facility of a type, with one rule of it."""
    pack = laid(base(), type_, (), TODAY)
    return Pack(pack.name, pack.version, {rule: pack.rules[rule]}, None, pack.digest)


def told(case: Case, *events: Said) -> Story:
    """Ward W with somebody in cell c1, and what happens to him, there, at noon, all in one record."""
    story = Story(only(case.rule, case.type))
    story.ward("W", "c1", "c2")
    story.person("p", "c1")
    for event in events:
        happens(story, event, NOON)
    return story


def happens(story: Story, event: Said, at: int) -> None:
    name, facts = event
    place = "W" if name == "patrol.opened" else "c1"
    story.hears(story.version("any", "r", at), Event(name, at, "p", place, facts))


def first(story: Story, rule: str) -> Duty:
    return min(story.of(rule), key=lambda duty: duty.opens)


def ids(case: Case) -> str:
    return case.rule


@pytest.mark.parametrize("case", [*CASES, *EXTRA], ids=ids)
def test_it_asks_the_right_post_in_time_and_tells_who_is_next(case: Case) -> None:
    due = NOON + (case.due * MINUTE_MS or 30_000)
    for event in case.on:
        story = told(case, event).until(due + DAY_MS)
        duty = first(story, case.rule)
        assert (duty.opens - NOON, duty.due - NOON) == (case.opens * MINUTE_MS, due - NOON), event
        assert duty.said["posts"] == case.posts.split()
        assert duty.said["loud"] is case.loud
        assert duty.said["warn_at"] == (None if case.warn is None else to_text(NOON + case.warn * MINUTE_MS))
        rungs = [(to_text(due + after * MINUTE_MS), posts.split()) for after, posts in case.told.items()]
        assert [(rung["at"], rung["posts"]) for rung in duty.said["chain"]] == rungs
        assert duty.at("miss"), "nobody did it"
        rule = base().rules[case.rule]
        assert duty.said["source"] == rule.source and duty.said["asks"] == {"zh": rule.text.zh, "en": rule.text.en}


@pytest.mark.parametrize("case", [case for case in (*CASES, *EXTRA) if case.does], ids=ids)
def test_what_it_asks_for_does_it(case: Case) -> None:
    for event in case.does:
        story = told(case, case.on[0])
        opens = NOON + case.opens * MINUTE_MS
        happens(story, event, opens + 10_000)
        story.until(opens + 20_000)
        duty = first(story, case.rule)
        assert duty.steps[-1] == ("fulfil", opens + 10_000), event
        story.until(opens + 20_000 + (case.again or 0) * MINUTE_MS)
        later = [each.due for each in story.of(case.rule) if each.opens > opens]
        assert later[:1] == ([opens + 10_000 + case.again * MINUTE_MS] if case.again else []), event


@pytest.mark.parametrize("case", [case for case in (*CASES, *EXTRA) if case.near], ids=ids)
def test_what_is_near_to_it_asks_for_nothing(case: Case) -> None:
    assert told(case, *case.near).until(NOON + 30 * DAY_MS).of(case.rule) == []


@pytest.mark.parametrize("case", [case for case in CASES if case.ends], ids=ids)
def test_a_state_that_has_ended_asks_for_nothing_more(case: Case) -> None:
    for event in case.ends:
        story = told(case, case.on[0])
        happens(story, event, NOON + 10_000)
        story.until(NOON + (case.due + D) * MINUTE_MS)
        assert all(duty.state in {"cancel", "fulfil"} for duty in story.of(case.rule)), event


def test_every_line_of_the_table_is_read_as_one_rule_or_several_with_its_source_and_confidence() -> None:
    lines, rules = table(), base().rules.values()
    assert {rule.row for rule in rules} == set(lines) and len(lines) == 135
    for rule in rules:
        line = lines[rule.row]
        assert (rule.source, rule.basis.value) == (line["source"], line["conf"]), rule.id
        scope = {"ALL": {"KSS", "JLS", "QJ", "PR"}}.get(line["scope"], set(line["scope"].split(",")))
        assert rule.scope <= scope | ({"SJ"} if rule.row[0] == "Y" else set()), rule.id
    for row, line in lines.items():
        covered = frozenset[str]().union(*(rule.scope for rule in rules if rule.row == row))
        assert covered >= ({"KSS", "JLS", "QJ", "PR"} if line["scope"] == "ALL" else set(line["scope"].split(","))), row


def test_every_rule_that_can_fire_has_a_test_and_the_others_are_counted() -> None:
    rules = base().rules
    fires = {rule.id for rule in rules.values() if isinstance(rule.trigger, SET_OFF)}
    assert {case.rule for case in (*CASES, *EXTRA)} == fires
    lasting = {rule.id for rule in rules.values() if isinstance(rule.trigger, model.Lasting)}
    assert {case.rule for case in CASES if case.ends} == lasting - {"Y07"}, "Y07 ends by what does it"
    clock = model.Windows | model.Scheduled | model.Counted | model.Before
    assert {rule.id for rule in rules.values() if isinstance(rule.trigger, clock)} == BY_CLOCK
    assert sum(isinstance(rule.trigger, model.Waiting) for rule in rules.values()) == WAITING
    assert {rule.id for rule in rules.values() if isinstance(rule.trigger, model.Gated)} == {"A08", "H08"}
    for rule in rules.values():
        if isinstance(rule.trigger, model.Gives) and not waits_for(rule, rules):
            assert rule.trigger.to in fires | BY_CLOCK, rule.id


def scene(rule: str, type_: str = "KSS") -> Story:
    """Ward W at midnight, with somebody in cell c1 and nobody in c2."""
    story = Story(only(rule, type_))
    story.ward("W", "c1", "c2")
    admitted = Event("admission.accepted", START, "p", "c1", {"cell": "c1", "sex": "m"})
    story.person("p", "c1", START, None, admitted)
    return story


def spans(story: Story, rule: str) -> list[tuple[int, int]]:
    """When its duties open and are due, in minutes after midnight."""
    return [((duty.opens - START) // MINUTE_MS, (duty.due - START) // MINUTE_MS) for duty in story.of(rule)]


SHIFT, MORNING = said("handover.signed", sort="shift"), said("handover.signed", sort="morning")
BEDTIME, PARTLY = (said("rollcall.closed", sort="bedtime", whole=whole) for whole in (True, False))
DAILY = {
    "P09": (8 * H, 8 * H + 30, "PAT LEAD", "W", SHIFT, MORNING),
    "P10": (8 * H, 9 * H, "LEAD MED PAT DISC", None, MORNING, SHIFT),
    "P12": (21 * H, 22 * H, "PAT", "W", BEDTIME, PARTLY),
    "P14": (
        8 * H,
        18 * H,
        "DISC",
        "W",
        said("cell_watch.sampled", means="video"),
        said("cell_watch.sampled", means="on_foot"),
    ),
    "P17": (9 * H, 18 * H, "PAT", None, said("equipment.rounded"), said("equipment.repaired")),
}
"""Rule → from when to when, who, about which place, what does it, and what does not."""


@pytest.mark.parametrize("rule", DAILY)
def test_it_is_asked_for_each_day(rule: str) -> None:
    """What does it comes on the third day, what does not on the second; the first was planned before there was a ward."""
    opens, due, posts, place, does, near = DAILY[rule]
    story = scene(rule)
    happens(story, near, START + (D + opens) * MINUTE_MS + 1)
    happens(story, does, START + (2 * D + opens) * MINUTE_MS + 1)
    story.until(START + 71 * HOUR_MS)
    found = dict(zip(spans(story, rule), story.of(rule), strict=True))
    second, third = found[D + opens, D + due], found[2 * D + opens, 2 * D + due]
    assert second.said["posts"] == posts.split() and second.said["place"] == place
    assert second.at("miss") and third.steps[-1][0] == "fulfil" and not third.at("miss")


CELL_CHECKS = {
    "P11": (12 * H, said("cell.checked", half="morning")),
    "P11.evening": (20 * H, said("cell.checked", half="evening")),
}


@pytest.mark.parametrize("rule", CELL_CHECKS)
def test_a_cell_with_somebody_in_it_is_checked_twice_a_day(rule: str) -> None:
    by, check = CELL_CHECKS[rule]
    other = CELL_CHECKS["P11" if rule != "P11" else "P11.evening"][1]
    story = scene(rule)
    happens(story, other, START + 11 * HOUR_MS)
    happens(story, check, START + DAY_MS + 11 * HOUR_MS)
    story.until(START + DAY_MS + 23 * HOUR_MS)
    assert spans(story, rule) == [(by, D)] and story.of(rule)[0].said["place"] == "c1"
    assert story.of(rule)[0].state == "miss", "a check of the next day does not do it"


YARD = {"P15": ("KSS", 60, "LEAD PROC"), "P15.JLS": ("JLS", 120, "LEAD PROC")}


@pytest.mark.parametrize("rule", YARD)
def test_a_cell_is_outdoors_so_many_minutes_a_day(rule: str) -> None:
    type_, minutes, chain = YARD[rule]
    story = scene(rule, type_)
    for day, short in enumerate((0, 1)):
        happens(story, said("yard.exercised", minutes=minutes - 20), START + day * DAY_MS + 9 * HOUR_MS)
        happens(story, said("yard.exercised", minutes=20 - short), START + day * DAY_MS + 10 * HOUR_MS)
    story.until(START + DAY_MS + 17 * HOUR_MS)
    assert spans(story, rule) == [(D + 16 * H, 2 * D)]
    (duty,) = story.of(rule)
    assert duty.said["place"] == "c1" and [rung["posts"][0] for rung in duty.said["chain"]] == chain.split()
    happens(story, said("yard.exercised", minutes=1), START + DAY_MS + 18 * HOUR_MS)
    assert story.until(START + DAY_MS + 19 * HOUR_MS).of(rule)[0].state == "fulfil"


def test_two_talks_a_month() -> None:
    """The story begins on the 22nd of November: who is there on the 20th of December with one talk is asked for another."""
    story = scene("T01")
    december = START + 9 * DAY_MS
    happens(story, TALKED, december + DAY_MS)
    story.until(december + 20 * DAY_MS)
    (duty,) = story.of("T01")
    assert (duty.opens, duty.due) == (december + 19 * DAY_MS, december + 31 * DAY_MS) and duty.said["person"] == "p"
    happens(story, TALKED, december + 21 * DAY_MS)
    assert story.until(december + 22 * DAY_MS).of("T01")[0].state == "fulfil"


def test_a_talk_that_an_officer_named_is_asked_for_a_day_ahead() -> None:
    story = scene("T10.named")
    day = START + 5 * DAY_MS
    happens(story, said("talk.follow_up", on=to_text(day)), NOON)
    story.until(day - DAY_MS + 1)
    (duty,) = story.of("T10.named")
    assert (duty.opens, duty.due, duty.said["person"]) == (day - DAY_MS, day, "p")
    happens(story, said("talk.recorded", occasion="follow_up"), day - HOUR_MS)
    assert story.until(day).of("T10.named")[0].state == "fulfil"


def test_the_leader_walks_at_a_moment_that_nobody_is_told() -> None:
    story = scene("P16")
    moments = {duty.opens for duty in story.until(START + 70 * DAY_MS).of("P16")}
    assert 9 <= len(moments) <= 11 and len({(at - START) % DAY_MS for at in moments}) > 5
    assert all(duty.at("issue") == [duty.opens] for duty in story.of("P16"))
    assert all(duty.due - duty.opens == 4 * HOUR_MS for duty in story.of("P16"))


@pytest.mark.parametrize("rule", ["P16.day", "P16.night"])
def test_the_leader_walks_by_day_and_by_night(rule: str) -> None:
    story = scene(rule)
    monday, night = START + DAY_MS, rule == "P16.night"
    happens(story, said("leader.rounded", night=not night), monday + DAY_MS)
    happens(story, said("leader.rounded", night=night), monday + 8 * DAY_MS)
    story.until(monday + 14 * DAY_MS - 1)
    assert spans(story, rule) == [(6 * D, 8 * D)]


INTERVALS = {"P01": (None, 15, 20), "P02": ("grade1", 10, 15), "P05": ("grade2", 20, 30)}


@pytest.mark.parametrize("rule", INTERVALS)
def test_patrols_are_staggered_within_their_interval(rule: str) -> None:
    risk, least, most = INTERVALS[rule]
    story = Story(only(rule))
    story.ward("W", "c1")
    story.person("p", "c1", START, risk, Event("admission.accepted", START, "p", "c1", {"cell": "c1", "sex": "m"}))
    story.until(START + 9 * HOUR_MS)
    (plan, *_) = [act.fields for act in story.others if act.kind == "patrol.plan" and act.verb == "issue"]
    ends = [from_text(window["due_at"]) for window in plan["windows"]]
    gaps = {(after - before) / MINUTE_MS for before, after in zip(ends, ends[1:], strict=False)}
    assert max(gaps) <= most and len(gaps) > 1, "staggered, never longer apart"
    assert {window["rule"] for window in plan["windows"]} == {rule}
    assert story.of(rule), "a window that nobody keeps is a duty"
    assert least <= most


def test_nobody_of_a_lower_grade_sets_the_pace() -> None:
    story = Story(only("P02"))
    story.ward("W", "c1")
    story.person("p", "c1", START, "grade3", Event("admission.accepted", START, "p", "c1", {"cell": "c1", "sex": "m"}))
    assert story.until(START + 9 * HOUR_MS).others == []
