"""Who is asked because of an incident or a hazard, through the pure engine."""

from __future__ import annotations

from typing import Any

import pytest

from backend.domain.calendars import DAY_MS, HOUR_MS, MINUTE_MS
from backend.duty import emergencies
from backend.duty.companions import asks
from backend.kernel.clock import to_text
from backend.kernel.ids import named
from tests.support.story import START, Story

NOON = START + 12 * HOUR_MS
RECORD = named(NOON, "incident")


@pytest.fixture
def story() -> Story:
    return Story([], companions=emergencies.companions())


def happens(story: Story, name: str, after: int, **facts: Any) -> None:
    """An event of the incident or hazard so many minutes after noon."""
    said = {"type": "fire", "severity": "urgent"} if name.startswith("incident") else {"sort": "lock"} | HAZARD
    story.happens(name, NOON + after * MINUTE_MS, place="C1", record=RECORD, **(said | facts))


HAZARD = {"severity": "important", "rectify_by": None, "officer": None, "posts": ""}


def states(story: Story, step: str) -> list[tuple[Any, int, str]]:
    """Whom a step was asked of, how many minutes after noon it is due, and what became of it."""
    found = story.of(step)
    return [
        (each.said["officer"] or "+".join(each.said["posts"]), (each.due - NOON) // MINUTE_MS, each.state)
        for each in found
    ]


def test_a_leader_takes_command_and_whoever_has_a_part_is_told(story: Story) -> None:
    happens(story, "incident.opened", 0)
    story.until(NOON)
    assert states(story, "incident.command") == [("LEAD", 5, "issue")]
    assert story.of("incident.command")[0].said["asks"]["zh"] == "火灾：到岗指挥，分派职责"
    assert story.of("incident.command")[0].said["loud"] and not story.of("incident.report")[0].said["loud"]
    happens(story, "incident.assigned", 2, role="medical")
    happens(story, "incident.part", 2, role="medical", officer="MED")
    happens(story, "incident.part", 2, role="guard", officer="away")
    happens(story, "incident.worked", 4, what="note", officer="PAT")
    happens(story, "incident.worked", 5, what="done", officer="MED")
    story.until(NOON + HOUR_MS)
    assert states(story, "incident.command") == [("LEAD", 5, "fulfil")]
    assert sorted(states(story, "incident.part")) == [("MED", 7, "fulfil"), ("away", 7, "miss")]
    assert {each.said["officer"]: each.said["posts"] for each in story.of("incident.part")} == {
        "MED": ["MED"],
        "away": ["LEAD"],
    }
    happens(story, "incident.closed", 90)
    story.until(NOON + 2 * DAY_MS)
    assert states(story, "incident.report") == [("LEAD", 24 * 60, "fulfil")]


def test_every_step_that_is_asked_can_be_explained(story: Story) -> None:
    happens(story, "incident.opened", 0)
    happens(story, "incident.part", 2, role="medical", officer="MED")
    story.until(NOON + HOUR_MS)
    assert {each.rule for each in story.duties.values()} <= set(asks()) and {"loop.task", "approval.decide"} <= set(
        asks()
    )
    assert {each.said["source"] for each in story.duties.values()} == {asks()["incident.part"][1]}


def test_an_incident_that_nobody_commands_goes_to_the_director(story: Story) -> None:
    happens(story, "incident.opened", 0, severity="important")
    story.until(NOON + 2 * DAY_MS)
    (command,) = story.of("incident.command")
    assert [each["posts"] for each in command.said["chain"]] == [["DIR"]]
    assert [at - NOON for at in command.at("escalate")] == [30 * MINUTE_MS] and command.state == "miss"


def test_a_hazard_is_given_put_right_and_verified(story: Story) -> None:
    due = to_text(NOON + 10 * HOUR_MS)
    happens(story, "hazard.found", 0)
    happens(story, "hazard.assigned", 10, posts="DISC PAT", rectify_by=due)
    happens(story, "hazard.assigned", 20, posts="DISC", officer="DISC", rectify_by=due)
    happens(story, "hazard.rectified", 60, posts="DISC", officer="DISC", rectify_by=due)
    happens(story, "hazard.returned", 11 * 60, posts="DISC", officer="DISC", rectify_by=due)
    story.until(NOON + 11 * HOUR_MS + MINUTE_MS)
    assert states(story, "hazard.assign") == [("LEAD", 4 * 60, "fulfil")]
    assert sorted(states(story, "hazard.rectify")) == [
        ("DISC", 10 * 60, "fulfil"), ("DISC", 12 * 60, "issue"), ("DISC+PAT", 10 * 60, "cancel"),
    ]  # fmt: skip
    assert states(story, "hazard.verify") == [("LEAD", 25 * 60, "fulfil")]
    happens(story, "hazard.rectified", 12 * 60, posts="DISC", officer="DISC", rectify_by=due)
    happens(story, "hazard.verified", 13 * 60, posts="DISC", officer="DISC", rectify_by=due)
    story.until(NOON + 3 * DAY_MS)
    assert {each.state for each in story.duties.values()} == {"fulfil", "cancel"}
    assert not story.engine.memory.page("d")


def test_what_was_put_right_before_anybody_was_told_to_is_only_verified(story: Story) -> None:
    happens(story, "hazard.found", 0)
    happens(story, "hazard.rectified", 30)
    happens(story, "hazard.returned", 40)
    story.until(NOON + 40 * MINUTE_MS)
    assert [state for *_, state in states(story, "hazard.assign")] == ["cancel", "issue"]
    assert states(story, "hazard.verify") == [("LEAD", 24 * 60 + 30, "fulfil")] and not story.of("hazard.rectify")
