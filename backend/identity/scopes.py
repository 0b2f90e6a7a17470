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
_ALL = select(_R.kind, _R.id).where(_R.facility == bindparam("f"), tables.LODGED, _PRESENT)
_MINE = select(_A.place).where(
    _A.facility == bindparam("f"),
    _A.officer == bindparam("o"),
    _A.since <= bindparam("now"),
    or_(_A.until.is_(None), _A.until > bindparam("now")),
)


def partition(subject: str, record: str, compartment: Compartment = Compartment.BASE) -> str:
    """``place/<id>/base`` or ``person/<id>/base``."""
    return f"{subject}/{record}/{compartment}"


def of(connection: Connection, store: Store, officer: Officer, now: int) -> list[str]:
    """The partitions of an officer's present scope, sorted."""
    posts = set(officer.posts)
    if posts & FACILITY_POSTS:
        rows = connection.execute(_ALL, {"f": officer.facility})
        return sorted(partition(row.kind, row.id) for row in rows)
    if not posts & WARD_POSTS:
        return []
    key = {"f": officer.facility, "o": officer.officer, "now": now}
    level = [row.place for row in connection.execute(_MINE, key)]
    found = {partition("place", place) for place in level}
    below = select(_R.kind, _R.id).where(
        _R.facility == bindparam("f"), tables.LODGED, _PRESENT, store.among(_R.place, "level")
    )
    while level:
        rows = connection.execute(below, {"f": officer.facility, "level": store.listed(level)})
        fresh = {name: row for row in rows if (name := partition(row.kind, row.id)) not in found}
        found |= fresh.keys()
        level = [row.id for row in fresh.values() if row.kind == "place"]
    return sorted(found)
