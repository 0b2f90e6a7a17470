"""Assignments for a period: they begin and end by themselves, in what is pulled, in streams, and in what may be written."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.identity import assignments
from backend.identity.assignments import Period
from backend.kernel.clock import to_text
from backend.kernel.problems import Problem
from backend.storage import tables
from tests.support import store
from tests.support.caller import Caller, is_problem
from tests.support.ear import listening
from tests.support.hand import Hand
from tests.support.reader import Copy
from tests.support.world import FACILITY, World

HOUR = 3_600_000


def assign(world: World, since: int | None = None, until: int | None = None, place: str = "V") -> None:
    """Gives PAT a place from and to so many milliseconds from now."""
    now = world.clock.now()
    period = Period(*(None if after is None else now + after for after in (since, until)))
    assignments.assign(world.services.door, FACILITY, world.ids["PAT"], world.ids[place], "test", period)


def unassign(world: World, place: str = "V") -> None:
    assignments.unassign(world.services.door, FACILITY, world.ids["PAT"], world.ids[place], "test")


def periods(world: World, place: str = "V") -> list[tuple[int, int | None]]:
    rows = store.rows(world, tables.assignments, officer=world.ids["PAT"], place=world.ids[place])
    return [(row.since, row.until) for row in rows]


def sees(world: World, copy: Copy) -> bool:
    return world.ids["p4"] in copy.pull().rows


def test_a_period_begins_and_ends_by_itself(both: World) -> None:
    copy = Copy.of(both, "PAT")
    assign(both, HOUR, 2 * HOUR)
    assert not sees(both, copy)
    both.clock.advance(HOUR)
    assert sees(both, copy), "its first millisecond is in it"
    both.clock.advance(HOUR)
    assert not sees(both, copy), "its last one is not"
    assert f"person/{both.ids['p4']}/base" in copy.gone
    store.verified(both)


def test_what_is_pulled_follows_at_once_though_nothing_was_written_since(both: World) -> None:
    copy = Copy.of(both, "PAT")
    assign(both, 1000, 2000)
    for after, seen in ((999, False), (1, True), (999, True), (1, False)):
        both.clock.advance(after)
        assert sees(both, copy) == seen


def test_what_is_written_is_judged_by_the_period_of_its_time(both: World) -> None:
    """Before it he was never there by right, and what he saw is marked; after it his right is lost, and a leader decides."""
    assign(both, HOUR, 2 * HOUR)
    h = Hand(both).signed_in("PAT")
    told = []
    for _ in range(3):
        h.open("V")
        told.append(h.told(h.n, h.n)[0])
        both.clock.advance(HOUR)
    assert [outcome["status"] for outcome in told] == ["applied", "applied", "escrowed"]
    assert [[mark["code"] for mark in outcome["marks"]] for outcome in told[:2]] == [["scope.outside"], []]
    assert told[2]["problem"]["code"] == "officer.out_of_scope"


def test_a_period_that_was_taken_back_before_it_began_gives_nothing_and_is_held_against_nobody(both: World) -> None:
    assign(both, HOUR, 2 * HOUR)
    unassign(both)
    both.clock.advance(HOUR)
    h = Hand(both).signed_in("PAT")
    h.open("V")
    (outcome,) = h.told()
    assert (outcome["status"], [mark["code"] for mark in outcome["marks"]]) == ("applied", ["scope.outside"])


def test_a_stream_hears_when_a_period_begins_and_when_it_ends(small: World) -> None:
    assign(small, HOUR, 2 * HOUR)
    with listening(small, "PAT") as (ear,):
        assert ear.said("scope") == []
        small.clock.advance(HOUR)
        ear.hears("scope")
        small.clock.advance(HOUR)
        ear.hears("scope", 2)


def test_a_stream_hears_of_other_posts_before_scopes_are_due(small: World) -> None:
    admin = Caller.of(small, "ADM")
    with listening(small, "PAT") as (ear,):
        assert admin.ask("PATCH", f"/v1/officers/{small.ids['PAT']}", {"posts": ["LEAD"]}).status_code == 204
        ear.hears("scope")


@pytest.mark.parametrize("since, until", [(0, None), (0, HOUR), (HOUR, 2 * HOUR)])
def test_what_a_period_covers_already_is_not_given_again(both: World, since: int, until: int | None) -> None:
    assign(both, None, None)
    both.clock.advance(1000)
    size = len(store.leaves(both))
    assign(both, since, until)
    assert len(periods(both)) == 1 and len(store.leaves(both)) == size


def test_periods_that_overlap_are_as_good_as_one(both: World) -> None:
    copy = Copy.of(both, "PAT")
    assign(both, None, 2 * HOUR)
    assign(both, HOUR, 3 * HOUR)
    for hour in range(4):
        assert sees(both, copy) == (hour < 3), hour
        both.clock.advance(HOUR)
    assign(both, None, HOUR)
    assign(both)
    both.clock.advance(2 * HOUR)
    assert sees(both, copy), "the longer one goes on"
    unassign(both)
    assert not sees(both, copy)
    store.verified(both)


def test_taking_a_place_takes_every_period_of_it(both: World) -> None:
    copy, begun = Copy.of(both, "PAT"), both.clock.now()
    assign(both, None, 2 * HOUR)
    assign(both, HOUR, 3 * HOUR)
    assign(both, 5 * HOUR, 6 * HOUR)
    both.clock.advance(1000)
    unassign(both)
    assert periods(both) == [(begun, begun + 1000), *((begun + after, begun + after) for after in (HOUR, 5 * HOUR))]
    told = assignments.of_officer(both.services.store, FACILITY, both.ids["PAT"])
    assert [(each.since, each.until) for each in told if each.place == both.ids["V"]] == [(begun, begun + 1000)]
    for _ in range(6):
        assert not sees(both, copy)
        both.clock.advance(HOUR)
    assert [leaf["act"] for leaf in store.leaves(both) if leaf["act"].startswith("scope.")] == [
        *["scope.assigned"] * 3, "scope.ended",
    ]  # fmt: skip


def test_a_shorter_period_from_the_same_moment_on_takes_nothing_away(both: World) -> None:
    now = both.clock.now()
    assign(both, HOUR, 3 * HOUR)
    assign(both, HOUR, 2 * HOUR)
    assert periods(both) == [(now + HOUR, now + 3 * HOUR)]
    assign(both, HOUR, 4 * HOUR)
    assert periods(both) == [(now + HOUR, now + 4 * HOUR)]


@pytest.mark.parametrize(
    ("since", "until", "field"),
    [
        (-1, None, "since"),
        (-HOUR, HOUR, "since"),
        (None, 0, "until"),
        (None, -1, "until"),
        (HOUR, HOUR, "until"),
        (2 * HOUR, HOUR, "until"),
    ],
)
def test_no_right_is_given_for_a_time_that_has_gone(
    both: World, since: int | None, until: int | None, field: str
) -> None:
    with pytest.raises(Problem, match="request.invalid") as problem:
        assign(both, since, until)
    assert problem.value.field == field and periods(both) == []


# By route and by command


def body(world: World, **ends: int) -> dict[str, Any]:
    return {"place": world.ids["V"]} | {name: to_text(world.clock.now() + after) for name, after in ends.items()}


def test_an_administrator_gives_a_period_and_sees_it(both: World) -> None:
    admin, path = Caller.of(both, "ADM"), f"/v1/officers/{both.ids['PAT']}/assignments"
    given = body(both, since=HOUR, until=2 * HOUR)
    assert admin.ask("POST", path, given).status_code == 204
    told = orjson.loads(admin.ask("GET", path).data)["assignments"]
    assert told == [{"place": both.ids["W"], "since": "2026-11-22T03:14:15.123Z", "until": None}, given]
    leaf = store.leaves(both)[-1]
    assert (leaf["act"], leaf["since"], leaf["until"]) == ("scope.assigned", given["since"], given["until"])
    listed = both.app.test_cli_runner().invoke(args=["officers", "list", FACILITY]).output
    assert next(line for line in listed.splitlines() if line.startswith("PAT\t")).endswith(f"\t{both.ids['W']}")


@pytest.mark.parametrize(
    "ends",
    [
        {"since": "2026-11-22T03:14:15.122Z"},
        {"until": "2026-11-22T03:14:15.123Z"},
        {"until": "2026-02-30T00:00:00.000Z"},
        {"until": "2027-01-01T00:00:00Z"},
        {"until": "2027-01-01T00:00:00.000+08:00"},
        {"until": 1_900_000_000_000},
        {"since": None},
        {"by": "me"},
    ],
)
def test_a_period_that_cannot_be_is_refused(standing: World, ends: dict[str, Any]) -> None:
    path = f"/v1/officers/{standing.ids['PAT']}/assignments"
    response = Caller.of(standing, "ADM").ask("POST", path, {"place": standing.ids["V"]} | ends)
    assert (response.status_code, is_problem(response)) == (422, "request.invalid")
    assert orjson.loads(response.data)["field"] == next(iter(ends))
    assert periods(standing) == []


def test_the_console_gives_periods(both: World) -> None:
    runner, now = both.app.test_cli_runner(), both.clock.now()
    words = ["officers", "assign", FACILITY, "PAT", both.ids["V"]]
    done = runner.invoke(args=[*words, "--since", to_text(now + HOUR), "--until", to_text(now + 2 * HOUR)])
    assert done.exit_code == 0 and periods(both) == [(now + HOUR, now + 2 * HOUR)]
    shown = runner.invoke(args=["officers", "assignments", FACILITY, "PAT"]).output.splitlines()
    assert shown == [
        f"{both.ids['W']}\t{to_text(now)}\t…",
        f"{both.ids['V']}\t{to_text(now + HOUR)}\t{to_text(now + 2 * HOUR)}",
    ]
    done = runner.invoke(args=[*words, "--since", to_text(now - 1)])
    assert done.exit_code == 1 and "request.invalid" in done.output
