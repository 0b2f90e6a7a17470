"""What the hub asks the store: scopes and positions, never for longer than the question."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select

from backend.identity import officers
from backend.identity.exclusions import Exclusions
from backend.identity.officers import Officer
from backend.identity.scopes import Scopes
from backend.identity.terminals import ACTIVE
from backend.storage import tables
from backend.storage.engine import Store
from sync.streaming.stream import Position

Reading = tuple[Position, frozenset[str]]
"""A scope, and the position at which it was read."""
Memo = dict[Any, Reading]
_F, _P, _R = tables.facilities.c, tables.partitions.c, tables.records.c
_A, _S, _O, _T = tables.assignments.c, tables.sessions.c, tables.officers.c, tables.terminals.c
_H = tables.postings.c
_LASTING = (_A.since <= bindparam("now"), or_(_A.until.is_(None), _A.until > bindparam("now")))


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a facility stands. ``assigned`` differs when assignments that last now, or posts, are not those of before."""

    at: Position
    assigned: tuple[int, ...]


class Lookout:
    """Each method is one short read transaction. All raise Problem ``server.busy``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._scopes = Scopes(store)
        self._exclusions = Exclusions(store)
        here = _F.facility == bindparam("f")
        listed = {"officers": store.among(_A.officer, "ids"), "sessions": store.among(_S.session, "ids")}
        alive = (
            select(_S.session, _O.facility, _O.officer, _O.number, _O.name, _O.posts)
            .join(tables.officers, (_O.facility == _S.facility) & (_O.officer == _S.officer))
            .join(tables.terminals, (_T.facility == _S.facility) & (_T.terminal == _S.terminal))
            .where(_S.facility == bindparam("f"), listed["sessions"], _S.ended_at.is_(None))
            .where(_S.expires_at > bindparam("now"), _O.active, _O.revoked_at.is_(None), _T.state == ACTIVE)
        )
        places = select(_A.officer, _A.place).where(_A.facility == bindparam("f"), listed["officers"], *_LASTING)
        mark = select(func.count(), func.coalesce(func.max(_A.since), 0)).where(_A.facility == bindparam("f"))
        self._alive, self._places, self._mark = map(store.prepare, (alive, places, mark.where(*_LASTING)))
        posted = select(func.coalesce(func.max(_H.since), 0)).where(_H.facility == bindparam("f"))
        self._posted = store.prepare(posted)
        self._position = store.prepare(select(_F.epoch, _F.seq).where(here))
        self._everywhere = store.prepare(select(_F.facility, _F.epoch, _F.seq))
        touched = select(_P.partition, _P.seq).where(_P.facility == bindparam("f"), _P.seq > bindparam("after"))
        moved = select(func.max(_R.seq)).where(_R.facility == bindparam("f"), store.among(_R.id, "ids"))
        rows = select(_R.partition, _R.body).where(_R.facility == bindparam("f"), store.among(_R.id, "ids"))
        self._touched, self._moved, self._rows = map(store.prepare, (touched, moved, rows.order_by(_R.seq)))

    def enter(self, officer: Officer, now: int) -> Reading:
        """An officer's scope as it stands."""
        with self._store.reading() as connection:
            at = self._at(connection, officer.facility)
            return at, frozenset(self._scopes.read(connection, officer, now))

    def again(
        self, facility: str, sessions: Iterable[str], now: int, memo: Memo, least: Position
    ) -> dict[str, Reading]:
        """The scopes of sessions that are still good; the others are left out.

        A scope follows from posts and assignments, so that one reading serves all who have the same and are left out of
        nothing: ``memo``, whose readings are good if they are not older than ``least``.
        """
        with self._store.reading() as connection:
            at = self._at(connection, facility)
            key = {"f": facility, "ids": self._store.listed(sessions), "now": now}
            alive = {row.session: officers.of_row(row) for row in self._alive.all(connection, key)}
            key["ids"] = self._store.listed({officer.officer for officer in alive.values()})
            places: dict[str, set[str]] = {}
            for officer, place in self._places.tuples(connection, key):
                places.setdefault(officer, set()).add(place)
            found, apart = {}, self._exclusions.officers(connection, facility)
            for session, officer in alive.items():
                alone = officer.officer if officer.officer in apart else ""
                same = (officer.posts, frozenset(places.get(officer.officer, ())), alone)
                if same not in memo or memo[same][0] < least:
                    scope = frozenset(self._scopes.read(connection, officer, now))
                    memo[same] = (at, scope)
                found[session] = memo[same]
        return found

    def stands(self, now: int) -> dict[str, Stand]:
        """Where each facility stands."""
        with self._store.reading() as connection:
            found = {}
            for facility, epoch, seq in self._everywhere.tuples(connection, {}):
                assigned = self._mark.tuples(connection, {"f": facility, "now": now})[0]
                posted = self._posted.tuples(connection, {"f": facility})[0]
                found[facility] = Stand((epoch, seq), (*assigned, *posted))
        return found

    def touched(self, facility: str, after: int) -> dict[str, int]:
        """Partitions that have something newer than a sequence number, with their newest."""
        with self._store.reading() as connection:
            rows = self._touched.tuples(connection, {"f": facility, "after": after})
        return dict(rows)

    def moved(self, facility: str, subjects: Iterable[str]) -> Position:
        """When the newest of these persons' and places' own records was written."""
        with self._store.reading() as connection:
            epoch, _ = self._at(connection, facility)
            rows = self._moved.tuples(connection, {"f": facility, "ids": self._store.listed(subjects)})
        return epoch, rows[0][0] or 0

    def rows(self, facility: str, records: Iterable[str]) -> list[tuple[str, bytes]]:
        """Partition and present row of records, as they are sent."""
        with self._store.reading() as connection:
            rows = self._rows.tuples(connection, {"f": facility, "ids": self._store.listed(records)})
        return [(partition, bytes(body)) for partition, body in rows]

    def _at(self, connection: Connection, facility: str) -> Position:
        row = self._position.first(connection, {"f": facility})
        return (0, 0) if row is None else (row.epoch, row.seq)

    def close(self) -> None:
        """Gives the idle connections back; the next question opens others."""
        self._store.engine.dispose()
