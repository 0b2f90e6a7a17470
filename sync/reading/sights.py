"""What an officer is given of his facility at one moment: his scope, and how far each partition of it has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from backend.domain.posts import WARD_POSTS
from backend.identity.exclusions import Exclusions
from backend.identity.officers import Officer
from backend.identity.scopes import Scopes
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.engine import Store

_A, _P, _F = tables.assignments.c, tables.partitions.c, tables.facilities.c
_MOST_REMEMBERED = 256
_NEVER = 2**62


class Kept(NamedTuple):
    """A partition: its newest number, the records that it has and ever had, their digest, its low-water mark."""

    seq: int = 0
    present: int = 0
    ever: int = 0
    digest: bytes | None = None
    floor: int = 0


EMPTY = Kept()
"""A partition in which there never was a record."""


@dataclass(frozen=True, slots=True)
class Sight:
    """``partitions``: the officer's scope, in order; ``filled``: those in which there ever was a record.

    ``at``: the facility's newest sequence number.
    """

    facility: str
    epoch: int
    at: int
    head: str
    partitions: Mapping[str, Kept]
    filled: Sequence[tuple[str, Kept]]

    def one(self, partition: str) -> Kept:
        """A partition of the scope. Raises Problem ``partition.forbidden``."""
        found = self.partitions.get(partition)
        if found is None:
            raise Problem("partition.forbidden", "partition")
        return found


class Sights:
    """Reads sights, and remembers them for as long as the facility's signed head is the same.

    Whatever is written leaves a leaf, and with it another head; so the same head is the same facility, until an assignment
    begins or ends that was given beforehand.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._scopes = Scopes(store)
        self._exclusions = Exclusions(store)
        self._apart: dict[str, tuple[str, frozenset[str]]] = {}
        here: Any = bindparam("f")
        self._facility = store.prepare(select(_F.epoch, _F.seq, _F.head).where(_F.facility == here))
        kept = select(_P.partition, _P.seq, _P.present, _P.count, _P.digest, _P.floor)
        self._kept = store.prepare(kept.where(_P.facility == here, store.among(_P.partition, "names")))
        mine = (_A.facility == here, _A.officer == bindparam("o"))
        begins = select(func.min(_A.since)).where(*mine, _A.since > bindparam("now"))
        ends = select(func.min(_A.until)).where(*mine, _A.until > bindparam("now"))
        self._turns = store.prepare(select(begins.scalar_subquery(), ends.scalar_subquery()))
        self._remembered: dict[tuple[str, ...], tuple[range, Sight]] = {}

    def read(self, connection: Connection, officer: Officer, now: int) -> Sight:
        """What this officer is given, in the view of this connection."""
        epoch, at, head = self._facility.tuples(connection, {"f": officer.facility})[0]
        in_wards = not WARD_POSTS.isdisjoint(officer.posts)
        alone = in_wards or officer.officer in self._left_out(connection, officer.facility, head)
        key = (officer.facility, officer.officer if alone else "", *officer.posts)
        good, known = self._remembered.get(key, (range(0), None))
        if known is not None and known.head == head and now in good:
            return known
        names = self._scopes.read(connection, officer, now)
        asked = {"f": officer.facility, "names": self._store.listed(names)}
        kept = {name: Kept(*rest) for name, *rest in self._kept.tuples(connection, asked)}
        filled = [(name, kept[name]) for name in names if name in kept]
        made = Sight(officer.facility, epoch, at, head, {name: kept.get(name, EMPTY) for name in names}, filled)
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = (range(now, self._turn(connection, officer, now) if in_wards else _NEVER), made)
        return made

    def _left_out(self, connection: Connection, facility: str, head: str) -> frozenset[str]:
        """Officers who are left out of something: each of them has a scope of his own. Remembered for a head, like sights."""
        known = self._apart.get(facility)
        if known is None or known[0] != head:
            known = self._apart[facility] = (head, self._exclusions.officers(connection, facility))
        return known[1]

    def _turn(self, connection: Connection, officer: Officer, now: int) -> int:
        """When the next of an officer's assignments begins or ends by itself."""
        asked = {"f": officer.facility, "o": officer.officer, "now": now}
        return min(
            (moment for moment in self._turns.tuples(connection, asked)[0] if moment is not None), default=_NEVER
        )
