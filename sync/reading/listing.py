"""The present rows of one partition, in their order, a handful in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, bindparam, select

from backend.kernel.kind import REMOVED
from backend.storage import tables
from backend.storage.engine import Store
from backend.storage.prepared import Prepared

AT_ONCE = 500
_R = tables.records.c
Row = tuple[str, int, bytes]
"""Id, version, the row as it is sent."""


class Listing:
    """Reads partitions row by row, within the view of a connection."""

    def __init__(self, store: Store) -> None:
        self._store = store
        here = (_R.facility == bindparam("f"), _R.partition == bindparam("name"), _R.state != REMOVED)
        after = (*here, _R.seq > bindparam("cursor"))
        names = select(_R.seq, _R.id).where(*after).order_by(_R.seq).limit(AT_ONCE)
        rows = select(_R.seq, _R.id, _R.version, _R.body)
        whole = rows.where(*after).order_by(_R.seq).limit(AT_ONCE)
        some = rows.where(*here, store.among(_R.id, "ids")).order_by(_R.seq)
        self._names, self._whole, self._some = store.prepare(names), store.prepare(whole), store.prepare(some)

    def names(self, connection: Connection, facility: str, partition: str) -> Iterator[str]:
        """The ids of all records."""
        return (row[1] for row in self._through(self._names, connection, facility, partition))

    def rows(self, connection: Connection, facility: str, partition: str) -> Iterator[Row]:
        """All rows."""
        return (row[1:] for row in self._through(self._whole, connection, facility, partition))

    def some(self, connection: Connection, facility: str, partition: str, ids: list[str]) -> Iterator[Row]:
        """The rows of these records, as far as they are in the partition."""
        for at in range(0, len(ids), AT_ONCE):
            asked = {"f": facility, "name": partition, "ids": self._store.listed(ids[at : at + AT_ONCE])}
            yield from (row[1:] for row in self._some.tuples(connection, asked))

    def _through(
        self, statement: Prepared, connection: Connection, facility: str, partition: str
    ) -> Iterator[tuple[Any, ...]]:
        cursor = 0
        while True:
            page = statement.tuples(connection, {"f": facility, "name": partition, "cursor": cursor})
            yield from page
            if len(page) < AT_ONCE:
                return
            cursor = page[-1][0]
