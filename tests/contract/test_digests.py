"""Digests: what is kept of a partition is what its rows come to, whatever has happened; what differs is found."""

from __future__ import annotations

import random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.kernel.kind import REMOVED, Head
from backend.storage import tables
from sync import digests
from sync.writing.local import Act
from tests.support import store
from tests.support.chance import tries
from tests.support.hand import Hand
from tests.support.reader import Copy, bucket, digest, spelt, term
from tests.support.rows import enter, fill, head, remove, replace
from tests.support.world import World

pytestmark = pytest.mark.engines


def recomputed(world: World) -> dict[str, tuple[int, int, int, str]]:
    """Partition → newest number, records ever, records now, digest, from the rows alone."""
    found: dict[str, list[tuple[int, str, dict[str, object]]]] = {}
    for row in store.rows(world, tables.records):
        found.setdefault(row.partition, []).append((row.seq, row.state, orjson.loads(row.body)))
    return {
        name: (
            max(seq for seq, _, _ in rows),
            len(rows),
            sum(state != REMOVED for _, state, _ in rows),
            digest(body for _, state, body in rows if state != REMOVED),
        )
        for name, rows in found.items()
    }


def kept(world: World) -> dict[str, tuple[int, int, int, str]]:
    return {
        row.partition: (row.seq, row.count, row.present, spelt(int.from_bytes(row.digest or b"", "big")))
        for row in store.rows(world, tables.partitions)
    }


# The sums


@tries(100)
@given(st.text(max_size=40), st.integers(0, 2**40), st.binary(max_size=300))
def test_terms_and_buckets_are_those_of_the_protocol(record: str, version: int, noise: bytes) -> None:
    row = {"id": record, "version": version, "doc": noise.hex()}
    assert digests.term(record, version, orjson.dumps(row)) == term(row)
    assert digests.bucket(record) == bucket(row)
    assert digests.spelt(term(row)) == spelt(term(row))
    assert digests.sign(term(row)) == spelt(term(row))[:8]


@tries(100)
@given(st.lists(st.tuples(st.text(max_size=8), st.integers(0, digests.MODULUS - 1)), max_size=30))
def test_the_buckets_add_up_to_the_digest(terms: list[tuple[str, int]]) -> None:
    sums = digests.sums(terms)
    assert len(sums) == 256 and all(0 <= each < digests.MODULUS for each in sums)
    assert sum(sums) % digests.MODULUS == sum(each for _, each in terms) % digests.MODULUS
    assert digests.unpacked(digests.packed(sum(sums))) == sum(sums) % digests.MODULUS


def test_the_digest_of_nothing_is_forty_three_times_a() -> None:
    assert digests.spelt(0) == digests.spelt(digests.unpacked(None)) == "A" * 43


# What is kept


