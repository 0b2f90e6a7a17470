"""Who has received a duty: the first complete pull after it was asked, by a terminal of one whom it asks.

Pulls are written down every quarter of a minute (``sync.reading.sightings``), so a receipt is known that much later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from backend.storage import tables
from backend.storage.engine import Store

_P, _S = tables.pulls.c, tables.sessions.c


@dataclass(frozen=True, slots=True)
class Receipt:
    """A terminal was given all of an officer's scope up to a sequence number, at a moment (milliseconds)."""

    terminal: str
    officer: str
    seq: int
    at: int


class Deliveries:
    """Reads receipts of officers who are signed in somewhere."""

    def __init__(self, store: Store) -> None:
        self._store = store
        signed_in = (_S.facility == bindparam("f"), _S.ended_at.is_(None), _S.expires_at > bindparam("now"))
        pairs = select(_S.terminal, _S.officer).where(*signed_in, store.among(_S.officer, "officers")).distinct()
        this = (_P.facility == bindparam("f"), _P.terminal == bindparam("t"), _P.officer == bindparam("o"))
        newest = select(_P.seq, _P.at).where(*this).order_by(_P.seq.desc()).limit(1)
        self._pairs, self._newest = store.prepare(pairs), store.prepare(newest)

    def newest(self, connection: Connection, facility: str, officers: Iterable[str], now: int) -> list[Receipt]:
        """The newest complete pull of each terminal at which one of these officers is signed in."""
        asked = {"f": facility, "now": now, "officers": self._store.listed(sorted(set(officers)))}
        found = []
        for terminal, officer in self._pairs.tuples(connection, asked):
            row = self._newest.first(connection, {"f": facility, "t": terminal, "o": officer})
            if row is not None:
                found.append(Receipt(terminal, officer, row.seq, row.at))
        return found
