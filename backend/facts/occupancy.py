"""Who is where by the register: the head count that a patrol's count is held against."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, func, select, text

from backend.kernel.kind import Head
from backend.storage import tables
from backend.storage.engine import Store

_R = tables.records.c
_KIND = "person"
_STATE = "held"
_HELD = text("kind = 'person' AND state = 'held'")


class Register:
    """Head counts of some cells, kept right while operations of one batch move people."""

    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts

    def headcount(self, cell: str) -> int:
        return self._counts.get(cell, 0)

    def applied(self, before: Head | None, after: Head) -> None:
        """Takes note of a new version of any record."""
        if after.kind != _KIND:
            return
        for head, step in ((before, -1), (after, 1)):
            if head is not None and head.state == _STATE and head.place in self._counts:
                self._counts[head.place] += step


class Occupancy:
    """Reads registers."""

    def __init__(self, store: Store) -> None:
        self._store = store
        counted = select(_R.place, func.count().label("persons")).group_by(_R.place)
        here = (_R.facility == bindparam("f"), tables.LODGED, _HELD, store.among(_R.place, "cells"))
        self._read = store.prepare(counted.where(*here))

    def read(self, connection: Connection, facility: str, cells: Iterable[str]) -> Register:
        """Counts of the given cells now; a cell with nobody in it counts 0."""
        wanted = sorted(set(cells))
        if not wanted:
            return Register({})
        rows = self._read.all(connection, {"f": facility, "cells": self._store.listed(wanted)})
        return Register(dict.fromkeys(wanted, 0) | {row.place: row.persons for row in rows if row.place})
