"""Snapshots: a partition whole as of one number, in as many pieces as the signal allows, for those in scope alone."""

from __future__ import annotations

import os
import threading
import tracemalloc
from pathlib import Path

import pytest

from backend.identity import assignments
from headless.errors import Problem
from sync.reading.pull import MOST_AT_ONCE
from sync.reading.snapshots import KEEP_MS, Snapshots
from tests.support.caller import Caller, is_problem
from tests.support.reader import Copy, digest, fetch
from tests.support.rows import fill, remove, replace
from tests.support.world import FACILITY, World, opened

MANY = MOST_AT_ONCE + 200


def ward(world: World) -> str:
    return f"place/{world.ids['W']}/base"


def folder(world: World) -> Path:
    return world.settings.data / "snapshots"


def files(world: World) -> set[str]:
    return {path.name for path in folder(world).iterdir()}


def test_a_large_partition_that_is_new_is_offered_as_a_snapshot(both: World) -> None:
    fill(both, ward(both), MANY)
    plain, taker = Copy.of(both, "PAT").pull(), Copy.of(both, "PAT", snapshots=True)
    assert plain.offered == []
    taker.pull()
    assert taker.offered == [ward(both)] and ward(both) not in taker.cursors
    taker.take_snapshot(ward(both))
    assert taker.rows == plain.rows
    taker.pull()
    assert (taker.offered, taker.cursors, taker.rows) == ([], plain.cursors, plain.rows)


def test_a_partition_of_just_so_many_records_comes_by_pages(both: World) -> None:
    rows = fill(both, ward(both), MOST_AT_ONCE)
    assert Copy.of(both, "PAT", snapshots=True).pull().offered == [ward(both)]
    remove(both, rows[0])
    copy = Copy.of(both, "PAT", snapshots=True).pull()
    assert copy.offered == [] and len(copy.of_partition(ward(both))) == MOST_AT_ONCE


def test_who_holds_a_large_partition_is_given_its_news_and_no_snapshot(both: World) -> None:
    fill(both, ward(both), MANY)
    copy = Copy.of(both, "PAT", snapshots=True).pull()
    copy.take_snapshot(ward(both))
    (row,) = fill(both, ward(both), 1)
    assert row.id in copy.pull().rows and copy.offered == []


def test_one_who_must_begin_a_large_partition_anew_throws_it_away_and_is_offered_it(both: World) -> None:
    fill(both, ward(both), MANY)
    copy = Copy.of(both, "PAT", snapshots=True).pull()
    copy.take_snapshot(ward(both))
    copy.epoch = 3
    copy.pull()
    assert ward(both) in copy.resets and copy.offered == [ward(both)]
    assert copy.of_partition(ward(both)) == []
    copy.take_snapshot(ward(both))
    copy.pull()
    assert copy.rows == Copy.of(both, "PAT").pull().rows


def test_what_is_written_after_a_snapshot_comes_by_pull(both: World) -> None:
    rows = fill(both, ward(both), 30)
    remove(both, rows[0])
    copy = Copy.of(both, "PAT")
    made = copy.ask("snapshots", {"partition": ward(both)})
    replace(both, rows[1])
    remove(both, rows[2])
    fill(both, ward(both), 2)
    again = copy.ask("snapshots", {"partition": ward(both)})
    assert again["snapshot"] != made["snapshot"] and again["cursor"] > made["cursor"]
    assert len(fetch(copy.hand, made["snapshot"], made["size"])) == made["size"], "a download goes on beside the next"
    copy.take_snapshot(ward(both))
    assert rows[0].id not in copy.rows
    assert copy.pull().rows == Copy.of(both, "PAT").pull().rows


def test_the_same_partition_is_packed_once(both: World) -> None:
    fill(both, ward(both), 5)
    first = Copy.of(both, "PAT").ask("snapshots", {"partition": ward(both)})
    there = files(both)
    stamps = {name: (folder(both) / name).stat().st_ino for name in there}
    fill(both, f"place/{both.ids['C1']}/base", 1)
    assert Copy.of(both, "LEAD").ask("snapshots", {"partition": ward(both)}) == first
    assert {name: (folder(both) / name).stat().st_ino for name in files(both)} == stamps


@pytest.mark.parametrize("piece", [1000, 4096, 10**6])
def test_a_snapshot_comes_in_pieces_of_any_size(both: World, piece: int) -> None:
    fill(both, ward(both), 200)
    copy = Copy.of(both, "PAT")
    made = copy.ask("snapshots", {"partition": ward(both)})
    if piece > made["size"]:
        piece = made["size"] - 1
    copy.take_snapshot(ward(both), piece)
    assert len(copy.of_partition(ward(both))) == 201


@pytest.mark.parametrize("asked, status, span", [
    ("bytes=0-0", 206, (0, 1)),
    ("bytes=5-", 206, (5, None)),
    ("bytes=-7", 206, (-7, None)),
    ("bytes=0-999999999", 200, (0, None)),
    ("bytes=3-2", 416, None),
    ("bytes=999999999-", 416, None),
    ("bytes=-0", 416, None),
    ("bytes=a-b", 416, None),
    ("lines=1-2", 416, None),
    ("bytes=0-1,3-4", 200, (0, None)),
])  # fmt: skip
def test_ranges_are_those_of_the_rfc(
    standing: World, asked: str, status: int, span: tuple[int, int | None] | None
) -> None:
    copy = Copy.of(standing, "PAT")
    made = copy.ask("snapshots", {"partition": ward(standing)})
    whole = fetch(copy.hand, made["snapshot"], made["size"])
    path = f"/v1/sync/snapshots/{made['snapshot']}"
    caller = Caller(standing, copy.hand.key, copy.hand.token)
    response = caller.ask("GET", path, headers=caller.headers("GET", path) | {"Range": asked})
    assert response.status_code == status
    if span is None:
        assert is_problem(response) == "range.invalid"
        assert response.headers["Content-Range"] == f"bytes */{made['size']}"
        return
    first, last = span
    assert response.data == whole[first:last]
    assert int(response.headers["Content-Length"]) == len(response.data)
    if status == 206:
        begin = first % made["size"]
        end = begin + len(response.data) - 1
        assert response.headers["Content-Range"] == f"bytes {begin}-{end}/{made['size']}"


