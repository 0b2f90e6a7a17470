"""Head counts as of the moment at which an officer counted: who has moved since is put back."""

from __future__ import annotations

import random

import pytest

from backend.facts.occupancy import Occupancy, Register
from backend.facts.stays import Stays
from backend.kernel.kind import Head
from sync.writing.local import Act
from tests.support.world import FACILITY, PERSONS, World

CELLS = ("C1", "C2", "D1")


def move(world: World, name: str, cell: str | None, base: int) -> None:
    fields = {"cell": world.ids[cell] if cell else None, "state": "held" if cell else "released"}
    (done,) = world.desk("INT", Act("person", "change", world.ids[name], fields, base=base))
    assert done["status"] == "applied", done


def register(world: World, since: int | None = None) -> Register:
    store = world.services.store
    given = {} if since is None else {"since": since}
    with store.reading() as connection:
        cells = [world.ids[cell] for cell in CELLS]
        return Occupancy(store).read(connection, FACILITY, cells, now=world.clock.now(), **given)


def counts(world: World, found: Register, at: int | None = None) -> dict[str, int]:
    return {cell: found.headcount(world.ids[cell], at) for cell in CELLS}


def test_a_count_is_held_against_the_register_of_its_moment(both: World) -> None:
    begun = both.clock.now()
    both.clock.advance(60_000)
    move(both, "p1", "C2", 1)
    both.clock.advance(60_000)
    move(both, "p2", None, 1)
    both.clock.advance(60_000)
    move(both, "p1", "D1", 2)
    both.clock.advance(60_000)
    move(both, "p2", "D1", 2)
    found = register(both, begun)
    assert [counts(both, found, begun + minutes * 60_000) for minutes in range(5)] == [
        {"C1": 2, "C2": 1, "D1": 1},
        {"C1": 1, "C2": 2, "D1": 1},
        {"C1": 0, "C2": 2, "D1": 1},
        {"C1": 0, "C2": 1, "D1": 2},
        {"C1": 0, "C2": 1, "D1": 3},
    ]
    assert counts(both, found, begun + 59_999) == {"C1": 2, "C2": 1, "D1": 1}
    assert counts(both, found) == counts(both, register(both)) == {"C1": 0, "C2": 1, "D1": 3}


def test_before_what_was_asked_for_counts_as_that(both: World) -> None:
    both.clock.advance(60_000)
    move(both, "p1", "C2", 1)
    middle = both.clock.now()
    both.clock.advance(60_000)
    move(both, "p1", "D1", 2)
    found = register(both, middle)
    assert counts(both, found, 0) == counts(both, found, middle) == {"C1": 1, "C2": 2, "D1": 1}


def test_moves_of_the_same_batch_are_after_every_moment_before_it(both: World) -> None:
    begun = both.clock.now()
    both.clock.advance(60_000)
    found = register(both, begun)
    ids, now = both.ids, both.clock.now()
    before = Head(ids["p1"], "person", 1, 1, "", ids["C1"], "held", "", b"", {}, "", 1)
    after = Head(ids["p1"], "person", 2, 2, "", ids["C2"], "held", "", b"", {}, "", 1)
    found.applied(before, after)
    assert counts(both, found, begun) == counts(both, found, now - 1) == {"C1": 2, "C2": 1, "D1": 1}
    assert counts(both, found, now) == counts(both, found) == {"C1": 1, "C2": 2, "D1": 1}
    found.applied(after, Head(ids["p1"], "person", 3, 3, "", None, "removed", "", b"", {}, "", 1))
    assert counts(both, found) == {"C1": 1, "C2": 1, "D1": 1}


def test_stays_are_kept_in_order_though_the_clock_steps_back(both: World) -> None:
    for at, cell in enumerate(("C2", "D1", "C1"), 1):
        both.clock.advance(-5000)
        move(both, "p1", cell, at)
    store = both.services.store
    with store.reading() as connection:
        found = Stays(store).read(connection, FACILITY, [both.ids["p1"], both.ids["LEAD"]])
    assert [place for _, place in found.pop(both.ids["p1"])] == [both.ids[cell] for cell in ("C1", "C2", "D1", "C1")]
    assert found == {}


def test_a_change_that_moves_nobody_is_no_stay(both: World) -> None:
    (done,) = both.desk("INT", Act("person", "change", both.ids["p1"], {"name": "改名"}, base=1))
    assert done["status"] == "applied"
    store = both.services.store
    with store.reading() as connection:
        assert len(Stays(store).read(connection, FACILITY, [both.ids["p1"]])[both.ids["p1"]]) == 1


@pytest.mark.parametrize("seed", ["a", "b"])
def test_after_any_moves_every_moment_is_as_it_was(both: World, seed: str) -> None:
    chance = random.Random(seed)
    versions = dict.fromkeys(PERSONS, 1)
    where: dict[str, str | None] = dict(PERSONS)
    begun, told = both.clock.now(), {}
    for _ in range(25):
        both.clock.advance(chance.randint(1, 90_000))
        name = chance.choice(sorted(where))
        cell = chance.choice([cell for cell in (*CELLS, None) if cell != where[name]])
        move(both, name, cell, versions[name])
        where[name] = cell
        versions[name] += 1
        told[both.clock.now()] = {each: list(where.values()).count(each) for each in CELLS}
    found = register(both, begun)
    for at, expected in told.items():
        assert counts(both, found, at) == expected, (seed, at)
