"""Scopes: who is given which compartment, and what grants, moves and revocations do to what terminals hold."""

from __future__ import annotations

import threading
import time

import pytest
from marshmallow import Schema

from backend.domain.posts import HELD, Post
from backend.identity import assignments
from backend.identity.assignments import Assignments
from backend.kernel.kind import Compartment, Deed, Head, Judge, Kind, Known, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import reference, whole
from backend.records.registry import kinds
from backend.storage import tables
from backend.storage.door import Transaction
from headless.chain import uuid7
from headless.errors import Problem as Told
from sync.judging.accept import Acceptance
from sync.writing.local import Act
from tests.support import store
from tests.support.caller import Caller, is_problem
from tests.support.hand import Hand
from tests.support.reader import Copy
from tests.support.rows import enter, fill, head
from tests.support.world import FACILITY, World

CASE = {"DISC", "LEAD", "DIR", "INT", "PROC", "AUD"}
WHOLE = {"INT", "MED", "LEAD", "DIR", "AUD", "PROC"}
MEDICAL = {"MED", "DIR", "PROC", "AUD"}
LOCATION = {"PAT", "LEAD", "DIR"}
WARD_W = {"PAT", "AUX", "DISC"}


def assign(world: World, name: str, place: str) -> None:
    assignments.assign(world.services.door, FACILITY, world.ids[name], world.ids[place], world.ids["ADM"])


def unassign(world: World, name: str, place: str) -> None:
    assignments.unassign(world.services.door, FACILITY, world.ids[name], world.ids[place], world.ids["ADM"])


def revoke(world: World, name: str) -> None:
    assignments.revoke(world.services.door, FACILITY, world.ids[name], world.ids["ADM"])


def person(world: World, name: str, compartment: str = "base") -> str:
    return f"person/{world.ids[name]}/{compartment}"


def acts(world: World, *wanted: str) -> list[tuple[str, str]]:
    return [(leaf["act"], leaf["officer"]) for leaf in store.leaves(world) if leaf["act"] in wanted]


# Compartments


def test_every_post_is_given_its_compartments_of_what_it_reaches(both: World) -> None:
    """p1 is in ward W, p4 in ward V; the facility's own partition is for those who have all of it."""
    names = {
        "W": [person(both, "p1"), f"place/{both.ids['C1']}/base"],
        "V": [person(both, "p4")],
        **{f"W {each}": [person(both, "p1", each)] for each in ("case", "medical", "location")},
        **{f"V {each}": [person(both, "p4", each)] for each in ("case", "medical", "location")},
        "facility": [f"facility/{FACILITY}/base"],
    }
    for partitions in names.values():
        for partition in partitions:
            fill(both, partition, 1)
    for post in HELD:
        held = Copy.of(both, post).pull().cursors.keys()
        seen = {what for what, partitions in names.items() if held >= set(partitions)}
        assert not any(partition in held for what in names.keys() - seen for partition in names[what])
        expected = {"W", "V", "facility"} if post in WHOLE else {"W"} if post in WARD_W else set()
        for compartment, posts in (("case", CASE), ("medical", MEDICAL), ("location", LOCATION)):
            if post in posts:
                expected |= {f"{ward} {compartment}" for ward in ("W", "V") if ward in expected}
        assert seen == expected, post


def test_of_two_posts_each_reaches_as_far_as_it_does(both: World) -> None:
    """A medic who is a cell officer too: the whole facility's base, and of his own ward the cases."""
    for name in ("p1", "p4"):
        fill(both, person(both, name, "case"), 1)
    store.alter(both, tables.officers, {"number": "DISC"}, posts="MED DISC")
    held = Copy.of(both, "DISC").pull().cursors.keys()
    assert {person(both, "p4"), person(both, "p1", "case")} <= held
    assert person(both, "p4", "case") not in held


def test_what_is_said_in_a_talk_reaches_no_patrol(both: World) -> None:
    (row,) = fill(both, f"person/{both.ids['p1']}/{Compartment.CASE}", 1)
    assert row.id in Copy.of(both, "DISC").pull().rows
    for name in ("PAT", "AUX", "MED", "ADM"):
        assert row.id not in Copy.of(both, name).pull().rows
        with pytest.raises(Told, match="role.forbidden" if name == "ADM" else "partition.forbidden"):
            Copy.of(both, name).ask("rows", {"partition": row.partition, "ids": [row.id]})


# Grants


def test_a_grant_brings_the_old_rows_and_its_end_takes_them(both: World) -> None:
    copy = Copy.of(both, "PAT").pull()
    mine = dict(copy.rows)
    assign(both, "PAT", "V")
    reached = {both.ids[name] for name in ("V", "D1", "p4")}
    assert copy.pull().rows.keys() == mine.keys() | reached
    unassign(both, "PAT", "V")
    assert copy.pull().rows == mine and len(copy.gone) == 3
    assign(both, "PAT", "V")
    assert copy.pull().rows.keys() == mine.keys() | reached


