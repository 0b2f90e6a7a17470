"""Who is where by the register: the head count that a patrol's count is held against."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, func, select

from backend.kernel.kind import Head
from backend.storage import tables
from backend.storage.engine import Store

_R = tables.records.c
_KIND = "person"
_STATE = "held"


class Register:
    """Head counts of some cells, kept right while operations of one batch move people."""

    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts

    @classmethod
    def read(cls, connection: Connection, store: Store, facility: str, cells: Iterable[str]) -> Register:
        """Counts of the given cells now; a cell with nobody in it counts 0."""
        wanted = sorted(set(cells))
        if not wanted:
            return cls({})
        statement = (
            select(_R.place, func.count().label("persons"))
            .where(_R.facility == bindparam("f"), _R.kind == _KIND, _R.state == _STATE, store.among(_R.place, "cells"))
            .group_by(_R.place)
        )
        rows = connection.execute(statement, {"f": facility, "cells": store.listed(wanted)})
        return cls(dict.fromkeys(wanted, 0) | {row.place: row.persons for row in rows if row.place})

    def headcount(self, cell: str) -> int:
        return self._counts.get(cell, 0)

    def applied(self, before: Head | None, after: Head) -> None:
        """Takes note of a new version of any record."""
        if after.kind != _KIND:
            return
        for head, step in ((before, -1), (after, 1)):
            if head is not None and head.state == _STATE and head.place in self._counts:
                self._counts[head.place] += step