@pytest.mark.parametrize("seed", [f"history {at}" for at in range(3)])
def test_the_kept_digest_is_the_recomputed_one_after_any_history(both: World, seed: str) -> None:
    """Batches of new versions, removals and returns in any order, several of one record within a batch too."""
    chance = random.Random(seed)
    names = [f"place/{both.ids[code]}/base" for code in ("W", "C1", "C2")]
    present: dict[str, Head] = {}

    def step(before: Head | None, seq: int) -> Head:
        state = REMOVED if before is not None and chance.random() < 0.3 else "recorded"
        partition = before.partition if before else chance.choice(names)
        return head(seq, partition, before=before, state=state, note=chance.random() * 1e9 // 1)

    for _ in range(30):

        def batch(opened: object) -> list[tuple[Head | None, Head]]:
            changes = []
            for _ in range(chance.randint(1, 12)):
                known = list(present.values())
                before = chance.choice(known) if known and chance.random() < 0.6 else None
                after = step(before, opened.next_seq())  # type: ignore[attr-defined]
                present[after.id] = after
                changes.append((before, after))
            return changes

        enter(both, batch)
        assert kept(both) == recomputed(both), seed
    assert any(each.state == REMOVED for each in present.values())


def test_the_kept_digest_is_right_after_real_work(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    round_, opened = h.open()
    for code in ("C1", "C2", "K", "C1"):
        h.visit(round_, code)
    h.close_round(round_, after=[opened])
    h.told()
    both.desk("INT", Act("person", "change", both.ids["p1"], {"cell": both.ids["D1"]}, base=1))
    both.desk("ADM", Act("place", "change", both.ids["C1"], {"name": "改名"}, base=1))
    assert kept(both) == recomputed(both)


# Finding what differs


@pytest.mark.parametrize("seed", [f"damage {at}" for at in range(4)])
def test_whatever_is_wrong_with_a_copy_is_repaired(both: World, seed: str) -> None:
    chance = random.Random(seed)
    name = f"place/{both.ids['W']}/base"
    rows = fill(both, name, 60)
    remove(both, *rows[:5])
    replace(both, *rows[5:9])
    copy = Copy.of(both, "PAT").pull()
    right = dict(copy.rows)
    assert copy.compare() == {"at": copy.hand.pull()["at"], "differ": [], "stale": [], "gone": []}
    for record in chance.sample(sorted(row["id"] for row in copy.of_partition(name)), chance.randint(1, 6)):
        wrong = chance.choice(("lost", "older", "altered", "kept"))
        if wrong == "lost":
            del copy.rows[record]
        elif wrong == "kept":
            foreign = {**copy.rows[record], "id": rows[chance.randrange(5)].id}
            copy.rows[foreign["id"]] = foreign
        else:
            change = {"version": 9} if wrong == "older" else {"doc": {"note": "other"}}
            copy.rows[record] = copy.rows[record] | change
    assert copy.compare()["differ"] == [name]
    copy.repair(name)
    assert copy.rows == right
    assert copy.compare()["differ"] == []


def test_sums_are_never_remembered_beyond_a_change(both: World) -> None:
    name = f"place/{both.ids['W']}/base"
    rows = fill(both, name, 20)
    copy = Copy.of(both, "PAT")
    for row in rows[:3]:
        replace(both, row)
        copy.pull()
        sums = [0] * 256
        for held in copy.of_partition(name):
            sums[bucket(held)] += term(held)
        for _ in range(2):
            told = copy.ask("buckets", {"partition": name})
            assert (told["cursor"], told["sums"]) == (copy.cursors[name], list(map(spelt, sums)))


def test_digests_say_what_is_stale_and_what_is_gone(both: World) -> None:
    copy = Copy.of(both, "PAT").pull()
    before = dict(copy.cursors)
    name = f"place/{both.ids['W']}/base"
    fill(both, name, 1)
    foreign = f"person/{both.ids['p4']}/base"
    copy.cursors[foreign] = 4
    told = copy.compare()
    assert (told["differ"], told["stale"], told["gone"]) == ([], [name], [foreign])
    del copy.cursors[foreign]
    assert copy.pull().compare()["stale"] == []
    assert copy.cursors[name] > before[name]


def test_nothing_is_shown_of_partitions_outside_the_scope(both: World) -> None:
    copy = Copy.of(both, "PAT")
    foreign = f"person/{both.ids['p4']}/base"
    (row,) = fill(both, foreign, 1)
    for path, more in (
        ("buckets", {}), ("entries", {"cursor": 0, "buckets": [1]}), ("rows", {"ids": [row.id]}), ("snapshots", {}),
    ):  # fmt: skip
        with pytest.raises(Exception, match="partition.forbidden"):
            copy.ask(path, {"partition": foreign} | more)
    mine = f"place/{both.ids['W']}/base"
    assert copy.ask("rows", {"partition": mine, "ids": [row.id]})["rows"] == []


def test_removed_rows_are_not_listed_and_not_given(both: World) -> None:
    name = f"place/{both.ids['W']}/base"
    (row,) = fill(both, name, 1)
    remove(both, row)
    copy = Copy.of(both, "PAT").pull()
    assert copy.ask("rows", {"partition": name, "ids": [row.id]})["rows"] == []
    body = {"partition": name, "cursor": copy.cursors[name], "buckets": list(range(256))}
    assert [record for record, _ in copy.ask("entries", body)["entries"]] == [both.ids["W"]]


@tries(20)
@given(st.sets(st.integers(0, 255), min_size=1, max_size=6))
def test_entries_are_those_of_the_buckets_that_were_asked_for(shared: World, buckets: set[int]) -> None:
    name = f"place/{shared.ids['W']}/base"
    if len(store.rows(shared, tables.records, partition=name)) < 50:
        fill(shared, name, 300)
    copy = _copies.setdefault(id(shared), Copy.of(shared, "PAT")).pull()
    body = {"partition": name, "cursor": copy.cursors[name], "buckets": sorted(buckets)}
    said = copy.ask("entries", body)["entries"]
    mine = {row["id"]: spelt(term(row))[:8] for row in copy.of_partition(name) if bucket(row) in buckets}
    assert dict(map(tuple, said)) == mine


_copies: dict[int, Copy] = {}
