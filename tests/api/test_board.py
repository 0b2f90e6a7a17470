"""The board of the duty room, an officer's own list, and the 60 seconds in which a duty that rings must be received."""

from __future__ import annotations

from typing import Any

import orjson

from backend.domain.calendars import HOUR_MS, MINUTE_MS
from backend.duty.deliveries import Courier
from backend.facts.duties import Duties
from backend.kernel.clock import to_text
from headless.chain import uuid7
from headless.terminal import Terminal
from sync.writing.local import Act
from tests.contract.test_duties import issue, served, step, steps
from tests.support.caller import Caller, is_problem
from tests.support.hand import Hand
from tests.support.world import FACILITY, World

SECOND = 1000


def got(caller: Caller, path: str, **query: Any) -> dict[str, Any]:
    response = caller.ask("GET", path, query_string=query)
    assert response.status_code == 200, response.data
    found: dict[str, Any] = orjson.loads(response.data)
    return found


def named(board: dict[str, Any], sort: str) -> list[str]:
    return [each["duty"] for each in board[sort]]


def courier(world: World) -> Courier:
    """What a serving process runs every quarter of a minute: what was pulled is written down, then looked at."""
    services = world.services
    return Courier(services.store, Duties(services.store), services.rosters, services.desk.serve)


def tend(world: World, made: Courier) -> int:
    world.services.sightings.flush()
    return made.tend(FACILITY, world.clock.now())


def pulled(terminal: Terminal) -> set[str]:
    terminal.pull()
    return {row["id"] for row in terminal.rows("duty")}


def test_a_duty_that_rings_is_receipted_by_who_has_it(both: World) -> None:
    leader, made = Hand(both).signed_in("LEAD"), courier(both)
    terminal = both.terminal("DISC")
    loud, quiet = issue(leader, loud=True), issue(leader)
    later = issue(leader, loud=True, opens_at=to_text(both.clock.now() + 30 * MINUTE_MS))
    assert tend(both, made) == 0
    assert {loud, quiet, later} <= pulled(terminal)
    both.clock.advance(20 * SECOND)
    assert tend(both, made) == 1
    assert tend(both, made) == 0
    assert [each["step"] for each in steps(both, loud)] == ["issued", "delivered"]
    said = steps(both, loud)[-1]
    assert (said["terminal"], said["officer"]) == (terminal.identity.terminal, both.ids["DISC"])
    assert [[each["step"] for each in steps(both, duty)] for duty in (quiet, later)] == [["issued"], ["issued"]]
    both.clock.advance(2 * MINUTE_MS)
    assert tend(both, made) == 0
    assert named(got(Caller.of(both, "LEAD"), "/v1/board"), "undelivered") == []


def test_without_a_receipt_in_sixty_seconds_the_board_shows_it_and_the_next_is_told(both: World) -> None:
    leader, made = Hand(both).signed_in("LEAD"), courier(both)
    desk, patrol = both.terminal("DISC"), both.terminal("PAT")
    chain = [{"at": to_text(both.clock.now() + 2 * HOUR_MS), "posts": ["PAT"]}]
    record = issue(leader, loud=True, chain=chain)
    both.clock.advance(59 * SECOND)
    assert tend(both, made) == 0
    both.clock.advance(2 * SECOND)
    assert named(got(Caller.of(both, "LEAD"), "/v1/board"), "undelivered") == [record]
    assert tend(both, made) == 1
    assert tend(both, made) == 0
    assert steps(both, record)[-1]["posts"] == ["PAT"]
    both.clock.advance(61 * SECOND)
    assert record in pulled(patrol)
    assert tend(both, made) == 1
    assert [each["step"] for each in steps(both, record)] == ["issued", "escalated", "delivered"]
    assert steps(both, record)[-1]["officer"] == both.ids["PAT"]
    h = Hand(both).signed_in("PAT")
    assert step(h, record, "acknowledge")["status"] == "applied"
    assert record in pulled(desk)


def test_where_the_chain_has_nobody_left_leaders_are_told_and_then_it_rests(both: World) -> None:
    leader, made = Hand(both).signed_in("LEAD"), courier(both)
    record = issue(leader, loud=True)
    told = []
    for _ in range(4):
        both.clock.advance(61 * SECOND)
        tend(both, made)
        told.append(steps(both, record)[-1].get("posts"))
    assert told == [["LEAD"], ["DIR"], ["DIR"], ["DIR"]]
    assert len(steps(both, record)) == 3


