"""Who is given what: a scope is a list of partitions.

A patrol or cell officer is given the wards he is assigned to, the places in them and the persons held there now; a
leader, medic, desk, auditor or procurator the whole facility; an administrator and the city's duty no records. Of a
subject he is given those compartments that GIVEN names for his post. A matter (a complaint, say) is given until it is
closed, to all of those posts but the officers who are left out of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, or_, select, text

from backend.domain.posts import FACILITY_POSTS, READERS, WARD_POSTS, Post
from backend.identity.exclusions import MATTER, Exclusions
from backend.identity.officers import Officer
from backend.kernel.kind import Compartment
from backend.storage import tables
from backend.storage.engine import Store

GIVEN: Mapping[tuple[str, Compartment], frozenset[Post]] = {
    ("place", Compartment.BASE): READERS,
    ("person", Compartment.BASE): READERS,
    ("person", Compartment.CASE): frozenset({Post.DISC, Post.LEAD, Post.DIR, Post.INT, Post.PROC, Post.AUD}),
    ("person", Compartment.MEDICAL): frozenset({Post.MED, Post.DIR, Post.PROC, Post.AUD}),
    ("person", Compartment.LOCATION): frozenset({Post.PAT, Post.LEAD, Post.DIR}),
    ("facility", Compartment.BASE): FACILITY_POSTS,
    ("facility", Compartment.ROSTER): READERS,
    ("facility", Compartment.DUTY): READERS,
    ("matter", Compartment.BASE): frozenset({Post.INT, Post.LEAD, Post.DIR, Post.PROC, Post.AUD}),
}
"""Subject and compartment of a partition → the posts that are given it, each as far as the post reaches: ward posts
in the wards they are assigned to, facility posts everywhere."""

_R, _A, _D, _P = tables.records.c, tables.assignments.c, tables.disputes.c, tables.partitions.c
_PRESENT = text("state IN ('held', 'open')")
"""Persons who are held and places that are open; with LODGED it is answered by one index alone."""

CLOSED = "closed"
"""The state of a matter's own record in which nobody is given it any more."""

Ends = Mapping[str, tuple[str, ...]]
"""Subject → how the names of its partitions end that are given: ``/base``, ``/case``."""


def partition(subject: str, record: str, compartment: Compartment = Compartment.BASE) -> str:
    """``place/<id>/base``, ``person/<id>/case``, ``facility/<facility>/base``."""
    return f"{subject}/{record}/{compartment}"


def given(posts: Iterable[str]) -> Ends:
    """What some posts are given of each subject."""
    found: dict[str, tuple[str, ...]] = {}
    for (subject, compartment), to in GIVEN.items():
        if to.intersection(posts):
            found[subject] = (*found.get(subject, ()), f"/{compartment}")
    return found


class Scopes:
    """Reads scopes."""

    def __init__(self, store: Store) -> None:
        lodged = select(_R.kind, _R.id).where(_R.facility == bindparam("f"), tables.LODGED, _PRESENT)
        disputed = (
            select(_R.partition)
            .join(tables.disputes, (_D.facility == _R.facility) & (_D.conflict == _R.id))
            .where(_D.facility == bindparam("f"))
        )
        self._all, self._disputed = store.prepare(lodged), store.prepare(disputed)
        self._mine, self._matters = store.prepare(_below_assignments()), store.prepare(_open_matters())
        self._exclusions = Exclusions(store)

    def read(self, connection: Connection, officer: Officer, now: int) -> list[str]:
        """The partitions of an officer's present scope, sorted."""
        everywhere, wards = FACILITY_POSTS.intersection(officer.posts), WARD_POSTS.intersection(officer.posts)
        found: set[str] = set()
        if everywhere:
            found = self._everywhere(connection, officer.facility, given(everywhere))
        if wards:
            key = {"f": officer.facility, "o": officer.officer, "now": now}
            mine = [*self._mine.tuples(connection, key), ("facility", officer.facility)]
            found |= _named(mine, given(wards))
        if any(name.startswith(MATTER) for name in found):
            found -= self._exclusions.of_officer(connection, officer.facility, officer.officer)
        return sorted(found)

    def _everywhere(self, connection: Connection, facility: str, ends: Ends) -> set[str]:
        """The facility's own, all places, all who are held, what is under dispute though its subject has left, and matters."""
        found = _named(self._all.tuples(connection, {"f": facility}), ends)
        if "matter" in ends:
            found |= {name for (name,) in self._matters.tuples(connection, {"f": facility})}
        found |= _named([("facility", facility)], ends)
        disputed = [name for (name,) in self._disputed.tuples(connection, {"f": facility})]
        return found | {name for name in disputed if name.endswith(ends.get(name.partition("/")[0], ()))}


def _named(subjects: Iterable[tuple[Any, ...]], ends: Ends) -> set[str]:
    return {f"{subject}/{record}{end}" for subject, record in subjects for end in ends.get(subject, ())}


def _open_matters() -> Select[Any]:
    """The partitions of matters whose own record is not closed: ``matter/<record>/base``."""
    own = func.substr(_P.partition, len(MATTER) + 1, 36)
    matters = (_P.facility == bindparam("f"), _P.partition > MATTER, _P.partition < "matter0")
    joined = tables.partitions.join(tables.records, (_R.facility == _P.facility) & (_R.id == own))
    return select(_P.partition).select_from(joined).where(*matters, _R.state != CLOSED)


def _below_assignments() -> Select[Any]:
    """The places that an officer is assigned to now, with all that is in them: (kind, id)."""
    lasting = (
        _A.facility == bindparam("f"),
        _A.officer == bindparam("o"),
        _A.since <= bindparam("now"),
        or_(_A.until.is_(None), _A.until > bindparam("now")),
    )
    wards = (
        select(_R.kind.label("what"), _R.id.label("which"))
        .join(tables.assignments, (_A.facility == _R.facility) & (_A.place == _R.id))
        .where(*lasting, tables.LODGED, _PRESENT)
    )
    level = wards.cte("level", recursive=True)
    inside = (
        select(_R.kind, _R.id)
        .join(level, _R.place == level.c.which)
        .where(_R.facility == bindparam("f"), level.c.what == "place", tables.LODGED, _PRESENT)
    )
    return select(level.union(inside))
