"""What is kept of each partition as a whole: its newest number, how many records it has, and their digest."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from backend.kernel.kind import REMOVED, Change
from backend.storage import tables
from backend.storage.door import Transaction
from backend.storage.engine import Store
from sync.digests import packed, term, unpacked

_P = tables.partitions.c
_KEPT = ("seq", "count", "present", "digest")


class _Moved:
    """What a batch adds to one partition."""

    __slots__ = ("made", "present", "seq", "total")

    def __init__(self) -> None:
        self.seq = self.made = self.present = self.total = 0


class Partitions:
    """Keeps them in the transaction that changes their records: one read and one executemany a batch."""

    def __init__(self, store: Store) -> None:
        self._store = store
        here = _P.facility == bindparam("f")
        kept = select(_P.partition, _P.count, _P.present, _P.digest).where(here, store.among(_P.partition, "names"))
        upsert = (sqlite if store.sqlite else postgresql).insert(tables.partitions)
        upsert = upsert.values({name: bindparam(name) for name in ("facility", "partition", *_KEPT)})
        entered = upsert.on_conflict_do_update(
            index_elements=["facility", "partition"], set_={name: upsert.excluded[name] for name in _KEPT}
        )
        self._kept, self._entered = store.prepare(kept), store.prepare(entered)

    def enter(self, transaction: Transaction, changes: Sequence[Change]) -> None:
        """Takes in every version that a batch made, in their order: (the version before it, it).

        A record whose state is REMOVED counts as made, and is neither present nor in the digest.
        """
        moved: dict[str, _Moved] = {}
        for before, after in changes:
            found = moved.get(after.partition)
            if found is None:
                found = moved[after.partition] = _Moved()
            found.seq = after.seq
            if before is None:
                found.made += 1
            elif before.state != REMOVED:
                found.present -= 1
                found.total -= term(before.id, before.version, before.body)
            if after.state != REMOVED:
                found.present += 1
                found.total += term(after.id, after.version, after.body)
        if moved:
            self._save(transaction, moved)

    def _save(self, transaction: Transaction, moved: dict[str, _Moved]) -> None:
        facility = transaction.facility
        asked = {"f": facility, "names": self._store.listed(moved)}
        kept = {row[0]: row[1:] for row in self._kept.tuples(transaction.connection, asked)}
        rows = []
        for name, found in moved.items():
            count, present, digest = kept.get(name, (0, 0, None))
            rows.append(
                {
                    "facility": facility,
                    "partition": name,
                    "seq": found.seq,
                    "count": count + found.made,
                    "present": present + found.present,
                    "digest": packed(unpacked(digest) + found.total),
                }
            )
        transaction.put(self._entered, rows)
