"""Who is where by the register: the head count that a patrol's count is held against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, literal_column, null, select, text, union_all

from backend.facts.stays import KIND, place_of
from backend.kernel.kind import Head
from backend.storage import tables
from backend.storage.engine import Store

_R, _Y = tables.records.c, tables.stays.c
_HELD = text("kind = 'person' AND state = 'held'")
NEVER = 2**62
"""Later than every moment: nobody has moved since."""


class Move(NamedTuple):
    """A person went from one place to another. ``at``: when the server learnt of it; None: nowhere."""

    at: int
    origin: str | None
    place: str | None


class Register:
    """Head counts of some cells, kept right while operations of one batch move people.

    ``moves`` are those after the earliest moment that will be asked for; ``now`` is the moment of the batch.
    """

    def __init__(self, counts: dict[str, int], moves: Sequence[Move] = (), now: int = NEVER) -> None:
        self._counts = counts
        self._moves = list(moves)
        self._now = now

    def headcount(self, cell: str, at: int | None = None) -> int:
        """How many are in a cell by the register, or were at a moment (milliseconds): who has moved since is put back.

        A moment before the earliest one that was asked for counts as that; the batch's own moment is the present.
        """
        count = self._counts.get(cell, 0)
        if at is None or at >= self._now:
            return count
        for move in self._moves:
            if move.at > at:
                count += (move.origin == cell) - (move.place == cell)
        return count

    def applied(self, before: Head | None, after: Head) -> None:
        """Takes note of a new version of any record."""
        if after.kind != KIND:
            return
        move = Move(self._now, place_of(before), place_of(after))
        if move.origin == move.place:
            return
        self._moves.append(move)
        for cell, step in ((move.origin, -1), (move.place, 1)):
            if cell in self._counts:
                self._counts[cell] += step


class Occupancy:
    """Reads registers: one statement for the counts and the moves."""

    def __init__(self, store: Store) -> None:
        self._store = store
        here = _R.facility == bindparam("f")
        counted = (
            select(_R.place, func.count().label("persons"), null().label("at"), null().label("origin"))
            .where(here, tables.LODGED, _HELD, store.among(_R.place, "cells"))
            .group_by(_R.place)
        )
        before = tables.stays.alias("before")
        origin = (
            select(before.c.place)
            .where(before.c.facility == _Y.facility, before.c.person == _Y.person, before.c.since < _Y.since)
            .order_by(before.c.since.desc())
            .limit(1)
            .scalar_subquery()
        )
        moved = select(_Y.place, literal_column("0"), _Y.since, origin).where(
            _Y.facility == bindparam("f"), _Y.since > bindparam("since")
        )
        self._read = store.prepare(union_all(counted, moved))

    def read(
        self, connection: Connection, facility: str, cells: Iterable[str], since: int = NEVER, now: int = NEVER
    ) -> Register:
        """Counts of the given cells; a cell with nobody in it counts 0.

        ``since``: the earliest moment for which a count will be asked (milliseconds); left out: only the present.
        """
        wanted = sorted(set(cells))
        if not wanted:
            return Register({}, now=now)
        asked = {"f": facility, "cells": self._store.listed(wanted), "since": since}
        counts, moves = dict.fromkeys(wanted, 0), []
        for place, persons, at, origin in self._read.tuples(connection, asked):
            if at is None:
                counts[place] = persons
            else:
                moves.append(Move(at, origin, place))
        return Register(counts, moves, now)
