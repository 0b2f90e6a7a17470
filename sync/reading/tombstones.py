"""How long removals are listed: the low-water mark of each partition (docs/protocol.md §7)."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import bindparam, select, update

from backend.audit.log import append
from backend.kernel.clock import from_text, to_text
from backend.storage import tables
from backend.storage.door import Door, Transaction

LISTED_DAYS = 90
_DAY_MS = 24 * 3_600_000
_P, _R = tables.partitions.c, tables.records.c
_LISTED = (
    select(_R.partition, _R.seq, _R.body)
    .join(tables.partitions, (_P.facility == _R.facility) & (_P.partition == _R.partition))
    .where(_R.facility == bindparam("f"), tables.REMOVED, _R.seq > _P.floor)
    .order_by(_R.partition, _R.seq)
)
_RAISE = (
    update(tables.partitions)
    .where(_P.facility == bindparam("f"), _P.partition == bindparam("name"))
    .values(floor=bindparam("new_floor"))
)


def prune(door: Door, facility: str, older_than_days: int = LISTED_DAYS) -> int:
    """Raises each partition's low-water mark to its newest removal that is older than so many days.

    Who holds a partition only up to before the mark begins it anew at his next pull. Returns how many marks were
    raised; with none to raise nothing is written. Meant to run now and then, for each facility.
    """
    before = door.clock.now() - older_than_days * _DAY_MS

    def work(transaction: Transaction) -> int:
        listed = transaction.connection.execute(_LISTED, {"f": facility})
        marks = {partition: seq for partition, seq, body in listed if _received(body) < before}
        if marks:
            rows = [{"f": facility, "name": name, "new_floor": seq} for name, seq in marks.items()]
            transaction.execute(_RAISE, rows)
            append(transaction, "removals.unlisted", {"partitions": len(marks), "before": to_text(before)})
        return len(marks)

    return door.write(facility, work)


def _received(body: Any) -> int:
    return from_text(orjson.loads(body)["received_at"])
