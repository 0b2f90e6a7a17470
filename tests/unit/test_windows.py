"""Patrol windows: staggered, never too far apart, the same for whoever draws them again."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.windows import Draw, Interval, Window, draw, redraw, shortest

MINUTE = 60_000
WARD = "ward"
SHIFT = 12 * 60 * MINUTE
START = 1_795_317_240_000
P01, P02 = Interval(15 * MINUTE, 20 * MINUTE, "P01"), Interval(0, 15 * MINUTE, "P02")


def keyed(key: bytes) -> Draw:
    return lambda purpose, below: int.from_bytes(hmac.digest(key, purpose.encode(), sha256)[:8], "big") % below


NUMBERS = keyed(b"k" * 32)
intervals = st.integers(25_000, 60 * MINUTE).flatmap(
    lambda most: st.builds(Interval, st.integers(0, most), st.just(most), st.just("P01"))
)


def in_order(windows: list[Window]) -> bool:
    ends = [moment for each in windows for moment in (each.opens, each.due)]
    return ends == sorted(ends) and all(each.opens < each.due for each in windows)


@given(interval=intervals, began=st.integers(0, 2**41), key=st.binary(min_size=1, max_size=32))
def test_whoever_keeps_every_window_never_leaves_a_ward_for_longer_than_the_interval(
    interval: Interval, began: int, key: bytes
) -> None:
    until = began + 40 * interval.most
    windows = list(draw(keyed(key), WARD, began, until, interval))
    assert len(windows) >= 39 and in_order(windows)
    opened = [began, *(each.opens for each in windows)]
    assert max(each.due - before for before, each in zip(opened, windows, strict=False)) <= interval.most
    assert opened[-1] + interval.most > until - interval.most
    assert windows == list(draw(keyed(key), WARD, began, until, interval))


@given(
    old=intervals, new=intervals, share=st.floats(0, 1),
    key=st.binary(min_size=1, max_size=32),
)  # fmt: skip
def test_a_plan_drawn_anew_keeps_what_has_opened_and_then_keeps_the_interval(
    old: Interval, new: Interval, share: float, key: bytes
) -> None:
    until = START + 30 * max(old.most, new.most)
    before = list(draw(keyed(key), WARD, START, until, old))
    now = START + int(share * 20 * old.most)
    after = redraw(keyed(key), WARD, before, now, until, new)
    past = [each for each in before if each.opens <= now]
    assert after[: len(past)] == past and in_order(after)
    fresh = after[len(past) :]
    assert fresh[0].opens >= now and fresh[0].due <= max(now, past[-1].due if past else 0) + new.most
    gaps = [later.due - each.opens for each, later in zip(fresh, fresh[1:], strict=False)]
    assert all(gap <= new.most for gap in gaps)


def test_windows_are_staggered_and_four_an_hour_where_the_rule_says_fifteen_to_twenty_minutes() -> None:
    windows = list(draw(NUMBERS, WARD, START, START + SHIFT, P01))
    gaps = [(later.opens - each.opens) // 1000 for each, later in zip(windows, windows[1:], strict=False)]
    assert len(set(gaps)) > 5, "a pattern that can be learnt"
    assert min(gaps) >= 11 * 60 and max(gaps) <= 16 * 60
    assert 50 <= len(windows) <= 56
    assert {each.due - each.opens for each in windows} == {4 * MINUTE}
    assert all(each.opens % 30_000 == 0 for each in windows)


def test_another_key_and_another_ward_have_other_windows() -> None:
    mine = list(draw(NUMBERS, WARD, START, START + SHIFT, P01))
    assert mine != list(draw(keyed(b"another"), WARD, START, START + SHIFT, P01))
    assert mine != list(draw(NUMBERS, "elsewhere", START, START + SHIFT, P01))


def test_the_shorter_of_two_intervals_always_wins() -> None:
    assert shortest([P01, P02]) == shortest([P02, P01]) == P02
    assert shortest([]) is None


def test_a_higher_risk_brings_the_next_window_forward() -> None:
    before = list(draw(NUMBERS, WARD, START, START + SHIFT, P01))
    now = before[3].due
    after = redraw(NUMBERS, WARD, before, now, START + SHIFT, P02)
    assert after[:4] == before[:4]
    assert after[4].due <= before[4].due and after[4].rule == "P02"
    assert after[4].due - before[3].opens <= P02.most


@pytest.mark.parametrize(("least", "most"), [(0, 24_999), (2, 1), (-1, 60_000)])
def test_an_interval_that_nobody_can_walk_is_refused(least: int, most: int) -> None:
    with pytest.raises(ValueError, match="P01"):
        Interval(least, most, "P01")
