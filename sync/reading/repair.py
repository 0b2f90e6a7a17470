"""Finding out what differs between a terminal and the server, and sending just that (docs/protocol.md §8)."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping

import orjson

from backend.audit.views.readings import is_medical
from backend.identity.officers import Officer
from backend.kernel.ids import b64
from backend.storage.engine import Store
from sync.digests import NOTHING, bucket, sign, spelt, sums, term
from sync.reading.listing import Listing
from sync.reading.pull import Reading
from sync.reading.sights import Kept, Sights

MOST_ROWS = 500
_MOST_REMEMBERED = 64


class Repairer:
    """Answers the four questions of a repair, each from one consistent view.

    Sums of a large partition cost a pass over it; they are remembered while the partition is the same.
    """

    def __init__(self, store: Store, sights: Sights) -> None:
        self._store = store
        self._sights = sights
        self._listing = Listing(store)
        self._turn = threading.Lock()
        self._remembered: dict[tuple[str, str], tuple[Kept, list[str]]] = {}

    def digests(self, officer: Officer, held: Mapping[str, tuple[int, str]], now: int) -> bytes:
        """Partition → (cursor, digest) as the terminal has it → which of them differ, are stale, or have gone."""
        with self._store.reading() as connection:
            sight = self._sights.read(connection, officer, now)
        said: dict[str, list[str]] = {"differ": [], "stale": [], "gone": []}
        for name, (cursor, digest) in sorted(held.items()):
            kept = sight.partitions.get(name)
            if kept is None:
                said["gone"].append(name)
            elif cursor != kept.seq:
                said["stale"].append(name)
            elif digest != b64(kept.digest or NOTHING):
                said["differ"].append(name)
        return orjson.dumps({"at": sight.at, **said})

    def buckets(self, officer: Officer, partition: str, now: int) -> bytes:
        """The sums of a partition's 256 buckets. Raises Problem ``partition.forbidden``."""
        with self._turn, self._store.reading() as connection:
            sight = self._sights.read(connection, officer, now)
            kept = sight.one(partition)
            known, found = self._remembered.get((sight.facility, partition), (None, []))
            if known != kept:
                rows = self._listing.rows(connection, sight.facility, partition)
                found = [spelt(total) for total in sums((row[0], term(*row)) for row in rows)]
                if len(self._remembered) >= _MOST_REMEMBERED:
                    self._remembered.clear()
                self._remembered[sight.facility, partition] = (kept, found)
        return orjson.dumps({"partition": partition, "cursor": kept.seq, "present": kept.present, "sums": found})

    def entries(self, officer: Officer, partition: str, buckets: Collection[int], now: int) -> bytes:
        """What is in some buckets: ids, and the beginnings of their terms. Raises Problem ``partition.forbidden``."""
        wanted = frozenset(buckets)
        with self._store.reading() as connection:
            sight = self._sights.read(connection, officer, now)
            kept, here = sight.one(partition), (connection, sight.facility, partition)
            ids = [record for record in self._listing.names(*here) if bucket(record) in wanted]
            entries = [[row[0], sign(term(*row))] for row in self._listing.some(*here, ids)]
        return orjson.dumps({"partition": partition, "cursor": kept.seq, "entries": entries})

    def rows(self, officer: Officer, partition: str, ids: Collection[str], now: int, reading: Reading) -> bytes:
        """Rows of a partition by their ids. ``reading`` is told of a medical one. Raises Problem ``partition.forbidden``."""
        with self._store.reading() as connection:
            sight = self._sights.read(connection, officer, now)
            kept = sight.one(partition)
            found = self._listing.some(connection, sight.facility, partition, sorted(set(ids)))
            rows = [body for _, _, body in found]
        if rows and is_medical(partition):
            reading([partition], kept.seq)
        begin = orjson.dumps({"partition": partition, "cursor": kept.seq})
        return b'%b,"rows":[%b]}' % (begin[:-1], b",".join(rows))
