"""Rosters: entered by leaders, swapped and left by officers on their own terminals, off line too, and asked for by all."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.domain.shifts import Roster
from backend.facts.rosters import Rosters
from backend.kernel.clock import from_text, to_text
from headless.chain import uuid7
from headless.terminal import Terminal
from tests.samples.shifts import four_teams
from tests.support.caller import Caller, is_problem
from tests.support.hand import Hand
from tests.support.world import FACILITY, World

HOUR = 3_600_000
SERVING = {"PAT": 3, "PAT2": 0}
"""Who begins his cycle how many days in: by day on the 22nd and by night on the 23rd; by night on the 22nd, by day on the
25th."""


def row(world: World, name: str, pattern: str, offset: int, **other: Any) -> dict[str, Any]:
    return {
        "officer": world.ids[name], "post": name.rstrip("2"), "pattern": pattern, "offset": offset,
        "places": [world.ids["W"]], "since": "2026-11-20", "until": None,
    } | other  # fmt: skip


def rostered(world: World, leader: Terminal) -> str:
    """A leader puts the two patrols on a pattern; its id."""
    pattern = uuid7()
    first = leader.capture("shift.pattern", "create", pattern, four_teams())
    for name, offset in SERVING.items():
        leader.capture("shift.roster", "assign", uuid7(), row(world, name, pattern, offset), after=[first])
    applied(leader)
    return pattern


def applied(terminal: Terminal) -> None:
    outcomes = terminal.push()
    assert {outcome["status"] for outcome in outcomes} == {"applied"}, outcomes


def step(terminal: Terminal, kind: str, verb: str, record: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    """One more step of a record as its officer sees it; the outcome once it is sent."""
    terminal.pull()
    seen = next(each for each in terminal.rows() if each["id"] == record)
    state = {"state": seen["state"]}
    terminal.capture(kind, verb, record, fields or {}, base=seen["version"], seen=state)
    (outcome,) = terminal.push()
    return outcome


def told(outcome: dict[str, Any]) -> tuple[str, str | None]:
    return outcome["status"], outcome.get("problem", {}).get("code")


def read(world: World) -> Roster:
    with world.services.store.reading() as connection:
        return world.services.rosters.read(connection, FACILITY)


def on(world: World, when: str, *posts: str) -> list[str]:
    """Who is on duty at a moment of Beijing's (``23 21:00``), by short names."""
    day, time = when.split()
    at = from_text(f"2026-11-{day}T{time}:00.000Z") - 8 * HOUR
    names = {record: name for name, record in world.ids.items()}
    return sorted(names[each.officer] for each in read(world).on_duty(at, posts or ("PAT",)))


def ask(world: World, name: str, path: str, **query: str) -> Any:
    response = Caller.of(world, name).ask("GET", path, query_string=query)
    return orjson.loads(response.data) if response.status_code == 200 else is_problem(response)


