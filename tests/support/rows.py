"""Rows put into a store in quantity: through the write door with their partition and a leaf, past the push."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from sqlalchemy import update

from backend.audit.log import append
from backend.facts.stays import Stays
from backend.kernel.clock import to_text
from backend.kernel.ids import uuid7
from backend.kernel.kind import REMOVED, Change, Head
from backend.storage import tables
from backend.storage.door import Transaction
from sync.writing.partitions import Partitions
from tests.support.world import FACILITY, World

_R = tables.records.c
_COLUMNS = ("id", "kind", "version", "seq", "partition", "place", "state", "terminal", "body")


def head(seq: int, partition: str, *, before: Head | None = None, state: str = "recorded", **other: Any) -> Head:
    """A version of a record of no kind in particular. ``at``: when it was received; ``note``: its document."""
    record = before.id if before else other.get("id") or uuid7(seq)
    version = before.version + 1 if before else 1
    doc = None if state == REMOVED else {"note": other.get("note", seq)}
    row = {
        "id": record,
        "kind": other.get("kind", "patrol.visit"),
        "version": version,
        "seq": seq,
        "partition": partition,
        "state": state,
        "author": {"officer": record, "name": "officer"},
        "terminal": record,
        "op": record,
        "received_at": to_text(other.get("at", 0)),
        "marks": [],
        "doc": doc,
    }
    place = other.get("place")
    return Head(
        record,
        row["kind"],
        version,
        seq,
        partition,
        place,
        state,
        record,
        orjson.dumps(row),
        doc or {},
        record,
        version,
    )


def enter(world: World, make: Callable[[Transaction], Sequence[Change]]) -> list[Head]:
    """Writes the versions that ``make`` gives, as a batch of the planner's would be; returns them."""
    store = world.services.store

    def work(transaction: Transaction) -> list[Head]:
        changes = make(transaction)
        present = {after.id: after for _, after in changes}
        made = {after.id for before, after in changes if before is None}
        rows = [{"facility": FACILITY} | {name: getattr(each, name) for name in _COLUMNS} for each in present.values()]
        transaction.insert(tables.records, [row for row in rows if row["id"] in made])
        for row in rows:
            if row["id"] not in made:
                key = (_R.facility == FACILITY, _R.id == row["id"])
                transaction.execute(update(tables.records).where(*key).values(row))
        Partitions(store).enter(transaction, changes)
        Stays(store).enter(transaction, changes)
        append(transaction, "test.entered", {"count": len(changes)})
        return [after for _, after in changes]

    return world.services.door.write(FACILITY, work)


def fill(world: World, partition: str, count: int, size: int = 40) -> list[Head]:
    """So many new records in a partition, their documents with a note of ``size`` characters."""
    at = world.clock.now()
    return enter(
        world,
        lambda opened: [
            (None, head(opened.next_seq(), partition, at=at, note=f"{number:0{size}}")) for number in range(count)
        ],
    )


def replace(world: World, *heads: Head, state: str = "recorded") -> list[Head]:
    """The next version of each of these records; with REMOVED, their tombstones."""
    at = world.clock.now()
    return enter(
        world,
        lambda opened: [
            (before, head(opened.next_seq(), before.partition, before=before, state=state, at=at)) for before in heads
        ],
    )


def remove(world: World, *heads: Head) -> list[Head]:
    """Takes records away."""
    return replace(world, *heads, state=REMOVED)