def test_the_board_sorts_what_is_wrong_and_says_who_is_on_duty(small: World) -> None:
    leader = Hand(small).signed_in("LEAD")
    due = issue(leader, due_at=to_text(small.clock.now() + MINUTE_MS), posts=["DISC"])
    done, seen = issue(leader), issue(leader)
    h = Hand(small).signed_in("DISC")
    step(h, done, "complete", {"result": "已谈话", "record": None})
    step(h, seen, "acknowledge")
    small.clock.advance(11 * MINUTE_MS)
    away = issue(leader, due_at=to_text(small.clock.now()))
    served(small, away, "unconfirm")
    board = got(Caller.of(small, "LEAD"), "/v1/board")
    assert (named(board, "overdue"), named(board, "unconfirmed")) == ([due], [away])
    assert named(board, "unacknowledged") == [due]
    assert board["counts"] == {"overdue": 1, "undelivered": 0, "unconfirmed": 1, "unacknowledged": 1}
    mine = next(each for each in board["on_duty"] if each["officer"] == small.ids["DISC"])
    assert (mine["open"], mine["overdue"], mine["posts"]) == (2, 1, ["DISC"])
    assert (board["persons"], board["per_officer"]) == (4, round(4 / len(board["on_duty"]), 1))
    served(small, due, "miss")
    assert named(got(Caller.of(small, "LEAD"), "/v1/board"), "overdue") == [due]
    small.clock.advance(49 * HOUR_MS)
    assert named(got(Caller.of(small, "LEAD"), "/v1/board"), "overdue") == [away, seen]


def test_the_board_shows_each_his_own_scope_and_no_post_that_has_no_board(small: World) -> None:
    leader = Hand(small).signed_in("LEAD")
    here = issue(leader, posts=["PAT"], due_at=to_text(small.clock.now()))
    there = issue(leader, posts=["PAT"], person=small.ids["p4"], due_at=to_text(small.clock.now()))
    small.clock.advance(1)
    assert named(got(Caller.of(small, "PAT"), "/v1/board"), "overdue") == [here]
    assert set(named(got(Caller.of(small, "DIR"), "/v1/board"), "overdue")) == {here, there}
    assert is_problem(Caller.of(small, "MED").ask("GET", "/v1/board")) == "role.forbidden"


def test_an_officer_is_told_what_asks_him_or_his_post_for_a_day_with_the_windows_of_his_ward(small: World) -> None:
    leader, now = Hand(small).signed_in("LEAD"), small.clock.now()
    mine = issue(leader, posts=["PAT"])
    by_name = issue(leader, posts=["DISC"], officer=small.ids["PAT"])
    issue(leader, posts=["DISC"])
    issue(leader, posts=["PAT"], opens_at=to_text(now + 25 * HOUR_MS), due_at=to_text(now + 26 * HOUR_MS))
    issue(leader, posts=["PAT"], person=small.ids["p4"])
    window = {"opens_at": to_text(now), "due_at": to_text(now + 15 * MINUTE_MS), "rule": "P01"}
    for ward in ("W", "V"):
        plan = {"place": small.ids[ward], "since": to_text(now), "until": to_text(now + HOUR_MS), "windows": [window]}
        small.desk("LEAD", Act("patrol.plan", "issue", uuid7(), plan))
    told = got(Caller.of(small, "PAT"), "/v1/duties")
    assert {each["duty"] for each in told["duties"]} == {mine, by_name}
    (shown,) = told["windows"]
    assert (shown["place"], shown["opens_at"], shown["state"]) == (small.ids["W"], window["opens_at"], "open")
    assert got(Caller.of(small, "DISC"), "/v1/duties")["windows"] == []


def test_of_a_complaint_s_duty_the_officer_complained_of_sees_nothing(small: World) -> None:
    """The duty lies in the complaint's own partition, which he is not given, though his post is asked (看守所条例46)."""
    now = to_text(small.clock.now())
    said = {
        "person": small.ids["p1"], "by": "person", "sort": "accusation", "addressed_to": "procuratorate", "sealed": False,
        "words": "言语侮辱", "against": [small.ids["LEAD"]], "received_at": now,
    }  # fmt: skip
    (outcome,) = small.desk("INT", Act("complaint", "receive", complaint := uuid7(), said))
    assert outcome["status"] == "applied", outcome
    duty = issue(Hand(small).signed_in("DIR"), posts=["LEAD", "DIR"], cause=complaint, due_at=now)
    small.clock.advance(1)
    assert named(got(Caller.of(small, "DIR"), "/v1/board"), "overdue") == [duty]
    leader = Caller.of(small, "LEAD")
    assert named(got(leader, "/v1/board"), "overdue") == []
    assert got(leader, "/v1/duties")["duties"] == []
    assert duty not in orjson.dumps(got(leader, "/v1/since")).decode()
    terminal = small.terminal("LEAD")
    assert duty not in pulled(terminal)