def test_the_scope_is_asked_at_every_request(both: World) -> None:
    copy = Copy.of(both, "PAT")
    made = copy.ask("snapshots", {"partition": ward(both)})
    path = f"/v1/sync/snapshots/{made['snapshot']}"
    assert Caller.of(both, "LEAD").ask("GET", path).status_code == 200
    for name, code in (("PAT2", "partition.forbidden"), ("ADM", "role.forbidden")):
        refused = Caller.of(both, name).ask("GET", path)
        assert (refused.status_code, is_problem(refused)) == (403, code)
    mine = Caller(both, copy.hand.key, copy.hand.token)
    assert mine.ask("GET", path).status_code == 200
    assignments.unassign(both.services.door, FACILITY, both.ids["PAT"], both.ids["W"], "test")
    refused = mine.ask("GET", path)
    assert (refused.status_code, is_problem(refused)) == (403, "partition.forbidden")


@pytest.mark.parametrize("name", ["A" * 43, "x", "..%2f..%2fkeys", "A" * 42 + "."])
def test_a_snapshot_that_is_not_there_is_gone(standing: World, name: str) -> None:
    response = Caller.of(standing, "LEAD").ask("GET", f"/v1/sync/snapshots/{name}")
    assert (response.status_code, is_problem(response)) in ((404, "snapshot.gone"), (404, "route.unknown"))


def test_old_ones_go_and_those_in_use_stay(both: World) -> None:
    copy = Copy.of(both, "LEAD")
    used, unused = (f"place/{both.ids[code]}/base" for code in ("C1", "C2"))
    path = f"/v1/sync/snapshots/{copy.ask('snapshots', {'partition': used})['snapshot']}"
    left = f"/v1/sync/snapshots/{copy.ask('snapshots', {'partition': unused})['snapshot']}"
    broken = folder(both) / "broken.part"
    broken.write_bytes(b"half")
    os.utime(broken, (both.clock.now() / 1000,) * 2)
    caller = Caller(both, copy.hand.key, copy.hand.token)
    for _ in range(3):
        both.clock.advance(KEEP_MS // 2 - 1000)
        copy.hand.signed_in("LEAD")
        caller.token = copy.hand.token
        assert caller.ask("GET", path).status_code == 200
    copy.ask("snapshots", {"partition": ward(both)})
    assert caller.ask("GET", path).status_code == 200
    assert is_problem(caller.ask("GET", left)) == "snapshot.gone"
    assert len(files(both)) == 4


def test_a_snapshot_of_another_epoch_or_without_its_bytes_is_gone(both: World) -> None:
    copy = Copy.of(both, "LEAD")
    made = copy.ask("snapshots", {"partition": ward(both)})
    (data,) = folder(both).glob("*.gz")
    data.unlink()
    path = f"/v1/sync/snapshots/{made['snapshot']}"
    assert is_problem(Caller.of(both, "LEAD").ask("GET", path)) == "snapshot.gone"
    assert copy.ask("snapshots", {"partition": ward(both)}) == made, "it is made again"
    assert Caller.of(both, "LEAD").ask("GET", path).status_code == 200


def test_processes_on_one_folder_share_what_they_make(both: World) -> None:
    """Two applications over the same data, at once: the same snapshot, and each gives what the other made."""
    fill(both, ward(both), 400)
    other = opened(both.folder, None if both.services.store.sqlite else both.settings.database, both.ids)
    try:
        copies = [Copy.of(world, "PAT") for world in (both, other)]
        made, faults = [], []

        def make(copy: Copy) -> None:
            try:
                made.append(copy.ask("snapshots", {"partition": ward(both)}))
            except Problem as fault:
                faults.append(fault)

        threads = [threading.Thread(target=make, args=(copy,)) for copy in copies * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not faults and len(made) == 6
        assert all(each == made[0] for each in made)
        for copy in copies:
            copy.take_snapshot(ward(both))
        assert copies[0].rows == copies[1].rows
        assert len(files(both)) == 2
    finally:
        other.close()


def test_a_partition_is_never_whole_in_memory(small: World) -> None:
    """Fifty megabytes of rows pass through five."""
    for _ in range(5):
        fill(small, ward(small), 1000, 10_000)
    services = small.services
    made = Snapshots(services.store, services.sights, small.folder / "apart", small.clock)
    made.make(small.officer("PAT"), f"person/{small.ids['p1']}/base")
    tracemalloc.start()
    try:
        found = made.make(small.officer("PAT"), ward(small))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.present == 5001
    assert peak < 12_000_000


def test_what_a_snapshot_says_of_itself_is_right(both: World) -> None:
    rows = fill(both, ward(both), 3)
    copy = Copy.of(both, "PAT")
    made = copy.take_snapshot(ward(both))
    assert set(made) == {"snapshot", "partition", "cursor", "present", "digest", "size", "sha256"}
    held = copy.of_partition(ward(both))
    assert (made["present"], made["digest"]) == (len(held), digest(held)) and made["cursor"] == rows[-1].seq
