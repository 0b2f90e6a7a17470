"""Patrol windows through the public door: the server draws them, a handheld walks them off line, and what became of each
stands in the plan and in the duties."""

from __future__ import annotations

from typing import Any

from backend.kernel.clock import from_text
from headless.chain import uuid7
from headless.patrol import BY_SESSION
from headless.terminal import Terminal
from sync.writing.local import Act
from tests.support.world import FACILITY, World, looked, tag

MINUTE = 60_000
LODGED = {"C1": 2, "C2": 1}


def tick(world: World, upto: int | None = None) -> None:
    """Lets time pass, with ticks a minute apart, and the one at the end."""
    while upto is not None and world.clock.now() + MINUTE < upto:
        world.clock.advance(MINUTE)
        world.services.clockwork.tick(FACILITY)
    if upto is not None:
        world.clock.set(max(upto, world.clock.now()))
    world.services.clockwork.tick(FACILITY)


def rows(terminal: Terminal, kind: str) -> list[dict[str, Any]]:
    terminal.pull()
    return [row for row in terminal.rows() if row["kind"] == kind]


def plan_of(terminal: Terminal, ward: str) -> dict[str, Any]:
    """The plan of the present shift."""
    found = sorted(
        (row for row in rows(terminal, "patrol.plan") if row["doc"]["place"] == ward),
        key=lambda row: row["doc"]["since"],
    )
    return dict(found[0]["doc"])


def windows_of(plan: dict[str, Any]) -> list[tuple[int, int]]:
    return [(from_text(each["opens_at"]), from_text(each["due_at"])) for each in plan["windows"]]


def walk(world: World, handheld: Terminal, *cells: str) -> None:
    """A round through ward W, captured and not sent."""
    round_ = uuid7()
    handheld.capture("patrol.round", "open", round_, {"area": world.ids["W"], "companions": []})
    for cell in cells:
        stop = {
            "round": round_, "place": world.ids[cell], "tag": tag(cell), "cell": looked(LODGED[cell]), "note": None,
        }  # fmt: skip
        handheld.capture("patrol.visit", "record", uuid7(), stop)


def test_a_shift_of_windows_is_known_off_line_walked_missed_and_set_right(small: World) -> None:
    tick(small)
    handheld, desk = small.terminal("PAT"), small.terminal("LEAD")
    plan = plan_of(handheld, small.ids["W"])
    windows = windows_of(plan)
    assert len(windows) > 10 and {each["rule"] for each in plan["windows"]} == {"P01"}
    assert {row["doc"]["place"] for row in rows(handheld, "patrol.plan")} == {small.ids["W"]}, "his ward's alone"
    ends = [from_text(row["doc"]["until"]) for row in rows(handheld, "patrol.plan")]
    assert max(ends) >= small.clock.now() + 24 * 60 * MINUTE

    small.clock.set(windows[0][0] + MINUTE)  # the first is walked off line, the second not at all
    walk(small, handheld, "C1", "C2")
    tick(small, windows[1][1] + 2 * MINUTE)
    duties = [
        row for row in rows(desk, "duty") if row["doc"]["place"] == small.ids["W"] and row["doc"]["rule"] == "P01"
    ]
    assert len(duties) == 2 and {row["doc"]["cause"] for row in duties} == {
        row["id"] for row in rows(desk, "patrol.plan") if row["doc"]["since"] == plan["since"]
        and row["doc"]["place"] == small.ids["W"]
    }  # fmt: skip
    assert [each["state"] for each in plan_of(desk, small.ids["W"])["windows"][:3]] == ["missed", "missed", "open"]

    assert {outcome["status"] for outcome in handheld.push()} == {"applied"}
    tick(small)
    after = plan_of(desk, small.ids["W"])["windows"]
    assert [(each["state"], each["missed"]) for each in after[:3]] == [
        ("kept", True), ("missed", True), ("open", False),
    ]  # fmt: skip
    states = {row["doc"]["due_at"]: row["state"] for row in rows(desk, "duty") if row["doc"]["rule"] == "P01"}
    assert states[plan["windows"][0]["due_at"]] == "completed"
    assert states[plan["windows"][1]["due_at"]] != "completed"


def test_a_higher_risk_has_the_rest_of_the_plan_drawn_anew(small: World) -> None:
    tick(small)
    desk = small.terminal("LEAD")
    before = plan_of(desk, small.ids["W"])
    tick(small, windows_of(before)[1][1] + 2 * MINUTE)
    (done,) = small.desk("INT", Act("person", "change", small.ids["p1"], {"risk": "grade1"}, base=1))
    assert done["status"] == "applied"
    tick(small)
    now = small.clock.now()
    after = plan_of(desk, small.ids["W"])
    past = [each for each in before["windows"] if from_text(each["opens_at"]) <= now]
    assert [each["opens_at"] for each in after["windows"][: len(past)]] == [each["opens_at"] for each in past]
    assert {each["rule"] for each in after["windows"][len(past) :]} == {"P02"}
    other = plan_of(desk, small.ids["V"])
    assert {each["rule"] for each in other["windows"]} == {"P01"}


def test_a_round_that_nobody_can_have_walked_is_for_leaders_and_not_for_its_officer(small: World) -> None:
    tick(small)
    handheld, desk = small.terminal("PAT"), small.terminal("DIR")
    walk(small, handheld, "C1", "C2")
    handheld.push()
    tick(small)
    (sign,) = rows(desk, "pattern")
    assert sign["doc"] | {"sign": "impossible_speed", "against": [small.ids["PAT"]], "state": "open"} == sign["doc"]
    assert [(mark["code"], mark["rule"]) for mark in sign["marks"]] == [("pattern.suspected", "Y05")]
    tick(small)
    (asked,) = [row for row in rows(desk, "duty") if row["doc"]["rule"] == "Y05"]
    assert (asked["doc"]["cause"], asked["partition"]) == (sign["id"], sign["partition"])
    assert rows(handheld, "pattern") == [] and not [
        row for row in rows(handheld, "duty") if row["doc"]["rule"] == "Y05"
    ]  # fmt: skip
    review = {"verdict": "not_done", "video": "走廊 11:14", "note": None}
    desk.capture("pattern", "review", sign["id"], review, base=1, seen={"state": "open"}, signoff=BY_SESSION)
    assert {outcome["status"] for outcome in desk.push()} == {"applied"}
    tick(small)
    (asked,) = [row for row in rows(desk, "duty") if row["doc"]["rule"] == "Y05"]
    assert asked["state"] == "completed"