def test_an_assignment_to_one_cell_reaches_just_that(both: World) -> None:
    copy = Copy.of(both, "PAT2").pull()
    assign(both, "PAT2", "C2")
    assert copy.pull().rows.keys() >= {both.ids["C2"], both.ids["p3"]}
    assert not copy.rows.keys() & {both.ids["W"], both.ids["C1"], both.ids["p1"]}


def test_grants_leave_a_leaf_each_and_twice_is_once(both: World) -> None:
    for _ in range(2):
        assign(both, "PAT", "V")
    for _ in range(2):
        unassign(both, "PAT", "V")
    unassign(both, "PAT", "C1")
    pat = both.ids["PAT"]
    assert acts(both, "scope.assigned", "scope.ended") == [("scope.assigned", pat), ("scope.ended", pat)]
    leaf = store.leaves(both)[-1]
    assert (leaf["place"], leaf["by"]) == (both.ids["V"], both.ids["ADM"])
    store.verified(both)


def test_assignments_are_remembered_with_their_times(both: World) -> None:
    begun = both.clock.now()
    both.clock.advance(5000)
    assign(both, "PAT", "V")
    both.clock.advance(5000)
    unassign(both, "PAT", "V")
    assign(both, "PAT", "V")
    with both.services.store.reading() as connection:
        found = Assignments(both.services.store).read(connection, FACILITY, [both.ids["PAT"], both.ids["LEAD"]])
    assert found.keys() == {both.ids["PAT"]}
    told = [(each.place, each.since - begun, each.until and each.until - begun) for each in found[both.ids["PAT"]]]
    assert told == [
        (both.ids["W"], 0, None),
        (both.ids["V"], 5000, 10_000),
        (both.ids["V"], 10_000, None),
    ]


def test_a_place_or_an_officer_that_is_not_there_is_refused(both: World) -> None:
    for place in ("p1", "LEAD"):
        with pytest.raises(Problem, match="reference.unknown"):
            assign(both, "PAT", place)
    with pytest.raises(assignments.UnknownOfficer):
        assign(both, "p1", "V")
    assert acts(both, "scope.assigned") == []


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_grant_during_a_paged_pull_ends_in_the_same(both: World, limit: int) -> None:
    for at_page in range(1, 6):
        copy = Copy.of(both, "PAT")
        for _ in range(at_page):
            copy.page(limit)
        assign(both, "PAT", "V")
        assert copy.pull(limit).rows == Copy.of(both, "PAT").pull().rows
        assert both.ids["p4"] in copy.rows
        copy.page(limit)
        unassign(both, "PAT", "V")
        assert copy.pull(limit).rows == Copy.of(both, "PAT").pull().rows
        assert both.ids["p4"] not in copy.rows


# Moves


@pytest.mark.parametrize("limit", [1, 2, 500])
def test_who_moves_during_a_paged_pull_is_with_one_officer_in_the_end(both: World, limit: int) -> None:
    fill(both, person(both, "p1", "case"), 3)
    place, version = "C1", 1
    for at_page in range(5):
        left, reached = Copy.of(both, "DISC"), Copy.of(both, "PAT2")
        for _ in range(at_page):
            left.page(limit)
            reached.page(limit)
        place = "D1" if place == "C1" else "C1"
        (done,) = both.desk("INT", Act("person", "change", both.ids["p1"], {"cell": both.ids[place]}, base=version))
        assert done["status"] == "applied"
        version += 1
        left.pull(limit)
        reached.pull(limit)
        assert (both.ids["p1"] in left.rows, both.ids["p1"] in reached.rows) == (place == "C1", place == "D1")
        assert bool(left.of_partition(person(both, "p1", "case"))) == (place == "C1")
        assert not reached.of_partition(person(both, "p1", "case"))
        assert left.rows == Copy.of(both, "DISC").pull().rows


def test_who_is_released_leaves_all_scopes(both: World) -> None:
    copies = [Copy.of(both, name).pull() for name in ("PAT", "LEAD")]
    both.desk("INT", Act("person", "change", both.ids["p1"], {"cell": None, "state": "released"}, base=1))
    for copy in copies:
        assert copy.pull().gone == [person(both, "p1")]