def test_a_swap_is_asked_for_off_line_agreed_and_approved(both: World) -> None:
    leader, patrol, other = both.terminal("LEAD"), both.terminal("PAT"), both.terminal("PAT2")
    assert on(both, "23 21:00") == ["PAT", "PAT2"]  # nobody is rostered: all are on duty
    rostered(both, leader)
    assert (on(both, "22 12:00"), on(both, "23 03:00"), on(both, "23 21:00")) == (["PAT"], ["PAT2"], ["PAT"])
    swap = uuid7()
    fields = {"colleague": both.ids["PAT2"], "days": ["2026-11-23", "2026-11-25"], "reason": "家中有事"}
    patrol.capture("shift.swap", "request", swap, fields)
    assert on(both, "23 21:00") == ["PAT"]
    applied(patrol)
    assert told(step(patrol, "shift.swap", "agree", swap)) == ("rejected", "officer.unauthorised")
    assert told(step(leader, "shift.swap", "approve", swap)) == ("rejected", "record.state")
    assert told(step(other, "shift.swap", "agree", swap)) == ("applied", None)
    assert told(step(patrol, "shift.swap", "approve", swap)) == ("rejected", "officer.unauthorised")
    assert (on(both, "23 21:00"), on(both, "25 12:00")) == (["PAT"], ["PAT2"])
    assert told(step(leader, "shift.swap", "approve", swap)) == ("applied", None)
    assert (on(both, "23 21:00"), on(both, "25 12:00"), on(both, "22 12:00")) == (["PAT2"], ["PAT"], ["PAT"])
    shown = ask(both, "AUX", "/v1/roster", **{"from": "2026-11-23", "to": "2026-11-23"})
    night = next(each for each in shown["stints"] if each["shift"] == "夜班" and each["instead"])
    assert night | {"places": []} == {
        "officer": both.ids["PAT2"], "number": "PAT2", "name": "officer PAT2", "post": "PAT", "places": [],
        "since": "2026-11-23T12:00:00.000Z", "until": "2026-11-24T00:00:00.000Z", "shift": "夜班", "acting": False,
        "instead": both.ids["PAT"],
    }  # fmt: skip
    assert [each["name"] for each in shown["shifts"]] == ["夜班", "白班", "夜班"]
    assert shown["days"] == [{"day": "2026-11-23", "sort": "workday", "known": True}]


def test_two_leaders_who_decide_apart_meet_in_a_conflict(both: World) -> None:
    leader, director = both.terminal("LEAD"), both.terminal("DIR")
    h = Hand(both).signed_in("PAT")
    swap = uuid7()
    h.write("shift.swap", "request", swap, {"colleague": both.ids["PAT2"], "days": ["2026-11-23"], "reason": "有事"})
    h.told()
    step(both.terminal("PAT2"), "shift.swap", "agree", swap)
    for each in (leader, director):
        each.pull()
    leader.capture("shift.swap", "approve", swap, {}, base=2, seen={"state": "agreed"})
    director.capture("shift.swap", "refuse", swap, {"reason": "当日人手不足"}, base=2, seen={"state": "agreed"})
    assert told(leader.push()[0]) == ("applied", None)
    assert told(director.push()[0]) == ("conflict", "record.conflict")


def test_who_is_away_is_stood_in_for_once_a_leader_has_approved(both: World) -> None:
    leader, patrol = both.terminal("LEAD"), both.terminal("PAT")
    rostered(both, leader)
    leave, now = uuid7(), both.clock.now()
    fields = {
        "officer": both.ids["PAT"], "sort": "sick", "since": to_text(now), "until": to_text(now + 24 * HOUR),
        "stand_in": both.ids["AUX"], "note": None,
    }  # fmt: skip
    patrol.capture("shift.leave", "request", leave, fields)
    applied(patrol)
    assert on(both, "22 12:00") == ["PAT"]
    assert told(step(patrol, "shift.leave", "approve", leave)) == ("rejected", "officer.unauthorised")
    assert told(step(leader, "shift.leave", "approve", leave)) == ("applied", None)
    assert on(both, "22 12:00") == ["AUX"]
    both.clock.advance(4 * HOUR)
    at = to_text(both.clock.now())
    assert told(step(patrol, "shift.leave", "back", leave, {"at": at})) == ("applied", None)
    assert (on(both, "22 12:00"), on(both, "22 16:00")) == (["AUX"], ["PAT"])
    entered = fields | {"officer": both.ids["PAT2"], "stand_in": None}
    leader.capture("shift.leave", "request", uuid7(), entered)
    applied(leader)
    assert on(both, "22 21:00") == []  # what a leader enters for another is approved with that


