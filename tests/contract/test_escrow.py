"""Whose right was lost: into escrow, and out of it only by a leader's word. Who never had it: recorded, and marked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from backend.identity import assignments
from backend.kernel.ids import derived
from backend.storage import tables
from headless.chain import rfc3339, uuid7
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import FACILITY, World

OUTSIDE = {"code": "scope.outside", "rule": None}
UNPROVEN = {"code": "authority.unproven", "rule": None}
RELEASED = {"code": "escrow.released", "rule": None}
HOUR = 3_600_000


def end(world: World, officer: str = "PAT", place: str = "W") -> None:
    """Takes a ward from an officer an hour from the last thing that happened; an hour passes after it too."""
    world.clock.advance(HOUR)
    assignments.unassign(world.services.door, FACILITY, world.ids[officer], world.ids[place], "test")
    world.clock.advance(HOUR)


def told(h: Hand) -> dict[str, Any]:
    found: dict[str, Any] = h.told(h.n, h.n)[0]
    return found


def word(h: Hand, verb: str, op: str, **other: Any) -> str:
    return h.write("escrow", verb, derived(op, "escrow"), {"op": op, "reason": "已核实"}, **other)


def test_what_was_seen_before_the_right_was_lost_counts(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    before = h.device.now()
    end(both)
    h.open(observed_at=rfc3339(before))
    outcome = told(h)
    assert outcome["status"] == "applied"
    assert UNPROVEN in outcome["marks"], "only the device's clock says so"


def test_what_was_seen_after_it_goes_into_escrow(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    end(both)
    h.open()
    outcome = told(h)
    assert (outcome["status"], outcome["problem"]["code"]) == ("escrowed", "officer.out_of_scope")
    assert not store.rows(both, tables.records, terminal=h.terminal)
    assert store.one(both, tables.operations, terminal=h.terminal).raw == h.frames[0][2]
    store.verified(both)


def test_a_device_whose_clock_is_years_off_is_judged_by_what_is_proven(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    for years in (-20, 20):
        h.open(observed_at=rfc3339(h.device.now() + timedelta(days=365 * years)))
        outcome = told(h)
        assert outcome["status"] == "applied" and OUTSIDE not in outcome["marks"], years


def test_who_never_had_the_ward_records_what_he_saw_and_is_marked(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    h.open("V")
    outcome = told(h)
    assert (outcome["status"], outcome["marks"]) == ("applied", [OUTSIDE])


def test_who_has_the_ward_all_along_is_not_doubted(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    before = h.device.now()
    both.clock.advance(60_000)
    h.open(observed_at=rfc3339(before))
    assert told(h)["marks"] == []


def test_a_revoked_officer_s_work_waits_for_a_leader(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    before = h.device.now()
    both.clock.advance(HOUR)
    assignments.revoke(both.services.door, FACILITY, both.ids["PAT"], "test")
    h.open(observed_at=rfc3339(before))
    h.open()
    first, second = h.told()
    assert (first["status"], UNPROVEN in first["marks"]) == ("applied", True)
    assert (second["status"], second["problem"]["code"]) == ("escrowed", "officer.revoked")


def test_a_dependent_of_an_escrowed_operation_is_escrowed(both: World) -> None:
    h, other = Hand(both).signed_in("PAT"), Hand(both).signed_in("LEAD")
    end(both)
    round_, opened = h.open()
    other.open(after=[opened])
    told(h)
    outcome = told(other)
    assert (outcome["status"], outcome["problem"]["code"]) == ("escrowed", "dependency.escrowed")
    assert outcome["problem"]["detail"] == {"op": opened}


@pytest.fixture
def escrowed(both: World) -> tuple[Hand, str, str]:
    """A round in escrow: its terminal, record and operation."""
    h = Hand(both).signed_in("PAT")
    end(both)
    round_, opened = h.open()
    told(h)
    return h, round_, opened


def test_a_leader_releases_it(both: World, escrowed: tuple[Hand, str, str]) -> None:
    h, round_, opened = escrowed
    leader = Hand(both).signed_in("LEAD")
    word(leader, "release", opened)
    outcome = told(leader)
    assert outcome["status"] == "applied"
    assert [each["record"] for each in outcome["also"]] == [round_]
    row = orjson.loads(store.one(both, tables.records, id=round_).body)
    assert (row["author"]["officer"], row["op"], row["terminal"]) == (both.ids["PAT"], opened, h.terminal)
    assert RELEASED in row["marks"]
    assert told(h)["status"] == "escrowed", "its own outcome is final"
    word(leader, "release", opened)
    assert told(leader)["problem"]["code"] == "record.exists"
    store.verified(both)


def test_a_leader_dismisses_it(both: World, escrowed: tuple[Hand, str, str]) -> None:
    _, round_, opened = escrowed
    leader = Hand(both).signed_in("DIR")
    word(leader, "dismiss", opened)
    assert told(leader)["status"] == "applied"
    assert not store.rows(both, tables.records, id=round_)
    row = store.one(both, tables.records, id=derived(opened, "escrow"))
    assert (row.state, row.partition) == ("dismissed", f"facility/{FACILITY}/base")
    word(leader, "release", opened)
    assert told(leader)["problem"]["code"] == "record.exists"
    store.verified(both)


def test_nobody_else_has_that_word(both: World, escrowed: tuple[Hand, str, str]) -> None:
    _, round_, opened = escrowed
    for post in ("DISC", "INT", "ADM"):
        h = Hand(both).signed_in(post)
        word(h, "release", opened)
        outcome = told(h)
        assert (outcome["status"], outcome["problem"]["code"]) == ("rejected", "officer.unauthorised")
    assert not store.rows(both, tables.records, id=round_)


def test_a_word_on_nothing_and_under_another_id_is_refused(both: World, escrowed: tuple[Hand, str, str]) -> None:
    _, _, opened = escrowed
    leader = Hand(both).signed_in("LEAD")
    word(leader, "release", uuid7())
    assert told(leader)["problem"]["code"] == "escrow.unknown"
    leader.write("escrow", "release", uuid7(), {"op": opened, "reason": "r"})
    assert (told(leader)["problem"]["code"], told(leader)["problem"]["field"]) == ("field.invalid", "record")


def test_one_that_would_have_been_refused_anyway_stays_where_it_is(both: World) -> None:
    h, leader = Hand(both).signed_in("PAT"), Hand(both).signed_in("LEAD")
    end(both)
    round_, opened = h.open()
    bad = h.write("patrol.round", "close", round_, {"result": "completed", "reason": None, "visits": 0}, base=1)
    h.told()
    word(leader, "release", bad)
    assert told(leader)["problem"]["code"] in {"signoff.missing", "escrow.unknown"}
    word(leader, "release", opened)
    assert told(leader)["status"] == "applied"
    store.verified(both)
