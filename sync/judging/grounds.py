"""Reads the ground on which authority is judged: assignments, and where places and persons lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, bindparam, select

from backend.domain.posts import WARD_POSTS
from backend.facts.stays import Stays
from backend.identity.assignments import Assignments
from backend.identity.exclusions import Exclusions
from backend.identity.postings import Posting, Postings
from backend.identity.sessions import Session
from backend.kernel.kind import Head
from backend.storage import tables
from backend.storage.engine import Store
from sync.judging.authority import Ground, bound

_R = tables.records.c


def _bound(posting: Posting) -> bool:
    return WARD_POSTS.issuperset(posting.posts)


class Grounds:
    """Reads as little as the officers concerned make necessary: of one whose scope is the whole facility, nothing.

    What a place lies in is remembered: it never changes, not even when the place is removed.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._assignments = Assignments(store)
        self._postings = Postings(store)
        self._stays = Stays(store)
        self._exclusions = Exclusions(store)
        self._parents: dict[str, dict[str, str | None]] = defaultdict(dict)
        here = (_R.facility == bindparam("f"), _R.kind == "place", store.among(_R.id, "ids"))
        self._places = store.prepare(select(_R.id, _R.place).where(*here))

    def read(
        self,
        connection: Connection,
        facility: str,
        sessions: Collection[Session],
        heads: Mapping[str, Head],
        named: Iterable[str],
    ) -> Ground:
        """``named``: further ids of places, or of what may be places, that a judgement will ask about."""
        ground = Ground(revoked={s.officer.officer: s.revoked_at for s in sessions if s.revoked_at is not None})
        ground.excluded |= self._exclusions.of_partitions(connection, facility, (h.partition for h in heads.values()))
        officers = {session.officer.officer for session in sessions if bound(session)}
        if moved := {session.officer.officer for session in sessions if session.posted_at}:
            ground.postings = self._postings.read(connection, facility, moved)
            officers |= {officer for officer, each in ground.postings.items() if any(_bound(then) for then in each)}
        if not officers:
            return ground
        ground.assignments = self._assignments.read(connection, facility, officers)
        ground.parents = {head.id: head.place for head in heads.values() if head.kind == "place"}
        places = set(named)
        persons = set()
        for head in heads.values():
            subject, record, _ = head.partition.split("/")
            if subject == "person":
                persons.add(record)
            elif subject == "place" and head.kind != "place":
                places.add(record)
        if persons:
            ground.stays = self._stays.read(connection, facility, persons)
            places |= {place for stays in ground.stays.values() for _, place in stays if place}
        self._complete(connection, facility, ground, places)
        return ground

    def _complete(self, connection: Connection, facility: str, ground: Ground, places: set[str]) -> None:
        """Looks up the places that are not known yet, and what they lie in. Ids of other things find nothing."""
        asked: set[str] = set()
        remembered = self._parents[facility]
        while places := places - ground.parents.keys() - asked:
            if known := {place: remembered[place] for place in places if place in remembered}:
                ground.parents |= known
                places = (places - known.keys()) | {above for above in known.values() if above}
                continue
            found = dict(self._places.tuples(connection, {"f": facility, "ids": self._store.listed(sorted(places))}))
            ground.parents |= found
            remembered |= found
            asked |= places
            places = {above for above in found.values() if above}
