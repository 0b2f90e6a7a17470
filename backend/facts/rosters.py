"""The roster of a facility as it stands: who is on duty, and when its shifts change.

It is read from the records of one partition, those alone that have changed since the last time; stints follow from it in
``backend.domain.shifts``.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, select

from backend.domain.posts import Post
from backend.domain.shift_words import (
    AWAY,
    SWAPPED,
    acting_of,
    calendar_of,
    leave_of,
    pattern_of,
    row_of,
    swap_of,
)  # fmt: skip
from backend.domain.shifts import Holder, Plan, Roster
from backend.facts.occupancy import NEVER
from backend.kernel.kind import REMOVED, Compartment
from backend.storage import tables
from backend.storage.engine import Store

_NEVER_ON_DUTY = frozenset({Post.SYS, Post.ADM, Post.AUD})
_R, _P, _O, _A = tables.records.c, tables.partitions.c, tables.officers.c, tables.assignments.c
_N = tables.postings.c


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record of the roster. ``seq``: when it last changed."""

    kind: str
    state: str
    seq: int
    doc: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Staff:
    """Who may be on duty; officer and post → when he held it; officer → when he was revoked."""

    holders: tuple[Holder, ...] = ()
    posted: Mapping[tuple[str, str], tuple[tuple[int, int], ...]] = field(default_factory=dict)
    gone: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A roster as it was read, and what it rests on."""

    seq: int = 0
    entries: Mapping[str, _Entry] = field(default_factory=dict)
    above: Mapping[str, str | None] = field(default_factory=dict)
    staff: _Staff = _Staff()
    roster: Roster = field(default_factory=lambda: Roster(Plan(), {}))


class Rosters:
    """Reads rosters; what has not changed is neither read nor worked out again. Shared by threads."""

    def __init__(self, store: Store) -> None:
        here, there = _R.facility == bindparam("f"), _R.partition == bindparam("p")
        self._newest = store.prepare(
            select(_P.seq).where(_P.facility == bindparam("f"), _P.partition == bindparam("p"))
        )
        changed = select(_R.id, _R.kind, _R.state, _R.seq, _R.body).where(here, there, _R.seq > bindparam("after"))
        self._changed = store.prepare(changed.order_by(_R.seq))
        self._places = store.prepare(select(_R.id, _R.place).where(here, tables.LODGED, _R.kind == "place"))
        everyone = select(_O.officer, _O.posts, _O.revoked_at).where(_O.facility == bindparam("f"))
        self._officers = store.prepare(everyone.order_by(_O.officer))
        assigned = select(_A.officer, _A.place, _A.since, _A.until).where(_A.facility == bindparam("f"))
        self._assigned = store.prepare(assigned.order_by(_A.officer, _A.since, _A.place))
        posted = select(_N.officer, _N.since, _N.posts).where(_N.facility == bindparam("f"))
        self._posted = store.prepare(posted.order_by(_N.officer, _N.since.desc()))
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def read(self, connection: Connection, facility: str) -> Roster:
        """The roster by which a facility serves. It answers for every moment (``backend.domain.shifts.Roster``).

        ``connection``: one of a reading view; what a writing one has not committed would be kept though it fails.
        """
        partition = f"facility/{facility}/{Compartment.ROSTER}"
        newest = next((seq for (seq,) in self._newest.tuples(connection, {"f": facility, "p": partition})), 0)
        kept = self._kept.get(facility, _Kept())
        if newest < kept.seq:  # an older view than another thread's
            kept = _Kept()
        asked = {"f": facility, "p": partition, "after": kept.seq}
        entries = kept.entries if newest == kept.seq else _merged(kept, self._changed.tuples(connection, asked))
        above = dict(self._places.tuples(connection, {"f": facility}))
        staff = self._staff(connection, facility)
        if entries is kept.entries and above == kept.above and staff == kept.staff:
            return kept.roster
        found = _Kept(newest, entries, above, staff, Roster(_plan(entries, staff), above))
        with self._lock:
            if newest >= self._kept.get(facility, _Kept()).seq:
                self._kept[facility] = found
        return found.roster

    def _staff(self, connection: Connection, facility: str) -> _Staff:
        wards: dict[str, list[tuple[str, int, int | None]]] = defaultdict(list)
        for officer, place, since, until in self._assigned.tuples(connection, {"f": facility}):
            wards[officer].append((place, since, until))
        holders, gone = [], {}
        for officer, posts, revoked in self._officers.tuples(connection, {"f": facility}):
            serving = tuple(post for post in posts.split() if post not in _NEVER_ON_DUTY)
            if serving:
                holders.append(Holder(officer, serving, tuple(wards[officer])))
            if revoked is not None:
                gone[officer] = revoked
        return _Staff(tuple(holders), _held(self._posted.tuples(connection, {"f": facility})), gone)


def _held(postings: Any) -> dict[tuple[str, str], tuple[tuple[int, int], ...]]:
    """When each officer held each post. ``postings``: officer, since when, posts; each officer's last one first."""
    found: dict[tuple[str, str], tuple[tuple[int, int], ...]] = {}
    ends: dict[str, int] = {}
    for officer, since, posts in postings:
        for post in posts.split():
            found[officer, post] = ((since, ends.get(officer, NEVER)), *found.get((officer, post), ()))
        ends[officer] = since
    return found


def _merged(kept: _Kept, changed: Any) -> Mapping[str, _Entry]:
    entries = dict(kept.entries)
    for record, kind, state, seq, body in changed:
        if state == REMOVED:
            entries.pop(record, None)
        else:
            entries[record] = _Entry(kind, state, seq, orjson.loads(body)["doc"])
    return entries


def _plan(entries: Mapping[str, _Entry], staff: _Staff) -> Plan:
    of: dict[str, list[tuple[str, _Entry]]] = defaultdict(list)
    for record, entry in sorted(entries.items(), key=lambda item: item[1].seq):
        of[entry.kind].append((record, entry))
    return Plan(
        {record: pattern_of(record, each.doc) for record, each in of["shift.pattern"]},
        tuple(row_of(record, each.doc) for record, each in of["shift.roster"] if each.state == "open"),
        tuple(swap_of(record, each.seq, each.doc) for record, each in of["shift.swap"] if each.state in SWAPPED),
        tuple(leave_of(record, each.doc) for record, each in of["shift.leave"] if each.state in AWAY),
        tuple(acting_of(record, each.doc) for record, each in of["shift.acting"]),
        staff.holders,
        staff.posted,
        staff.gone,
        calendar_of({each.doc["day"]: each.doc["sort"] for _, each in of["calendar.day"]}),
    )