def test_who_acts_for_a_leader_is_on_duty_as_one(both: World) -> None:
    leader, record, now = both.terminal("LEAD"), uuid7(), both.clock.now()
    fields = {
        "officer": both.ids["DISC"], "post": "LEAD", "since": to_text(now), "until": to_text(now + 48 * HOUR),
        "instead": both.ids["LEAD"], "reason": "外出学习",
    }  # fmt: skip
    leader.capture("shift.acting", "appoint", record, fields)
    applied(leader)
    assert on(both, "22 12:00", "LEAD", "DISC") == ["DISC", "LEAD"]  # he has not that post: nothing is changed
    posts = {"posts": ["DISC", "LEAD"]}
    both.clock.advance(HOUR)
    given = Caller.of(both, "ADM").ask("PATCH", f"/v1/officers/{both.ids['DISC']}", posts)
    assert given.status_code == 204
    assert on(both, "22 13:00", "LEAD", "DISC") == ["DISC"]
    (stint,) = read(both).on_duty(both.clock.now(), ["LEAD", "DISC"])
    assert (stint.post, stint.acting, stint.instead) == ("LEAD", True, both.ids["LEAD"])
    ended = {"at": to_text(now + 2 * HOUR), "reason": "提前返回"}
    assert told(step(leader, "shift.acting", "end", record, ended)) == ("applied", None)
    assert (on(both, "22 13:00", "LEAD"), on(both, "22 14:00", "LEAD")) == (["DISC"], ["DISC", "LEAD"])


def test_a_facility_says_what_its_days_are(both: World) -> None:
    leader, pattern = both.terminal("LEAD"), uuid7()
    office = four_teams(name="行政班", worked="workdays", cycle=["D"], main_from=None)
    first = leader.capture("shift.pattern", "create", pattern, office)
    leader.capture("shift.roster", "assign", uuid7(), row(both, "PAT", pattern, 0), after=[first])
    applied(leader)
    assert (on(both, "27 12:00"), on(both, "28 12:00")) == (["PAT"], [])  # a Friday, a Saturday
    for sort, expected in (("workday", ["PAT"]), ("holiday", []), ("announced", [])):
        leader.capture("calendar.day", "set", uuid7(), {"day": "2026-11-28", "sort": sort, "name": None})
        applied(leader)
        assert on(both, "28 12:00") == expected
    year = ask(both, "PAT", "/v1/roster", **{"from": "2031-01-01", "to": "2031-01-02"})
    assert [each["known"] for each in year["days"]] == [False, False]


def test_a_row_ends_is_cancelled_and_a_closed_pattern_takes_nobody(both: World) -> None:
    leader = both.terminal("LEAD")
    pattern = rostered(both, leader)
    leader.pull()
    his = next(each for each in leader.rows() if each["kind"] == "shift.roster" and each["doc"]["offset"] == 3)
    seen = {"state": "open", "until": None}
    end = {"until": "2026-11-22", "reason": "调离"}
    leader.capture("shift.roster", "end", his["id"], end, base=1, seen=seen)
    applied(leader)
    assert (on(both, "22 12:00"), on(both, "23 21:00")) == (["PAT"], [])
    assert told(step(leader, "shift.roster", "cancel", his["id"], {"reason": "录入有误"})) == ("applied", None)
    assert on(both, "22 12:00") == []
    assert told(step(leader, "shift.pattern", "close", pattern, {"reason": "停用"})) == ("applied", None)
    assert on(both, "23 03:00") == ["PAT2"]  # who is on it stays
    leader.capture("shift.roster", "assign", uuid7(), row(both, "PAT", pattern, 1))
    (outcome,) = leader.push()
    assert (told(outcome), outcome["problem"]["field"]) == (("rejected", "reference.unknown"), "fields.pattern")


def test_what_has_not_changed_is_not_worked_out_again(both: World) -> None:
    leader = both.terminal("LEAD")
    rostered(both, leader)
    first = read(both)
    Hand(both).signed_in("PAT").open()
    assert read(both) is first
    leader.capture("calendar.day", "set", uuid7(), {"day": "2026-11-28", "sort": "workday", "name": None})
    applied(leader)
    again = read(both)
    assert again is not first and again.plan.rows == first.plan.rows
    with both.services.store.reading() as connection:
        fresh = Rosters(both.services.store).read(connection, FACILITY)
    assert fresh.plan == again.plan  # piece by piece or at once