def test_what_is_under_dispute_stays_with_those_who_have_the_facility(both: World) -> None:
    """Somebody must be able to settle it, though its person has left; a patrol is not shown it again."""
    name = person(both, "p1")
    copies = {who: Copy.of(both, who).pull() for who in ("PAT", "LEAD", "AUD", "ADM")}

    def dispute(opened: Transaction) -> list[tuple[None, Head]]:
        made = head(opened.next_seq(), name, kind="conflict", state="open")
        opened.insert(tables.disputes, [{"facility": FACILITY, "record": both.ids["p1"], "conflict": made.id}])
        return [(None, made)]

    both.desk("INT", Act("person", "change", both.ids["p1"], {"cell": None, "state": "released"}, base=1))
    (conflict,) = enter(both, dispute)
    held = {who: conflict.id in copy.pull().rows for who, copy in copies.items()}
    assert held == {"PAT": False, "LEAD": True, "AUD": True, "ADM": False}


# Revocation


def test_a_revoked_officer_is_out_at_once_and_does_not_come_in_again(both: World) -> None:
    caller, other = Caller.of(both, "PAT"), Caller.of(both, "DISC")
    both.clock.advance(1000)
    for _ in range(2):
        revoke(both, "PAT")
    pull = {"partitions": {}, "limit": 1}
    response = caller.ask("POST", "/v1/sync/pull", pull)
    assert (response.status_code, is_problem(response) in ("session.missing", "session.expired")) == (401, True)
    assert other.ask("POST", "/v1/sync/pull", pull).status_code == 200
    refused = Caller.of(both, "nobody").sign_in("PAT")
    assert (refused.status_code, is_problem(refused)) == (401, "session.refused")
    row = store.one(both, tables.officers, number="PAT")
    assert (row.active, row.revoked_at) == (False, both.clock.now())
    assert acts(both, "officer.revoked") == [("officer.revoked", both.ids["PAT"])]
    ended = [row.ended_at for row in store.rows(both, tables.sessions, officer=both.ids["PAT"])]
    assert ended == [both.clock.now()]


def test_what_a_revoked_officer_had_queued_is_still_taken_in(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    h.open()
    both.clock.advance(1000)
    revoke(both, "PAT")
    assert h.told()[0]["status"] in ("applied", "held", "escrowed")


# Beside others


def test_a_scope_is_never_remembered_beyond_a_change(both: World) -> None:
    """Each change is seen by the next pull, with a reader at work all the time."""
    over, faults = threading.Event(), []
    busy = Copy.of(both, "PAT")

    def read() -> None:
        while not over.is_set():
            try:
                busy.pull()
            except Exception as fault:  # noqa: BLE001 - it is raised in the test's own thread
                faults.append(fault)
                return

    thread = threading.Thread(target=read)
    thread.start()
    copy = Copy.of(both, "PAT")
    until = time.monotonic() + 2
    while time.monotonic() < until and not faults:
        assign(both, "PAT", "V")
        assert both.ids["p4"] in copy.pull().rows
        unassign(both, "PAT", "V")
        assert both.ids["p4"] not in copy.pull().rows
    over.set()
    thread.join(30)
    assert not faults, faults


# Compartments that no kind of this version lies in


class Measured(Schema):
    """What was measured of a person."""

    person = reference()
    value = whole(0, 999)


def _lies(compartment: Compartment) -> Judge:
    def judge(deed: Deed, _head: Head | None, _known: Known) -> Ruling:
        return Ruling(deed.fields, f"person/{deed.fields['person']}/{compartment}", "recorded")

    return judge


def _kind(name: str, compartment: Compartment, writer: Post) -> Kind:
    verb = Verb(Measured, _lies(compartment), Text("测量", "measure"), creates=True)
    texts = {"person": Text("人员", "person"), "value": Text("数值", "value")}
    return Kind(name, 1, Policy.FACT, compartment, frozenset({writer}), {"measure": verb}, Text("测", name), texts)


@pytest.mark.parametrize(
    ("compartment", "writer", "given"),
    [(Compartment.MEDICAL, Post.MED, MEDICAL), (Compartment.LOCATION, Post.PAT, LOCATION)],
)
def test_a_kind_of_a_narrow_compartment_reaches_those_alone_who_are_given_it(
    both: World, compartment: Compartment, writer: Post, given: set[str]
) -> None:
    """Whoever else reads the person is not told that there is such a partition."""
    both.services.pusher._acceptance = Acceptance(
        dict(kinds()) | {"test.kind": _kind("test.kind", compartment, writer)}
    )
    h, record = Hand(both).signed_in(writer), uuid7()
    h.write("test.kind", "measure", record, {"person": both.ids["p1"], "value": 7})
    assert h.told()[0]["status"] == "applied"
    name = person(both, "p1", compartment)
    assert store.one(both, tables.records, id=record).partition == name
    for post in HELD:
        held = Copy.of(both, post).pull()
        assert ((record in held.rows), (name in held.cursors)) == ((post in given), (post in given)), post
        if post not in given:
            with pytest.raises(Told, match=r"partition\.forbidden|role\.forbidden"):
                held.ask("rows", {"partition": name, "ids": [record]})
    assert record not in Copy.of(both, "PAT2").pull().rows
