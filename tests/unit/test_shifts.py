"""Calendars and rosters: what stints follow from patterns, and what swaps, leave and acting leaders make of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.calendars import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Calendar,
    DayKind,
    day_of,
    day_start,
    days,
    local,
    minute_of,
    month_start,
    next_month,
    read_time,
    start_of,
    week_start,
)  # fmt: skip
from backend.domain.shift_words import calendar_of, pattern_of
from backend.domain.shifts import (
    FREE,
    Acting,
    Holder,
    Leave,
    Pattern,
    Plan,
    Roster,
    Row,
    Span,
    Stint,
    Swap,
    Worked,
    clashes,
    covers_a_day,
    exchanged,
    stints,
)  # fmt: skip

FIRST = date(2026, 11, 1)
D, N = Span("D", "白班", 480, 720), Span("N", "夜班", 1200, 720)
FOUR = Pattern("four", "四班两运转", {"D": D, "N": N}, ("D", "N", FREE, FREE), Worked.ALL, FIRST, FIRST)
OFFICE = Pattern("office", "行政班", {"A": Span("A", "行政班", 510, 540)}, ("A",), Worked.WORKDAYS, FIRST, None)
WHOLE = Pattern("whole", "值班", {"W": Span("W", "昼夜班", 480, 1440)}, ("W", FREE, FREE), Worked.ALL, FIRST, None)
TEAMS = ("甲", "乙", "丙", "丁")


def row(officer: str, pattern: Pattern = FOUR, offset: int = 0, **other: Any) -> Row:
    return replace(
        Row(f"{officer}-{pattern.id}-{offset}", officer, "PAT", pattern.id, offset, (), FIRST, None), **other
    )


def plan(*rows: Row, **other: Any) -> Plan:
    """Rows on the patterns above; everybody has always held every post at which somebody may act."""
    posted = {(officer, post): ((0, at(30, "00:00", 12)),) for officer in TEAMS for post in ("PAT", "LEAD", "DIR")}
    return Plan({each.id: each for each in (FOUR, OFFICE, WHOLE)}, rows, **{"posted": posted} | other)


def at(day: int, time: str, month: int = 11) -> int:
    return start_of(date(2026, month, day)) + read_time(time) * MINUTE_MS


FOUR_TEAMS = plan(*(row(officer, offset=at) for at, officer in enumerate(TEAMS)))


def served(found: list[Stint], officer: str) -> int:
    """For how long an officer serves, in hours."""
    return sum(each.until - each.since for each in found if each.officer == officer) // HOUR_MS


# Calendars


@given(st.integers(0, 4_000_000_000_000))
def test_the_parts_of_a_moment_are_those_that_beijing_shows(moment: int) -> None:
    shown = local(moment)
    assert day_of(moment) == shown.date()
    assert minute_of(moment) == shown.hour * 60 + shown.minute
    for start, first in (
        (day_start(moment), shown.date()),
        (week_start(moment), shown.date() - timedelta(days=shown.weekday())),
        (month_start(moment), shown.date().replace(day=1)),
    ):
        assert start == start_of(first) <= moment
        assert (local(start).date(), local(start).hour, local(start).minute) == (first, 0, 0)
    assert next_month(moment) > moment and local(next_month(moment)).day == 1
    assert next_month(moment) - month_start(moment) in {length * DAY_MS for length in (28, 29, 30, 31)}


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        (date(2026, 10, 1), DayKind.HOLIDAY),
        (date(2026, 10, 5), DayKind.HOLIDAY),  # a Monday
        (date(2026, 10, 8), DayKind.WORKDAY),
        (date(2026, 10, 10), DayKind.WORKDAY),  # a Saturday, in lieu
        (date(2026, 10, 11), DayKind.REST),
        (date(2026, 2, 14), DayKind.WORKDAY),  # a Saturday, in lieu
    ],
)
def test_holidays_and_workdays_in_lieu_are_those_announced(day: date, kind: DayKind) -> None:
    assert Calendar().kind(day) is kind and Calendar().knows(day)


def test_a_year_that_is_not_announced_says_so_until_the_facility_speaks() -> None:
    new_year, monday = date(2031, 1, 1), date(2031, 1, 6)
    assert not Calendar().knows(new_year) and Calendar().is_workday(new_year)
    own = calendar_of({"2031-01-01": "holiday", "2026-10-10": "rest", "2026-10-11": "announced"})
    assert own.knows(new_year) and own.kind(new_year) is DayKind.HOLIDAY
    assert not own.knows(monday) and own.is_workday(monday)
    assert own.kind(date(2026, 10, 10)) is DayKind.REST and own.kind(date(2026, 10, 11)) is DayKind.REST


@pytest.mark.parametrize("text", ["24:00", "8:00", "08:60", "08:00:00", "٠٨:00", ""])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time of day"):
        read_time(text)


# Patterns


def test_four_teams_cover_every_hour_once() -> None:
    found = stints(FOUR_TEAMS, FIRST, FIRST + timedelta(days=7))
    for hour in range(8, 8 * 24):
        moment = start_of(FIRST) + hour * HOUR_MS
        assert len([each for each in found if each.since <= moment < each.until]) == 1, local(moment)
    his = [(local(each.since).strftime("%d %H"), each.shift) for each in found if each.officer == "甲"]
    assert his == [("01 08", "白班"), ("02 20", "夜班"), ("05 08", "白班"), ("06 20", "夜班")]


def test_who_began_before_midnight_is_on_duty_after_it() -> None:
    roster = Roster(FOUR_TEAMS, {})
    assert [each.officer for each in roster.on_duty(at(3, "03:00"))] == ["甲"]
    assert [each.officer for each in roster.on_duty(at(3, "07:59"))] == ["甲"]
    assert [each.officer for each in roster.on_duty(at(3, "08:00"))] == ["丙"]
    (stint,) = roster.on_duty(at(3, "03:00"))
    assert (stint.since, stint.until) == (at(2, "20:00"), at(3, "08:00"))


def test_a_workday_post_rests_on_holidays_and_works_in_lieu() -> None:
    post = plan(row("文", OFFICE, since=date(2026, 9, 1)))
    worked = [day_of(each.since).day for each in stints(post, date(2026, 10, 1), date(2026, 10, 16))]
    assert worked == [8, 9, 10, 12, 13, 14, 15, 16]
    own = replace(post, calendar=calendar_of({"2026-10-10": "rest"}))
    assert 10 not in [day_of(each.since).day for each in stints(own, date(2026, 10, 1), date(2026, 10, 16))]


def test_a_weekly_pattern_follows_the_weekdays() -> None:
    week = replace(FOUR, cycle=("D", "D", "D", "D", "N", FREE, FREE), anchor=date(2026, 11, 2))
    found = stints(Plan({"four": week}, (row("甲"),)), date(2026, 11, 9), date(2026, 11, 15))
    told = [
        (local(each.since).strftime("%a"), each.shift) for each in found if each.since >= start_of(date(2026, 11, 9))
    ]
    assert told == [("Mon", "白班"), ("Tue", "白班"), ("Wed", "白班"), ("Thu", "白班"), ("Fri", "夜班")]


def test_a_row_holds_from_its_first_day_to_its_last() -> None:
    short = plan(row("甲", WHOLE, since=date(2026, 11, 4), until=date(2026, 11, 4)))
    assert [(each.since, each.until) for each in stints(short, date(2026, 11, 1), date(2026, 11, 30))] == [
        (at(4, "08:00"), at(5, "08:00"))
    ]


@pytest.mark.parametrize(
    ("spans", "covers"),
    [
        ((D, N), True),
        ((N, D), True),
        ((WHOLE.spans["W"],), True),
        ((D,), False),
        ((D, replace(N, minutes=660)), False),
        ((D, replace(N, minutes=780)), False),
        ((D, replace(D, code="E")), False),
        ((), False),
    ],
)
def test_shifts_of_a_facility_follow_each_other_round_the_day(spans: tuple[Span, ...], covers: bool) -> None:
    assert covers_a_day(spans) is covers


def test_the_facilitys_shifts_are_the_usual_ones_until_it_has_its_own() -> None:
    own = replace(
        FOUR, id="own", spans={"W": Span("W", "昼夜班", 540, 1440)}, cycle=("W",), main_from=date(2026, 11, 10)
    )
    roster = Roster(Plan({"own": own}), {})
    told = [(each.name, local(each.since).strftime("%d %H")) for each in roster.shifts(at(8, "21:00"), at(12, "00:00"))]
    assert told == [("夜班", "08 20"), ("白班", "09 08"), ("夜班", "09 20"), ("昼夜班", "10 09"), ("昼夜班", "11 09")]
    assert roster.shift_at(at(10, "08:30")).name == "夜班"  # it lasts until the next begins


@given(st.integers(0, 60 * 24), st.integers(1, 60 * 24))
def test_shifts_leave_no_gap_and_do_not_meet(since: int, length: int) -> None:
    roster = Roster(FOUR_TEAMS, {})
    begin = start_of(FIRST) + since * HOUR_MS
    found = roster.shifts(begin, begin + length * HOUR_MS)
    assert found[0].since <= begin and found[-1].until >= begin + length * HOUR_MS
    assert all(one.until == other.since for one, other in zip(found, found[1:], strict=False))
    assert roster.shift_at(begin) == found[0]


# Changes

SOME = st.sampled_from(TEAMS)
SOME_DAY = st.integers(0, 20).map(lambda step: FIRST + timedelta(days=step))
HOURS = st.tuples(st.integers(0, 20 * 24), st.integers(1, 96)).map(
    lambda pair: (start_of(FIRST) + pair[0] * HOUR_MS, start_of(FIRST) + sum(pair) * HOUR_MS)
)
ROWS = st.lists(
    st.builds(row, SOME, st.sampled_from([FOUR, OFFICE, WHOLE]), st.integers(0, 3), since=SOME_DAY),
    min_size=1,
    max_size=6,
)
SWAPS = st.lists(
    st.builds(
        lambda seq, officers, on: Swap(str(seq), seq, officers, on),
        st.integers(1, 99),
        st.permutations(TEAMS).map(lambda order: (order[0], order[1])),
        st.frozensets(SOME_DAY, min_size=1, max_size=2),
    ),
    max_size=3,
)
LEAVES = st.lists(
    st.builds(lambda who, hours, other: Leave("l", who, *hours, other if other != who else None), SOME, HOURS, SOME),
    max_size=3,
)
ACTINGS = st.lists(
    st.builds(
        lambda who, hours, other: Acting("a", who, "LEAD" if other is None else "PAT", *hours, other if other != who else None),
        SOME, HOURS, st.none() | SOME,
    ),
    max_size=2,
)  # fmt: skip
PLANS = st.builds(
    lambda rows, swaps, leaves, actings: plan(
        *rows, swaps=tuple(swaps), leaves=tuple(leaves), actings=tuple(actings),
        holders=(Holder("戊", ("MED", "LEAD"), ()),),
    ),
    ROWS, SWAPS, LEAVES, ACTINGS,
)  # fmt: skip


def rostered(found: list[Stint]) -> list[Stint]:
    """Without those who serve all their posts all day long because nobody is rostered there."""
    return [each for each in found if each.officer != "戊"]


@settings(max_examples=60)
@given(PLANS)
def test_nobody_serves_twice_at_a_time(any_plan: Plan) -> None:
    found = rostered(stints(any_plan, FIRST, FIRST + timedelta(days=24)))
    for officer in TEAMS:
        his = [each for each in found if each.officer == officer]
        assert all(each.since < each.until for each in his)
        assert all(one.until <= other.since for one, other in zip(his, his[1:], strict=False)), his


@settings(max_examples=60)
@given(PLANS)
def test_only_where_stints_meet_is_anything_given_up(any_plan: Plan) -> None:
    calm, last = replace(any_plan, actings=()), FIRST + timedelta(days=24)
    pairs = clashes(calm, FIRST, last)
    for stands, yields in pairs:
        assert stands.officer == yields.officer and stands.since <= yields.since < stands.until
    lost = sorted({each.officer for _, each in pairs})
    each_alone = [stints(replace(calm, rows=(one,), swaps=(), leaves=()), FIRST, last) for one in calm.rows]
    if not calm.swaps and not calm.leaves:
        for officer in TEAMS:
            asked = sum(served(found, officer) for found in each_alone)
            given_up = asked - served(stints(calm, FIRST, last), officer)
            assert (given_up > 0) is (officer in lost)


def test_a_clash_names_what_stands_and_what_gives_way() -> None:
    both = plan(row("甲", WHOLE), row("甲", OFFICE))
    (pair,) = clashes(both, date(2026, 11, 4), date(2026, 11, 4))
    assert [(each.shift, each.since) for each in pair] == [("昼夜班", at(4, "08:00")), ("行政班", at(4, "08:30"))]
    assert clashes(both, date(2026, 11, 6), date(2026, 11, 6)) == []
    assert clashes(FOUR_TEAMS, FIRST, date(2026, 11, 30)) == []


@settings(max_examples=60)
@given(PLANS, SOME_DAY, st.integers(0, 3))
def test_a_day_is_the_same_whatever_else_is_asked(any_plan: Plan, day: date, more: int) -> None:
    last = day + timedelta(days=more)
    begin, end = start_of(day), start_of(last + timedelta(days=1))
    whole = stints(any_plan, FIRST - timedelta(days=10), FIRST + timedelta(days=40))
    assert stints(any_plan, day, last) == [each for each in whole if each.since < end and each.until > begin]


@settings(max_examples=60)
@given(PLANS, SWAPS)
def test_a_swap_done_twice_changes_nothing(any_plan: Plan, swaps: list[Swap]) -> None:
    before = stints(any_plan, FIRST, FIRST + timedelta(days=10))
    for swap in swaps:
        once = exchanged(before, swap)
        assert exchanged(once, swap) == before
        one, other = swap.officers
        hours = [(served(found, one), served(found, other)) for found in (before, once)]
        assert sum(hours[0]) == sum(hours[1])


def test_two_officers_serve_each_others_days() -> None:
    swap = Swap("s", 1, ("甲", "丙"), frozenset({date(2026, 11, 2), date(2026, 11, 4)}))
    roster = Roster(replace(FOUR_TEAMS, swaps=(swap,)), {})
    before = Roster(FOUR_TEAMS, {})
    assert [each.officer for each in before.on_duty(at(2, "21:00"))] == ["甲"]
    (night,) = roster.on_duty(at(3, "01:00"))
    assert (night.officer, night.instead, night.shift) == ("丙", "甲", "夜班")
    assert [each.officer for each in before.on_duty(at(4, "21:00"))] == ["丙"]
    assert [each.officer for each in roster.on_duty(at(4, "21:00"))] == ["甲"]


@settings(max_examples=60)
@given(st.integers(0, 10 * 24), st.integers(1, 72), SOME)
def test_leave_takes_exactly_its_hours_and_gives_them_to_who_stands_in(begin: int, length: int, who: str) -> None:
    since, until = start_of(FIRST) + begin * HOUR_MS, start_of(FIRST) + (begin + length) * HOUR_MS
    last = FIRST + timedelta(days=20)
    before = stints(FOUR_TEAMS, FIRST, last)
    lost = sum(max(0, min(each.until, until) - max(each.since, since)) for each in before if each.officer == who)
    leave = Leave("l", who, since, until, None)
    after = stints(replace(FOUR_TEAMS, leaves=(leave,)), FIRST, last)
    assert served(before, who) - served(after, who) == lost // HOUR_MS
    assert [each for each in after if each.officer != who] == [each for each in before if each.officer != who]
    assert not [each for each in after if each.officer == who and each.since < until and each.until > since]
    stood = stints(replace(FOUR_TEAMS, leaves=(replace(leave, stand_in="己"),)), FIRST, last)
    assert served(stood, "己") == lost // HOUR_MS
    assert {each.instead for each in stood if each.officer == "己"} <= {who}


def test_who_stands_in_and_is_away_himself_serves_for_nobody() -> None:
    leaves = (
        Leave("1", "甲", at(1, "00:00"), at(2, "00:00"), "己"),
        Leave("2", "己", at(1, "10:00"), at(1, "12:00"), None),
    )
    found = stints(replace(FOUR_TEAMS, leaves=leaves), FIRST, FIRST)
    assert [(each.since, each.until) for each in found if each.officer == "己"] == [
        (at(1, "08:00"), at(1, "10:00")), (at(1, "12:00"), at(1, "20:00")),
    ]  # fmt: skip


def test_who_acts_for_a_leader_serves_in_his_shifts_and_nowhere_else() -> None:
    leading = plan(row("长", WHOLE, post="LEAD"), row("甲"))
    acting = Acting("a", "甲", "LEAD", at(4, "00:00"), at(4, "12:00"), "长")
    roster = Roster(replace(leading, actings=(acting,)), {})
    (found,) = roster.on_duty(at(4, "09:00"), ["LEAD"])
    assert (found.officer, found.acting, found.instead, found.places) == ("甲", True, "长", ())
    assert (found.since, found.until) == (at(4, "08:00"), at(4, "12:00"))
    assert [each.officer for each in roster.on_duty(at(4, "12:00"), ["LEAD"])] == ["长"]
    assert roster.on_duty(at(4, "07:00"), ["LEAD"]) == []  # it is nobody's shift: he acts in those of another


def test_who_acts_does_so_while_he_holds_the_post() -> None:
    leading = plan(
        row("长", WHOLE, post="LEAD"), row("甲", OFFICE), posted={("甲", "LEAD"): ((at(4, "10:00"), at(4, "11:00")),)}
    )
    roster = Roster(replace(leading, actings=(Acting("a", "甲", "LEAD", at(4, "00:00"), at(5, "00:00"), "长"),)), {})
    for time, expected in (("09:00", "长"), ("10:30", "甲"), ("11:00", "长")):
        assert [each.officer for each in roster.on_duty(at(4, time), ["LEAD"])] == [expected]
    assert [(each.officer, each.post) for each in roster.on_duty(at(4, "09:00"), ["PAT"])] == [("甲", "PAT")]


def test_who_acts_beside_all_is_on_duty_all_the_time() -> None:
    acting = Acting("a", "甲", "DIR", at(1, "12:00"), at(9, "12:00"), None)
    roster = Roster(replace(FOUR_TEAMS, actings=(acting,)), {})
    assert [each.officer for each in roster.on_duty(at(5, "09:00"), ["DIR"])] == ["甲"]
    assert [each.officer for each in roster.on_duty(at(1, "11:00"))] == ["甲"]
    assert [(each.officer, each.post) for each in roster.on_duty(at(5, "09:00"))] == [("甲", "DIR")]


# Who serves where nobody is rostered, and where

ABOVE = {"C1": "W", "W": None, "D1": "V", "V": None}
HOLDERS = (
    Holder("管", ("DISC", "LEAD"), (("W", 0, None),)),
    Holder("巡", ("PAT",), (("V", at(1, "00:00"), at(10, "00:00")),)),
    Holder("无", ("PAT",), ()),
)


def test_without_a_roster_everybody_is_on_duty_at_his_posts_and_wards() -> None:
    roster = Roster(Plan(holders=HOLDERS), ABOVE)
    assert not roster.known
    noon = at(5, "12:00")
    assert [(each.officer, each.post, each.places) for each in roster.on_duty(noon)] == [
        ("巡", "PAT", ("V",)), ("管", "DISC", ("W",)), ("管", "LEAD", ()),
    ]  # fmt: skip
    assert [each.officer for each in roster.on_duty(noon, ["DISC", "PAT"], "C1")] == ["管"]
    assert [each.officer for each in roster.on_duty(noon, ["DISC", "PAT"], "D1")] == ["巡"]
    assert roster.on_duty(at(11, "12:00"), ["PAT"]) == []  # the ward is his no longer


def test_who_answers_for_a_part_of_a_place_answers_for_it_too() -> None:
    cells = plan(row("管", OFFICE, places=("C1",)), row("区", OFFICE, places=("W",)), row("全", OFFICE))
    roster, noon = Roster(cells, ABOVE | {"C2": "W"}), at(5, "12:00")
    served_by = {
        place: [each.officer for each in roster.on_duty(noon, place=place)] for place in ("W", "C1", "C2", "V")
    }
    assert served_by == {"W": ["全", "区", "管"], "C1": ["全", "区", "管"], "C2": ["全", "区"], "V": ["全"]}


def test_who_was_revoked_serves_until_then_and_no_longer() -> None:
    acting = Acting("a", "甲", "LEAD", at(5, "00:00"), at(9, "00:00"), None)
    swap = Swap("s", 1, ("甲", "乙"), frozenset({date(2026, 11, 4)}))
    gone = replace(FOUR_TEAMS, actings=(acting,), swaps=(swap,), gone={"甲": at(3, "02:00")})
    found = [each for each in stints(gone, FIRST, date(2026, 11, 12)) if each.officer == "甲"]
    assert [(each.since, each.until) for each in found] == [
        (at(1, "08:00"), at(1, "20:00")), (at(2, "20:00"), at(3, "02:00")),
    ]  # fmt: skip


def test_a_post_with_a_roster_is_served_by_it_alone() -> None:
    mixed = plan(row("巡", OFFICE, places=("W",)), holders=HOLDERS)
    roster = Roster(mixed, ABOVE)
    assert [each.officer for each in roster.on_duty(at(5, "12:00"), ["PAT"])] == ["巡"]
    assert roster.on_duty(at(5, "22:00"), ["PAT"]) == []
    assert [each.officer for each in roster.on_duty(at(5, "22:00"), ["LEAD"])] == ["管"]
    assert [each.officer for each in roster.on_duty(at(5, "12:00"), ["PAT"], "C1")] == ["巡"]
    assert roster.on_duty(at(5, "12:00"), ["PAT"], "D1") == []


def test_a_pattern_is_read_from_its_document() -> None:
    doc = {
        "name": "值班", "shifts": [{"code": "W", "name": "昼夜班", "starts": "08:00", "ends": "08:00"}],
        "cycle": ["W", "-", "-"], "worked": "all", "anchor": "2026-11-01", "main_from": None,
    }  # fmt: skip
    assert pattern_of("whole", doc) == WHOLE


def test_days_are_both_included() -> None:
    assert list(days(FIRST, FIRST)) == [FIRST]
    assert list(days(FIRST, FIRST - timedelta(days=1))) == []
