"""Removals: sent to those who may hold the row, listed for ninety days, and nothing comes back to life."""

from __future__ import annotations

from typing import Any

import pytest

from backend.storage import tables
from headless.chain import uuid7
from sync.reading.tombstones import prune
from sync.writing.local import Act
from tests.support import store
from tests.support.hand import Hand
from tests.support.reader import Copy, digest
from tests.support.rows import fill, remove, replace
from tests.support.world import FACILITY, World

DAY = 24 * 3_600_000


def ward(world: World) -> str:
    return f"place/{world.ids['W']}/base"


def kept(world: World, partition: str) -> Any:
    return store.one(world, tables.partitions, partition=partition)


def test_a_removed_row_is_taken_from_those_who_hold_it_and_shown_to_nobody_else(both: World) -> None:
    first, second, third = fill(both, ward(both), 3)
    copy = Copy.of(both, "PAT").pull()
    remove(both, second)
    assert copy.pull().removed == [second.id]
    assert first.id in copy.rows and second.id not in copy.rows
    fresh = Copy.of(both, "PAT").pull()
    assert fresh.rows == copy.rows and fresh.removed == []
    row = kept(both, ward(both))
    assert (row.count, row.present) == (4, 3)


def test_a_withdrawn_report_is_a_tombstone_for_who_held_it(both: World) -> None:
    """Through the public door, from the first push to the last pull."""
    copy = Copy.of(both, "DISC")
    h = Hand(both).signed_in("PAT")
    record = uuid7()
    said = {"category": "dispute", "severity": "ordinary", "person": None, "place": both.ids["C1"],
            "involved": [], "text": "争执"}  # fmt: skip
    h.write("dynamic_info", "report", record, said)
    assert h.told()[0]["status"] == "applied"
    assert record in copy.pull().rows
    h.write("dynamic_info", "withdraw", record, {"reason": "重复"}, base=1, seen={"state": "open"})
    assert h.told(2)[0]["status"] == "applied"
    assert copy.pull().removed == [record] and record not in copy.rows
    assert record not in Copy.of(both, "DISC").pull().rows


def test_a_place_that_is_closed_leaves_every_scope(both: World) -> None:
    copies = [Copy.of(both, name).pull() for name in ("PAT", "LEAD")]
    fields = {"reason": "停用"}
    (done,) = both.desk("ADM", Act("place", "close", both.ids["K"], fields, base=1))
    assert done["status"] == "applied", done
    for copy in copies:
        copy.pull()
        assert both.ids["K"] not in copy.rows


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
def test_removals_during_a_paged_pull_end_in_the_same(both: World, limit: int) -> None:
    rows = fill(both, ward(both), 9)
    copy = Copy.of(both, "PAT")
    for row in rows[::2]:
        copy.page(limit)
        remove(both, row)
    assert copy.pull(limit).rows == Copy.of(both, "PAT").pull(limit).rows
    assert not {row.id for row in rows[::2]} & copy.rows.keys()


def test_what_was_removed_and_made_again_stands(both: World) -> None:
    (row,) = fill(both, ward(both), 1)
    copy = Copy.of(both, "PAT").pull()
    (gone,) = remove(both, row)
    copy.pull()
    replace(both, gone)
    assert copy.pull().rows[row.id]["version"] == 3
    assert kept(both, ward(both)).present == kept(both, ward(both)).count


def test_the_mark_is_the_newest_removal_that_is_old_enough(both: World) -> None:
    rows = fill(both, ward(both), 4)
    (old,) = remove(both, rows[0])
    both.clock.advance(DAY)
    (older_than_ninety,) = remove(both, rows[1])
    both.clock.advance(2 * DAY)
    (young,) = remove(both, rows[2])
    both.clock.advance(89 * DAY)
    leaves = len(store.leaves(both))
    assert prune(both.services.door, FACILITY) == 1
    assert kept(both, ward(both)).floor == older_than_ninety.seq > old.seq
    assert store.leaves(both)[-1]["act"] == "removals.unlisted"
    assert prune(both.services.door, FACILITY) == 0
    assert len(store.leaves(both)) == leaves + 1
    both.clock.advance(2 * DAY)
    assert prune(both.services.door, FACILITY) == 1
    assert kept(both, ward(both)).floor == young.seq


def test_who_was_away_too_long_begins_that_partition_anew_and_keeps_his_work(both: World) -> None:
    rows = fill(both, ward(both), 5)
    stale, fresh = Copy.of(both, "PAT").pull(), Copy.of(both, "PAT").pull()
    queued, _ = stale.hand.open()
    others = set(stale.cursors) - {ward(both)}
    remove(both, *rows[:2])
    fresh.pull()
    both.clock.advance(91 * DAY)
    prune(both.services.door, FACILITY)
    fresh.hand.signed_in("PAT")
    stale.hand.signed_in("PAT")
    assert fresh.pull().resets == []
    assert stale.pull().resets == [ward(both)] and stale.removed == []
    assert stale.rows == fresh.rows
    assert others <= stale.cursors.keys()
    assert stale.hand.told()[0]["status"] == "applied"
    assert queued in stale.pull().rows
    assert stale.resets == [ward(both)], "it began anew twice"


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_a_partition_is_filled_by_pages_past_its_mark(both: World, limit: int) -> None:
    """Rows older than the mark come page by page; the cursors between them are no reason to begin anew."""
    rows = fill(both, ward(both), 12)
    remove(both, rows[-1])
    both.clock.advance(91 * DAY)
    prune(both.services.door, FACILITY)
    copy = Copy.of(both, "PAT")
    pages = 0
    while copy.page(limit):
        pages += 1
        assert pages < 40, "it never ends"
    assert copy.resets == []
    assert copy.rows == Copy.of(both, "PAT").pull().rows
    assert len(copy.of_partition(ward(both))) == 12


def test_who_was_away_in_the_middle_of_a_filling_begins_anew_when_the_mark_has_risen(both: World) -> None:
    rows = fill(both, ward(both), 12)
    remove(both, rows[-1])
    both.clock.advance(91 * DAY)
    prune(both.services.door, FACILITY)
    copy = Copy.of(both, "PAT")
    while len(copy.of_partition(ward(both))) < 4:
        copy.page(2)
    assert rows[0].id in copy.rows
    remove(both, rows[0])
    both.clock.advance(91 * DAY)
    prune(both.services.door, FACILITY)
    copy.hand.signed_in("PAT")
    copy.pull(2)
    assert copy.resets == [ward(both)]
    assert rows[0].id not in copy.rows
    assert digest(copy.of_partition(ward(both))) == digest(Copy.of(both, "PAT").pull().of_partition(ward(both)))


def test_only_a_cursor_below_the_mark_begins_anew(both: World) -> None:
    rows = fill(both, ward(both), 3)
    (tombstone,) = remove(both, rows[0])
    newest = fill(both, ward(both), 1)[0].seq
    both.clock.advance(91 * DAY)
    prune(both.services.door, FACILITY)
    h = Hand(both).signed_in("PAT")
    for cursor, reset in ((tombstone.seq - 1, True), (tombstone.seq, False), (newest, False), (newest + 5, True)):
        page = h.pull({ward(both): cursor})
        parts = [part for part in page["partitions"] if part["partition"] == ward(both)]
        assert [part.get("reset", False) for part in parts] == ([] if cursor == newest else [reset]), cursor
