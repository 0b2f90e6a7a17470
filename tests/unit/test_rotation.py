"""Tables of days read as places on a pattern: every day is as the table says, and nothing else is said."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backend.domain.calendars import day_of
from backend.domain.shifts import FREE, Pattern, Plan, Row, Span, Worked, stints
from backend.imports.rotation import runs

FIRST = date(2026, 12, 1)
SPANS = {code: Span(code, code, 480, 480) for code in "DEN"}
CYCLES = st.lists(st.sampled_from(["D", "E", "N", FREE]), min_size=1, max_size=7)


def pattern(cycle: list[str], anchor: int = 0) -> Pattern:
    return Pattern("p", "三班", SPANS, tuple(cycle), Worked.ALL, FIRST + timedelta(days=anchor), None)


def told(of: Pattern, codes: dict[str, str]) -> dict[str, str]:
    """What the runs say of each day, as stints."""
    rows = tuple(
        Row(str(at), "o", "PAT", "p", run.offset, (), date.fromisoformat(run.first), date.fromisoformat(run.last))
        for at, run in enumerate(runs(of, codes))
    )
    found = stints(Plan({"p": of}, rows), FIRST, FIRST + timedelta(days=40))
    return {day_of(each.since).isoformat(): each.shift for each in found}


@given(CYCLES, st.integers(-20, 20), st.data())
def test_every_day_is_as_the_table_says_and_nothing_else_is_said(
    cycle: list[str], anchor: int, data: st.DataObject
) -> None:
    of = pattern(cycle, anchor)
    words = st.sampled_from(sorted({*cycle, FREE}))
    table = data.draw(st.dictionaries(st.integers(0, 30), words))
    codes = {(FIRST + timedelta(days=step)).isoformat(): table[step] for step in sorted(table)}
    assert told(of, codes) == {day: code for day, code in codes.items() if code != FREE}


@given(CYCLES.filter(lambda cycle: set(cycle) != {FREE}), st.integers(0, 6), st.integers(1, 31))
def test_who_follows_the_cycle_is_one_run(cycle: list[str], offset: int, length: int) -> None:
    of = pattern(cycle)
    codes = {(FIRST + timedelta(days=step)).isoformat(): cycle[(step + offset) % len(cycle)] for step in range(length)}
    (run,) = runs(of, codes)
    assert (run.first, run.last) == (min(codes), max(codes))


def test_a_day_off_in_a_cycle_without_any_ends_a_run() -> None:
    codes = {"2026-12-01": "D", "2026-12-02": FREE, "2026-12-03": "D"}
    assert [(run.first, run.last) for run in runs(pattern(["D"]), codes)] == [
        ("2026-12-01", "2026-12-01"), ("2026-12-03", "2026-12-03"),
    ]  # fmt: skip
    assert runs(pattern(["D"]), {"2026-12-02": FREE}) == []
