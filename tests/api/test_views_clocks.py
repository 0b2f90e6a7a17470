"""What operations say of a terminal's clock: jumps, steps back, the future, things entered together."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from backend.audit.views.clocks import Tick, facts
from tests.support.auditor import Auditor
from tests.support.caller import moment
from tests.support.hand import Hand
from tests.support.world import World

MINUTE = 60_000


def tick(
    n: int, recorded: int, counted: int | None = None, *, observed: int | None = None, received: int = 10**9,
    anchored: int | None = 0, boot: str = "a", kind: str = "patrol.visit",
) -> Tick:  # fmt: skip
    seen = recorded if observed is None else observed
    return Tick(1, n, kind, boot, recorded if counted is None else counted, seen, recorded, received, anchored)


def test_a_right_clock_has_nothing_to_tell() -> None:
    found = facts([tick(n, n * MINUTE + n * n * 1_700, received=n * MINUTE + n * n * 1_700 + 500) for n in range(1, 9)])
    assert {name: each for name, each in found.items() if each} == {
        "operations": 8,
        "clocks": [
            {
                "boot": "a",
                "first": {"incarnation": 1, "n": 1},
                "last": {"incarnation": 1, "n": 8},
                "operations": 8,
                "ahead_least": -500,
                "ahead_most": MINUTE + 1_700,
            }
        ],
    }


def test_the_offset_lies_between_receipt_and_anchor() -> None:
    (clock,) = facts([tick(1, 5_000, received=2_000, anchored=1_000), tick(2, 9_000, received=7_000, anchored=2_000)])[
        "clocks"
    ]
    assert (clock["ahead_least"], clock["ahead_most"]) == (3_000, 4_000)


def test_an_unknown_anchor_leaves_the_upper_end_open() -> None:
    (clock,) = facts([tick(1, 5_000, received=2_000, anchored=None)])["clocks"]
    assert (clock["ahead_least"], clock["ahead_most"]) == (3_000, None)


@pytest.mark.parametrize("by", [-3_600_000, 3_600_000])
def test_a_clock_that_is_moved_jumps(by: int) -> None:
    found = facts([tick(1, MINUTE), tick(2, 2 * MINUTE + by, 2 * MINUTE), tick(3, 3 * MINUTE + by, 3 * MINUTE)])
    assert found["jumps"] == [{"incarnation": 1, "n": 2, "by": by}]
    assert [each["n"] for each in found["backwards"]] == ([2] if by < 0 else [])


def test_a_restart_is_no_jump_and_a_small_drift_neither() -> None:
    restarted = [
        tick(1, 50 * MINUTE),
        tick(2, 60 * MINUTE, 7, boot="b"),
        tick(3, 61 * MINUTE, MINUTE + 1_500, boot="b"),
    ]
    assert facts(restarted)["jumps"] == facts(restarted)["backwards"] == []
    assert [each["boot"] for each in facts(restarted)["clocks"]] == ["a", "b"]


def test_a_count_that_goes_back_within_one_start() -> None:
    found = facts([tick(1, MINUTE, 5_000), tick(2, MINUTE, 4_000)])
    assert found["backwards"] == [{"incarnation": 1, "n": 2, "by": 0, "counted_by": 1_000}]


def test_what_was_recorded_after_it_came_or_seen_after_it_was_recorded() -> None:
    found = facts([tick(1, 5_000, received=4_000), tick(2, 6_000, observed=9_000)])["future"]
    assert found == [
        {"incarnation": 1, "n": 1, "recorded_by": 1_000, "observed_by": 0},
        {"incarnation": 1, "n": 2, "recorded_by": 0, "observed_by": 3_000},
    ]


def test_a_round_that_was_entered_at_the_desk() -> None:
    """Five visits said to be seven minutes apart, typed in within half a minute."""
    round_ = [tick(n, 100 * MINUTE + n * 5_000, observed=n * 7 * MINUTE + n * n * 1_100) for n in range(1, 6)]
    (batch,) = facts([tick(0, 99 * MINUTE, kind="patrol.round"), *round_])["entered_together"]
    assert (batch["first"]["n"], batch["last"]["n"], batch["operations"]) == (1, 5, 5)
    assert (batch["entered_within"], batch["observed_over"]) == (20_000, 28 * MINUTE + 24 * 1_100)
    assert facts(round_[:2])["entered_together"] == [], "two are no round"
    walked = [tick(n, n * 7 * MINUTE) for n in range(5)]
    assert facts(walked)["entered_together"] == []


def test_intervals_that_nobody_walks() -> None:
    even = [tick(n, n * 7 * MINUTE + (n % 2) * 300) for n in range(6)]
    (found,) = facts(even)["even_intervals"]
    assert (found["operations"], found["interval"]) == (6, 7 * MINUTE + 300)
    assert facts(even[:4])["even_intervals"] == []
    walked = [tick(n, n * 7 * MINUTE + n * n * 3_000) for n in range(6)]
    assert facts(walked)["even_intervals"] == []


def test_a_handheld_whose_clock_was_set_back(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    h.open()
    both.clock.advance(10 * MINUTE)
    h.device.wrong_by = -5 * MINUTE
    h.open()
    h.put(b"no operation")
    h.told()
    auditor = Auditor(both)
    page = auditor.see(f"terminals/{h.terminal}/clock")
    assert (page["terminal"]["id"], page["operations"], page["after"]) == (h.terminal, 2, None)
    assert page["jumps"] == [{"incarnation": 1, "n": 2, "by": -5 * MINUTE}]
    (clock,) = page["clocks"]
    assert clock["ahead_least"] > clock["ahead_most"] - 10 * MINUTE
    mine = [each for each in auditor.pages("clocks", "terminals", limit=2) if each["terminal"]["id"] == h.terminal]
    assert mine == [{name: each for name, each in page.items() if name != "after"}]
    first = auditor.see(f"terminals/{h.terminal}/clock", limit=1)
    assert first["operations"] == 1
    rest = auditor.see(f"terminals/{h.terminal}/clock", after=first["after"])
    assert rest["operations"] == 1 and rest["after"] is None


def test_a_round_typed_in_afterwards_is_seen_in_real_pushes(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    walked: datetime = moment(both)
    both.clock.advance(60 * MINUTE)
    round_, _ = h.open()
    for minutes in (0, 8, 19, 27):
        h.visit(round_, observed_at=walked + timedelta(minutes=minutes))
        both.clock.advance(4_000)
    assert {each["status"] for each in h.told()} == {"applied"}
    (batch,) = Auditor(both).see(f"terminals/{h.terminal}/clock")["entered_together"]
    assert (batch["kind"], batch["operations"], batch["observed_over"]) == ("patrol.visit", 4, 27 * MINUTE)
