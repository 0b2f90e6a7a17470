"""What approvals and escorts ask of whom, by the rules in force and the server's own clock, to the handheld and back."""

from __future__ import annotations

from typing import Any

from backend.domain.calendars import HOUR_MS, MINUTE_MS
from headless.terminal import Terminal
from tests.contract.test_matters import APPROVED, applied, asked, at, made, row, said, step, told
from tests.contract.test_movements import BACK, cleared, go, gone, plan
from tests.support import store
from tests.support.world import FACILITY, World


def ticked(world: World, minutes: int = 1) -> None:
    """Minutes go by, and the server looks what is due."""
    world.clock.advance(minutes * MINUTE_MS)
    world.services.clockwork.tick(FACILITY)


def given(terminal: Terminal, rule: str) -> list[dict[str, Any]]:
    """The duties of a rule that a terminal is given, the earliest due first."""
    terminal.pull()
    found = [duty for duty in terminal.rows("duty") if duty["doc"]["rule"] == rule]
    return sorted(found, key=lambda duty: (duty["doc"]["due_at"], duty["id"]))


def states(terminal: Terminal, rule: str) -> list[str]:
    return [duty["state"] for duty in given(terminal, rule)]


def test_who_decides_is_asked_and_the_leaders_are_told(both: World) -> None:
    desk, lead, director = at(both, "INT"), at(both, "LEAD"), at(both, "DIR")
    ticked(both)
    record = asked(desk, both, "outside_treatment")
    desk.push()
    ticked(both)
    (duty,) = given(director, "approval.decide")
    doc = duty["doc"]
    assert (doc["posts"], doc["person"], doc["cause"]) == (["DIR"], both.ids["p1"], record)
    assert doc["asks"]["zh"].startswith("出所就医") and doc["asks"]["en"].startswith("treatment outside")
    assert applied(step(director, "approve", record, APPROVED)) == []
    ticked(both)
    assert states(director, "approval.decide") == ["completed"]
    notice = next(each for each in given(lead, "approval.granted") if each["doc"]["posts"] == ["LEAD"])
    assert applied(step(lead, "acknowledge", notice["id"], {}, "duty")) == []
    ticked(both, 4 * 60)
    assert next(
        each["state"] for each in given(at(both, "LEAD"), "approval.granted") if each["id"] == notice["id"]
    ) == ("completed")
    store.verified(both)


def test_an_emergency_asks_for_its_paper_within_a_day(small: World) -> None:
    medic, director = at(small, "MED"), at(small, "DIR")
    ticked(small)
    record = asked(medic, small, "outside_treatment")
    word = {"ground": "life", "reason": "呼吸骤停", "second": small.ids["PAT"]}
    declared = said(medic, "emergency", record, word, seen={"state": "requested"})
    small.clock.advance(HOUR_MS)  # without signal
    assert applied(told(medic, declared)) == ["approval.emergency"]
    ticked(small)
    (duty,) = given(director, "H08.emergency")
    assert duty["doc"]["due_at"] == row(small, record)["doc"]["paper_due"]
    assert [each["doc"]["loud"] for each in given(director, "approval.emergency")] == [True, True]
    assert applied(step(director, "approve", record, APPROVED)) == []
    ticked(small)
    assert states(director, "H08.emergency") == ["completed"]


def test_an_escort_reports_every_half_hour_until_it_is_back(small: World) -> None:
    desk, director, escort = at(small, "INT"), at(small, "DIR"), at(small, "PAT")
    ticked(small)
    record = made(desk, "movement", "plan", plan(desk, small))
    approval = asked(desk, small, "outside_treatment", about=record)
    desk.push()
    assert applied(step(director, "approve", approval, APPROVED)) == []
    assert applied(go(desk, "clear", record, cleared(approval, row(small, approval)["doc"]["code"]))) == []
    assert applied(go(escort, "leave", record, gone(small))) == []
    for reported in range(2):
        ticked(small, 25)
        assert states(escort, "H09")[reported:] == ["issued"]
        check = {"movement": record, "awake": True, "condition": "steady", "note": None}
        made(escort, "movement.check", "record", check)
        ticked(small)
        assert states(escort, "H09")[reported] == "completed"
    ticked(small, 20)
    assert applied(go(escort, "return", record, BACK)) == []
    ticked(small, 60)
    assert set(states(at(small, "PAT"), "H09")) <= {"completed", "cancelled"}
