"""One spelling of a moment, and no other."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.kernel.clock import FARTHEST_STEP_MS, ManualClock, RisingClock, SystemClock, from_text, to_text
from headless.chain import rfc3339
from tests.support.chance import tries

FIRST, LAST = -62_135_596_800_000, 253_402_300_799_999


@tries(300)
@given(st.integers(FIRST, LAST))
def test_a_moment_is_written_and_read_again(moment: int) -> None:
    text = to_text(moment)
    assert len(text) == 24
    assert from_text(text) == moment


@tries(200)
@given(st.integers(0, LAST), st.integers(0, LAST))
def test_text_sorts_as_time_does(one: int, other: int) -> None:
    assert (to_text(one) < to_text(other)) == (one < other)


@tries(100)
@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)))
def test_terminal_and_server_spell_alike(moment: datetime) -> None:
    text = rfc3339(moment.replace(tzinfo=UTC))
    assert to_text(from_text(text)) == text


def test_known_moments() -> None:
    assert to_text(0) == "1970-01-01T00:00:00.000Z"
    assert to_text(1_795_317_255_123) == "2026-11-22T03:14:15.123Z"
    assert from_text("1969-12-31T23:59:59.999Z") == -1
    assert from_text("2028-02-29T00:00:00.000Z") == 1_835_395_200_000


@pytest.mark.parametrize("text", [
    "", "now", "2026-11-22", "2026-11-22T03:14:15Z", "2026-11-22T03:14:15.12Z", "2026-11-22T03:14:15.1234Z",
    "2026-11-22T03:14:15.123", "2026-11-22T03:14:15.123z", "2026-11-22t03:14:15.123Z", "2026-11-22 03:14:15.123Z",
    "2026-11-22T03:14:15.123+00:00", "2026-11-22T03:14:15,123Z", " 2026-11-22T03:14:15.123Z", "2026-11-22T03:14:15.123Z\n",
    "2026-02-30T03:14:15.123Z", "2027-02-29T03:14:15.123Z", "2026-13-01T03:14:15.123Z", "2026-00-01T03:14:15.123Z",
    "2026-11-22T24:00:00.000Z", "2026-11-22T23:59:60.000Z", "2026-11-22T23:60:00.000Z", "0000-01-01T00:00:00.000Z",
    "-026-11-22T03:14:15.123Z", "２０２６-11-22T03:14:15.123Z", "٢٠٢٦-11-22T03:14:15.123Z", "12026-11-22T03:14:15.123Z",
])  # fmt: skip
def test_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        from_text(text)


def test_clocks_show_milliseconds() -> None:
    before, shown, after = time.time(), SystemClock().now(), time.time()
    assert before * 1000 - 1 <= shown <= after * 1000
    clock = ManualClock(5)
    clock.advance(-7)
    assert clock.now() == -2
    clock.set(9)
    assert clock.now() == 9


def test_a_server_s_clock_waits_when_the_machine_s_is_set_back() -> None:
    machine = ManualClock(1_000_000_000)
    clock = RisingClock(machine)
    assert clock.now() == 1_000_000_000
    machine.advance(-60_000)
    assert clock.now() == 1_000_000_000
    machine.advance(60_001)
    assert clock.now() == 1_000_000_001
    assert RisingClock(machine, 1_000_500_000).now() == 1_000_500_000, "nor over a restart"


def test_a_clock_that_was_wrong_by_more_than_a_day_is_followed_back() -> None:
    machine = ManualClock(100 * FARTHEST_STEP_MS)
    clock = RisingClock(machine)
    clock.now()
    machine.advance(-FARTHEST_STEP_MS - 1)
    assert clock.now() == 99 * FARTHEST_STEP_MS - 1
