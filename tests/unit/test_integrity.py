"""Signs of rounds that were not walked."""

from __future__ import annotations

import pytest

from backend.domain.calendars import HOUR_MS, MINUTE_MS
from backend.domain.integrity import exact_interval, impossible_speed, same_text, words_of
from backend.duty.engine.family import Act
from backend.duty.patterns import companions
from backend.kernel.clock import to_text
from backend.kernel.events import Event
from tests.support.story import START, Story

EXACT = [START + number * 15 * MINUTE_MS for number in range(7)]


@pytest.mark.parametrize(
    ("moments", "sign"),
    [
        (EXACT, True),
        ([START, *EXACT], True),
        (EXACT[:6], False),
        ([*EXACT[:6], EXACT[6] + 16_000], False),
        ([START + number * 1000 for number in range(7)], False),
        ([], False),
    ],
)
def test_intervals_that_are_all_alike_are_a_sign(moments: list[int], sign: bool) -> None:
    assert exact_interval(moments) is sign


@pytest.mark.parametrize(
    ("seconds", "steps", "sign"),
    [(3.9, 1, True), (4, 1, False), (5.9, 2, True), (6, 2, False), (0, 0, False), (-1, 1, False)],
)
def test_nobody_walks_faster_than_he_can(seconds: float, steps: int, sign: bool) -> None:
    assert impossible_speed(START, START + int(seconds * 1000), steps) is sign


def test_the_same_words_again_and_again_are_a_sign_and_coded_ones_are_not() -> None:
    alike = [str(words_of(text)) for text in ("21:30 各监室情况正常", "21 30各监室情况正常。", "2130 各监室情况正常")]
    assert len(set(alike)) == 1
    assert words_of("正常") is words_of(None) is None
    other = str(words_of("三号监室有人咳嗽"))
    assert same_text([*alike, other, alike[0]])
    assert not same_text([*alike, alike[0], other])
    assert not same_text(alike) and not same_text([])


def story() -> Story:
    told = Story([], companions=companions())
    told.ward("w", "c1", "c2", "c3")
    return told.until(START)


def visit(told: Story, at: int, cell: str, words: str | None = None, officer: str = "o") -> None:
    version = told.version("patrol.visit", f"{officer} {at}", at, officer=officer)
    told.hears(version, Event("patrol.visited", at, None, cell, {"cell": True, "headcount": 1, "words": words}))


def begin(told: Story, at: int, officer: str = "o") -> None:
    version = told.version("patrol.round", f"{officer} {at}", at, officer=officer)
    told.hears(version, Event("patrol.opened", at, None, "w", {"officers": 1}))


def reports(told: Story, until: int) -> list[Act]:
    return [act for act in told.until(until).others if act.kind == "pattern"]


def test_a_round_that_nobody_can_have_walked_is_reported_once_a_shift() -> None:
    told = story()
    for at, cell in enumerate(("c1", "c2", "c3", "c1"), 1):
        visit(told, START + at * 1000, cell)
    visit(told, START + 2 * MINUTE_MS, "c1", officer="slow")
    visit(told, START + 3 * MINUTE_MS, "c2", officer="slow")
    (report,) = reports(told, START + HOUR_MS)
    assert report.fields == {
        "sign": "impossible_speed", "against": ["o"], "place": "c2", "records": [f"o {START + 1000}", f"o {START + 2000}"],
        "first_at": to_text(START + 1000), "last_at": to_text(START + 2000),
    }  # fmt: skip
    later = START + 13 * HOUR_MS
    visit(told, later, "c1")
    visit(told, later + 1, "c3")
    assert len(reports(told, later + 1)) == 2


def test_a_clock_that_is_ahead_makes_nobody_fast() -> None:
    told = story()
    for number, cell in enumerate(("c1", "c2", "c3")):
        version = told.version("patrol.visit", f"v{number}", START + 1, officer="o")
        seen = START + HOUR_MS + number * MINUTE_MS
        told.hears(version, Event("patrol.visited", seen, None, cell, {"cell": True, "headcount": 1, "words": None}))
    assert reports(told, START + HOUR_MS) == []


def test_rounds_by_the_clock_are_reported_and_those_of_others_are_not_mixed_in() -> None:
    told = story()
    for at in EXACT[:5]:
        begin(told, at + 1)
    for at in EXACT[5:]:
        begin(told, at + 1, "another")
    assert reports(told, EXACT[-1] + 1) == []
    for at in range(8):
        begin(told, EXACT[-1] + 1000 + at * 15 * MINUTE_MS, "another")
    (report,) = reports(told, EXACT[-1] + 3 * HOUR_MS)
    assert (report.fields["sign"], report.fields["against"], report.fields["place"]) == (
        "exact_interval",
        ["another"],
        "w",
    )
    assert len(report.fields["records"]) == 7


def test_notes_that_are_copied_are_reported() -> None:
    told = story()
    words = words_of("各监室情况正常，无异常")
    for at in range(4):
        visit(told, START + at * MINUTE_MS, "c1", words)
    (report,) = reports(told, START + HOUR_MS)
    assert (report.fields["sign"], len(report.fields["records"])) == ("same_text", 4)


def test_talks_that_are_copied_are_reported_though_they_were_held_nowhere() -> None:
    told = story()
    for at in range(4):
        version = told.version("talk", f"talk {at}", START + at, officer="o")
        words = words_of("询问情况，情绪平稳，无异常")
        told.hears(version, Event("talk.recorded", START + at, f"p{at}", None, {"words": words}))
    (report,) = reports(told, START + HOUR_MS)
    assert (report.fields["sign"], report.fields["place"]) == ("same_text", None)


def test_a_day_later_nothing_is_kept_of_who_has_not_walked() -> None:
    told = story()
    visit(told, START + 1, "c1")
    told.until(START + 1)
    assert told.engine.memory.get("w|patterns|officer/o")
    told.until(START + 25 * HOUR_MS)
    assert told.engine.memory.get("w|patterns|officer/o") is None
