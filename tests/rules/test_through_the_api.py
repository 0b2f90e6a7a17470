"""One rule of each sort through the server: real records by headless terminals, real duties, the product's own pack."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from backend.domain.calendars import DAY_MS, HOUR_MS, MINUTE_MS
from headless.chain import rfc3339, uuid7
from headless.patrol import BY_SESSION
from headless.terminal import Terminal
from sync.writing.local import Act
from tests.samples import Stage, samples
from tests.support.world import FACILITY, SECRET, START, World

TO_NOON = 12 * HOUR_MS - (11 * HOUR_MS + 14 * MINUTE_MS + 15_123)
"""The world begins at 11:14:15.123 in Beijing, on a Sunday."""


def tick(world: World, forward: int = 0) -> None:
    world.clock.advance(forward)
    world.services.clockwork.tick(FACILITY)


def begun(world: World, *names: str) -> tuple[Terminal, ...]:
    """Duties are asked for from noon on; officers at their terminals."""
    world.clock.set(START + TO_NOON)
    tick(world)
    return tuple(world.terminal(name) for name in names)


def told(terminal: Terminal, rule: str, person: str | None = None) -> list[dict[str, Any]]:
    """The duties of a rule that an officer is given (about somebody), the earliest due first. He signs in again: sessions
    last a day."""
    assert terminal.session is not None
    terminal.sign_in(terminal.session.name.removeprefix("officer "), SECRET)
    terminal.pull()
    docs = [row["doc"] for row in terminal.rows() if row["kind"] == "duty"]
    found = [doc for doc in docs if doc["rule"] == rule and person in (None, doc["person"])]
    return sorted(found, key=lambda doc: str(doc["due_at"]))


def captured(world: World, terminal: Terminal, kind: str, **changes: Any) -> str:
    """A record as the sample of its kind has it, but for some fields; its id. It is not sent yet."""
    sample, record = samples()[kind], uuid7()
    fields = sample.verbs[sample.creating](Stage(world, terminal)) | changes
    signoff = BY_SESSION if sample.of.verbs[sample.creating].signoff else None
    terminal.capture(kind, sample.creating, record, fields, signoff=signoff)
    return record


def sent(terminal: Terminal) -> None:
    assert {outcome["status"] for outcome in terminal.push()} == {"applied"}


def admitted(world: World) -> str:
    person = uuid7()
    fields = {
        "number": "2026-99",
        "name": "测试",
        "sex": "m",
        "birth": "1990-01-01",
        "cell": world.ids["C1"],
        "state": "held",
    }
    (outcome,) = world.desk("INT", Act("person", "create", person, fields))
    assert outcome["status"] == "applied", outcome
    return person


def test_an_admission_asks_for_the_first_talk_and_one_held_off_line_does_it(small: World) -> None:
    (officer,) = begun(small, "DISC")
    person = admitted(small)
    tick(small, MINUTE_MS)
    (duty,) = told(officer, "A09", person)
    assert duty["posts"] == ["DISC"] and duty["state"] == "issued"
    assert duty["due_at"] == rfc3339(officer.clock.now() + timedelta(hours=24, minutes=-1))
    assert duty["source"] and duty["asks"]["zh"].startswith("入所二十四小时")
    small.clock.advance(HOUR_MS)
    captured(small, officer, "talk", person=person, occasion="admission")  # off line
    tick(small, 25 * HOUR_MS)
    assert told(small.terminal("LEAD"), "A09", person)[0]["state"] in {"issued", "unconfirmed", "missed"}
    sent(officer)
    tick(small)
    (duty,) = told(officer, "A09", person)
    assert duty["state"] == "completed", "it was held in time"


def test_a_grade_that_lasts_asks_for_an_assessment_each_day(small: World) -> None:
    (officer,) = begun(small, "DISC")
    (outcome,) = small.desk("INT", Act("person", "change", small.ids["p1"], {"risk": "grade1"}, base=1))
    assert outcome["status"] == "applied", outcome
    tick(small, MINUTE_MS)
    (duty,) = told(officer, "T11.grade1")
    assert duty["person"] == small.ids["p1"]
    tick(small, 13 * HOUR_MS)
    captured(small, officer, "assessment", person=small.ids["p1"])
    sent(officer)
    tick(small, MINUTE_MS)
    states = [duty["state"] for duty in told(officer, "T11.grade1")]
    assert states[0] == "completed" and states[1:] == ["issued"]


def test_a_day_that_a_talk_names_is_asked_for_ahead(small: World) -> None:
    (officer,) = begun(small, "DISC")
    day = rfc3339(officer.clock.now() + timedelta(days=3))
    captured(small, officer, "talk", person=small.ids["p1"], follow_up="回访", follow_up_on=day)
    sent(officer)
    tick(small, MINUTE_MS)
    assert told(officer, "T10.named") == []
    tick(small, DAY_MS + HOUR_MS)
    (duty,) = told(officer, "T10.named")
    assert duty["due_at"] == day and duty["person"] == small.ids["p1"]


def test_a_cell_that_had_no_check_is_asked_for_one(small: World) -> None:
    (officer,) = begun(small, "DISC")
    tick(small, 9 * HOUR_MS)
    cells = {duty["place"] for duty in told(officer, "P11.evening")}
    assert cells == {small.ids["C1"], small.ids["C2"]}, "those of his ward with somebody in them"


def test_the_morning_meeting_is_asked_for_a_day_ahead(small: World) -> None:
    """It is the whole facility's, and reaches the posts of wards as well."""
    for officer in begun(small, "LEAD", "PAT", "DISC"):
        tick(small, MINUTE_MS)
        due = {duty["due_at"] for duty in told(officer, "P10")}
        assert "2026-11-23T01:00:00.000Z" in due, "09:00 in Beijing, tomorrow"


def test_a_ward_has_its_windows_a_day_ahead(small: World) -> None:
    (patrol,) = begun(small, "PAT")
    tick(small, MINUTE_MS)
    patrol.pull()
    plans = [row["doc"] for row in patrol.rows() if row["kind"] == "patrol.plan"]
    assert {plan["place"] for plan in plans} == {small.ids["W"]}
    assert {window["rule"] for plan in plans for window in plan["windows"]} == {"P01"}
    tick(small, 2 * HOUR_MS)
    missed = told(patrol, "P01")
    assert missed and {duty["place"] for duty in missed} == {small.ids["W"]}, "nobody walked"


def test_what_the_facility_tightened_is_what_is_asked(small: World) -> None:
    officer, leader = begun(small, "DISC", "LEAD")
    captured(small, leader, "rule.override", amount="PT20H", since="2026-11-22")
    sent(leader)
    person = admitted(small)
    at = officer.clock.now()
    tick(small, MINUTE_MS)
    (duty,) = told(officer, "A09", person)
    assert duty["due_at"] == rfc3339(at + timedelta(hours=20))
