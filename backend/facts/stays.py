"""Where each person was, by the moment at which the server learnt of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, func, select

from backend.kernel.kind import Change, Head
from backend.storage import tables
from backend.storage.door import Transaction
from backend.storage.engine import Store

KIND = "person"
HELD = "held"

_Y = tables.stays.c
Stay = tuple[int, str | None]
"""Since when, in milliseconds, and where; None: nowhere in the facility."""


def place_of(head: Head | None) -> str | None:
    """Where a person is by a version of his record."""
    return head.place if head is not None and head.state == HELD else None


class Stays:
    """Keeps and reads stays."""

    def __init__(self, store: Store) -> None:
        self._store = store
        his = (_Y.facility == bindparam("f"), store.among(_Y.person, "persons"))
        newest = select(_Y.person, func.max(_Y.since).label("since")).where(*his).group_by(_Y.person)
        every = select(_Y.person, _Y.since, _Y.place).where(*his).order_by(_Y.person, _Y.since)
        self._newest, self._every = store.prepare(newest), store.prepare(every)
        self._entered = store.insertion(tables.stays)

    def enter(self, transaction: Transaction, changes: Sequence[Change]) -> None:
        """Keeps the moves among a batch's new versions: (the version before it, it), in their order.

        A stay begins when the server learns of it, and after the one before it, though the server's clock step back.
        """
        moved = [(after.id, place_of(after)) for before, after in changes if _moves(before, after)]
        if not moved:
            return
        connection, facility = transaction.connection, transaction.facility
        asked = {"f": facility, "persons": self._store.listed({person for person, _ in moved})}
        newest = {row.person: row.since for row in self._newest.all(connection, asked)}
        rows = []
        for person, place in moved:
            since = newest[person] = max(transaction.now, newest.get(person, -1) + 1)
            rows.append({"facility": facility, "person": person, "since": since, "place": place})
        transaction.put(self._entered, rows)

    def read(self, connection: Connection, facility: str, persons: Iterable[str]) -> dict[str, list[Stay]]:
        """All stays of these persons, the oldest first; a person of whom nothing is known is left out."""
        asked = {"f": facility, "persons": self._store.listed(sorted(set(persons)))}
        found: dict[str, list[Stay]] = {}
        for person, since, place in self._every.tuples(connection, asked):
            found.setdefault(person, []).append((since, place))
        return found


def _moves(before: Head | None, after: Head) -> bool:
    return after.kind == KIND and (before is None or place_of(before) != place_of(after))
