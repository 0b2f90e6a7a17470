"""Who is given what: a scope is a list of partitions.

A patrol or cell officer is given the wards he is assigned to, the places in them and the persons held there now; a
leader, medic, desk, auditor or procurator the whole facility; an administrator no records at all.
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, or_, select, text

from backend.domain.posts import FACILITY_POSTS, WARD_POSTS
from backend.identity.officers import Officer
from backend.kernel.kind import Compartment
from backend.storage import tables
from backend.storage.engine import Store

_R, _A = tables.records.c, tables.assignments.c
_PRESENT = text("state IN ('held', 'open')")
"""Persons who are held and places that are open; with LODGED it is answered by one index alone."""


def partition(subject: str, record: str, compartment: Compartment = Compartment.BASE) -> str:
    """``place/<id>/base`` or ``person/<id>/base``."""
    return f"{subject}/{record}/{compartment}"


class Scopes:
    """Reads scopes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        here = _R.facility == bindparam("f")
        lodged = select(_R.kind, _R.id).where(here, tables.LODGED, _PRESENT)
        mine = select(_A.place).where(
            _A.facility == bindparam("f"),
            _A.officer == bindparam("o"),
            _A.since <= bindparam("now"),
            or_(_A.until.is_(None), _A.until > bindparam("now")),
        )
        self._all = store.prepare(lodged)
        self._below = store.prepare(lodged.where(store.among(_R.place, "level")))
        self._mine = store.prepare(mine)

    def read(self, connection: Connection, officer: Officer, now: int) -> list[str]:
        """The partitions of an officer's present scope, sorted."""
        posts = set(officer.posts)
        if posts & FACILITY_POSTS:
            rows = self._all.tuples(connection, {"f": officer.facility})
            return sorted([f"{kind}/{record}/{Compartment.BASE}" for kind, record in rows])
        if not posts & WARD_POSTS:
            return []
        key = {"f": officer.facility, "o": officer.officer, "now": now}
        return self._from_wards(connection, officer.facility, [row.place for row in self._mine.all(connection, key)])

    def _from_wards(self, connection: Connection, facility: str, level: list[str]) -> list[str]:
        found = {partition("place", place) for place in level}
        while level:
            rows = self._below.all(connection, {"f": facility, "level": self._store.listed(level)})
            fresh = {name: row for row in rows if (name := partition(row.kind, row.id)) not in found}
            found |= fresh.keys()
            level = [row.id for row in fresh.values() if row.kind == "place"]
        return sorted(found)