def test_who_is_on_duty_now(both: World) -> None:
    found = ask(both, "DISC", "/v1/roster/now")
    assert (found["known"], found["shift"]["name"], found["at"]) == (False, "白班", to_text(both.clock.now()))
    posts = {each["number"]: each["post"] for each in found["on_duty"]}
    assert (posts["PAT"], posts["DIR"], "SYS" in posts.values()) == ("PAT", "DIR", False)
    leader = both.terminal("LEAD")
    pattern = rostered(both, leader)
    found = ask(both, "DISC", "/v1/roster/now")
    assert found["known"] and [each["number"] for each in found["on_duty"] if each["post"] == "PAT"] == ["PAT"]
    leader.capture("shift.roster", "assign", uuid7(), row(both, "PAT", pattern, 2))
    applied(leader)
    shown = ask(both, "DISC", "/v1/roster", **{"from": "2026-11-22", "to": "2026-11-24"})
    assert shown["clashes"] == []  # by day on one, by night on the other: he serves both
    leader.capture("shift.roster", "assign", uuid7(), row(both, "PAT", pattern, 3, since="2026-11-23"))
    applied(leader)
    shown = ask(both, "DISC", "/v1/roster", **{"from": "2026-11-22", "to": "2026-11-24"})
    assert [(each["number"], each["yields"], each["since"]) for each in shown["clashes"]] == [
        ("PAT", "夜班", "2026-11-23T12:00:00.000Z")
    ]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "2026-11-23"}, "to"),
        ({"from": "2026-11-23", "to": "2026-11-22"}, "to"),
        ({"from": "2026-01-01", "to": "2026-12-31"}, "to"),
        ({"from": "2026-02-30", "to": "2026-03-01"}, "from"),
        ({"from": "9999-12-31", "to": "9999-12-31"}, "from"),
    ],
)
def test_days_that_cannot_be_told(standing: World, query: dict[str, str], field: str) -> None:
    response = Caller.of(standing, "PAT").ask("GET", "/v1/roster", query_string=query)
    assert is_problem(response) == "request.invalid"
    assert field in str(orjson.loads(response.data))


# Who is nearest


def test_the_nearest_on_duty_is_who_scanned_last_close_by(both: World) -> None:
    where = {"PAT": ("C2", 5), "AUX": ("K", 1), "PAT2": ("D1", 2), "DISC": ("C1", 90)}
    hands = {name: Hand(both).signed_in(name) for name in where}
    for name, (place, ago) in where.items():
        h = hands[name]
        round_, _ = h.open("V" if place == "D1" else "W")
        seen = h.device.now().timestamp() - ago * 60
        h.visit(round_, place, observed_at=type(h.device.now()).fromtimestamp(seen, h.device.now().tzinfo))
        h.told()
    asker = Caller.of(both, "LEAD")

    def near(place: str, **query: str) -> list[tuple[str, str]]:
        response = asker.ask("GET", "/v1/roster/nearest", query_string={"place": both.ids[place]} | query)
        found = orjson.loads(response.data)["officers"]
        return [(each["number"], each["near"]) for each in found if each["number"] in where]

    assert near("C2") == [("PAT", "same_place"), ("AUX", "same_ward"), ("PAT2", "other_ward"), ("DISC", "unknown")]
    assert near("K")[0] == ("AUX", "same_place")
    assert near("D1", post="PAT") == [("PAT2", "same_place"), ("PAT", "other_ward")]
    round_, _ = hands["PAT2"].open("W")
    hands["PAT2"].visit(round_, "C2")
    hands["PAT2"].told(hands["PAT2"].n - 1)
    assert near("C2")[:2] == [("PAT2", "same_place"), ("PAT", "same_place")]  # of two, who was there last
    assert ask(both, "PAT", "/v1/roster/nearest", place=both.ids["C2"]) == "role.forbidden"
