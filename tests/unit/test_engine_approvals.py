"""Who is asked because of an approval (backend/duty/approvals.py), as stories of events."""

from __future__ import annotations

from typing import Any

from backend.domain.calendars import HOUR_MS, MINUTE_MS
from backend.duty import approvals
from backend.duty.approvals import TOLD_MS
from tests.support.story import START, Duty, Story

NOON = START + 12 * HOUR_MS
RECORD = "approval-1"


def told(story: Story, step: str, at: int, asks: str = "", officer: str | None = None, matter: str = "other") -> None:
    story.happens(f"approval.{step}", at, person="p", record=RECORD, matter=matter, asks=asks, officer=officer)


def begun() -> Story:
    return Story([], companions=approvals.companions())


def seen(story: Story, duty: Duty, at: int) -> None:
    """Its officer acknowledges a duty."""
    doc: dict[str, Any] = {**duty.said, "officer": None}
    story.hears(story.version("duty", duty.id, at, state="acknowledged", doc=doc, version=2))


def ended(story: Story, step: str) -> list[str]:
    return [duty.state for duty in story.of(f"approval.{step}", RECORD)]


def test_each_rank_is_asked_in_its_turn_and_the_leaders_are_told() -> None:
    story = begun()
    told(story, "requested", NOON, "DIR LEAD")
    told(story, "passed_on", NOON + HOUR_MS, "DIR")
    told(story, "granted", NOON + 2 * HOUR_MS)
    story.until(NOON + 3 * HOUR_MS)
    first, second = story.of("approval.decide")
    assert [each.said["posts"] for each in (first, second)] == [["DIR", "LEAD"], ["DIR"]]
    assert first.steps == [("issue", NOON), ("fulfil", NOON + HOUR_MS)]
    assert second.steps == [("issue", NOON + HOUR_MS), ("fulfil", NOON + 2 * HOUR_MS)]
    notices = story.of("approval.granted")
    assert sorted(each.said["posts"] for each in notices) == [["DIR"], ["LEAD"]]
    seen(story, notices[0], NOON + 3 * HOUR_MS)
    story.until(NOON + 8 * HOUR_MS)
    due = NOON + 2 * HOUR_MS + TOLD_MS
    assert notices[0].steps[-1] == ("fulfil", due - MINUTE_MS) and notices[1].at("miss") == [due + 5 * MINUTE_MS]
    assert not story.engine.memory.page(f"w|{approvals.OWNER}")


def test_who_asked_submits_again_what_is_sent_back() -> None:
    story = begun()
    told(story, "requested", NOON, "LEAD")
    told(story, "returned", NOON + HOUR_MS, "LEAD")
    told(story, "requested", NOON + 2 * HOUR_MS, "LEAD")
    story.until(NOON + 3 * HOUR_MS)
    (again,) = story.of("approval.submit")
    assert (again.said["officer"], again.state) == ("o", "fulfil")
    assert ended(story, "decide") == ["fulfil", "issue"]


def test_what_is_withdrawn_asks_nothing_more_and_leaves_nothing() -> None:
    story = begun()
    told(story, "requested", NOON, "LEAD")
    told(story, "withdrawn", NOON + HOUR_MS)
    story.until(NOON + 2 * HOUR_MS)
    assert ended(story, "decide") == ["cancel"]
    assert not story.engine.memory.page(f"w|{approvals.OWNER}") and not story.engine.memory.page("d")


def test_an_emergency_is_told_loudly_and_its_decision_goes_on_waiting() -> None:
    story = begun()
    told(story, "requested", NOON, "DIR", matter="outside_treatment")
    told(story, "emergency", NOON + MINUTE_MS, "DIR", matter="outside_treatment")
    story.until(NOON + 2 * MINUTE_MS)
    assert [duty.said["loud"] for duty in story.of("approval.emergency")] == [True, True]
    assert ended(story, "decide") == ["issue"]
    for duty in story.of("approval.emergency"):
        seen(story, duty, NOON + 3 * MINUTE_MS)
    told(story, "granted", NOON + 10 * MINUTE_MS, matter="outside_treatment")
    story.until(NOON + HOUR_MS)
    assert (ended(story, "emergency"), ended(story, "decide")) == (["fulfil", "fulfil"], ["fulfil"])


def test_one_to_whom_it_was_passed_on_is_asked_himself() -> None:
    story = begun()
    told(story, "requested", NOON, "LEAD")
    told(story, "passed_on", NOON + HOUR_MS, "LEAD", "o2")
    story.until(NOON + 2 * HOUR_MS)
    assert [duty.said["officer"] for duty in story.of("approval.decide")] == [None, "o2"]


def test_a_matter_that_a_row_of_the_rules_asks_for_is_not_asked_for_twice() -> None:
    story = begun()
    told(story, "requested", NOON, "LEAD", matter="cell_open_at_night")
    told(story, "refused", NOON + HOUR_MS, matter="cell_open_at_night")
    story.until(NOON + 2 * HOUR_MS)
    assert (ended(story, "decide"), ended(story, "refused")) == ([], ["issue", "issue"])


def test_each_who_is_named_is_asked_to_countersign_and_asked_anew_for_another_decision() -> None:
    story = begun()
    told(story, "requested", NOON, "DIR")
    for officer in ("o", "o2"):
        told(story, "circulated", NOON, officer=officer)
    story.happens("approval.countersigned", NOON + MINUTE_MS, approval=RECORD, opinion="agree")  # by the officer o
    told(story, "passed_on", NOON + 2 * MINUTE_MS, "DIR", "o3")
    story.until(NOON + 3 * MINUTE_MS)
    assert sorted(ended(story, "sign")) == ["fulfil", "issue"]
    told(story, "returned", NOON + 4 * MINUTE_MS, "DIR")
    told(story, "requested", NOON + 5 * MINUTE_MS, "DIR")
    told(story, "circulated", NOON + 5 * MINUTE_MS, officer="o")
    story.until(NOON + 6 * MINUTE_MS)
    assert sorted(ended(story, "sign")) == ["cancel", "fulfil", "issue"]
