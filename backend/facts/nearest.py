"""Who on duty is nearest to a place: by the tag that each scanned last on a round.

Where an officer is, nobody follows. A scan tells where he was; one older than STALE tells nothing any more. Both the order
and that time are local defaults, not law.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, select

from backend.domain.shifts import Stint
from backend.facts.rosters import Rosters
from backend.kernel.clock import from_text
from backend.kernel.kind import REMOVED
from backend.storage import tables
from backend.storage.engine import Store

STALE = 60 * 60_000
"""Milliseconds after which a scan says nothing of where somebody is."""
_RECENT = 20_000
"""Of how many last changes in the facility scans are looked for when nothing is known yet: more than an hour's."""
SAME_PLACE, SAME_WARD, OTHER_WARD, UNKNOWN = range(4)
_R, _P, _F = tables.records.c, tables.partitions.c, tables.facilities.c


@dataclass(frozen=True, slots=True)
class Scan:
    """A tag was read at a place."""

    at: int
    place: str


@dataclass(frozen=True, slots=True)
class Near:
    """An officer on duty and how far he is. ``rank``: SAME_PLACE, SAME_WARD, OTHER_WARD or UNKNOWN; ``steps``: in one ward,
    by how many places on the walk; ``scan``: what that rests on, None where nothing is known."""

    stint: Stint
    rank: int
    steps: int
    scan: Scan | None

    def order(self) -> tuple[int, int, int, str]:
        return self.rank, self.steps, -self.scan.at if self.scan else 0, self.stint.officer


@dataclass(frozen=True, slots=True)
class Site:
    """A place: what it lies in, and its order on the walk."""

    parent: str | None
    position: int


def ordered(
    stints: Iterable[Stint], scans: Mapping[str, Scan], sites: Mapping[str, Site], place: str, at: int
) -> list[Near]:
    """Officers on duty, the nearest to a place first. Pure."""
    found: dict[str, Near] = {}
    for stint in stints:
        scan = scans.get(stint.officer)
        known = scan if scan is not None and at - STALE <= scan.at and scan.place in sites else None
        near = Near(stint, *_distance(sites, place, known), known)
        found.setdefault(stint.officer, near)
    return sorted(found.values(), key=Near.order)


def _distance(sites: Mapping[str, Site], place: str, scan: Scan | None) -> tuple[int, int]:
    if scan is None or place not in sites:
        return UNKNOWN, 0
    if scan.place == place:
        return SAME_PLACE, 0
    here, there = sites[place], sites[scan.place]
    if (here.parent or place) != (there.parent or scan.place):
        return OTHER_WARD, 0
    return SAME_WARD, abs(here.position - there.position) if here.parent and there.parent else 0


@dataclass(slots=True)
class _Seen:
    """What is known of a facility up to a sequence number: each officer's last scan."""

    seq: int
    scans: dict[str, Scan] = field(default_factory=dict)


class Nearest:
    """Answers who is nearest. Keeps each officer's last scan, so that only what is new is read. Shared by threads."""

    def __init__(self, store: Store, rosters: Rosters) -> None:
        self._rosters = rosters
        here = _R.facility == bindparam("f")
        news = (
            select(_R.place, _R.body)
            .join(tables.partitions, (_P.facility == _R.facility) & (_P.partition == _R.partition))
            .where(here, _P.seq > bindparam("after"), _P.partition >= "place/", _P.partition < "place0")
            .where(_R.seq > bindparam("after"), _R.kind == "patrol.visit")
        )
        self._news = store.prepare(news)
        self._seq = store.prepare(select(_F.seq).where(_F.facility == bindparam("f")))
        places = select(_R.id, _R.place, _R.body).where(here, tables.LODGED, _R.kind == "place", _R.state != REMOVED)
        self._places = store.prepare(places)
        self._seen: dict[str, _Seen] = {}
        self._lock = threading.Lock()

    def read(self, connection: Connection, facility: str, at: int, posts: Iterable[str], place: str) -> list[Near]:
        """Officers who serve one of the posts at a moment (none named: any), the nearest to a place first."""
        on_duty = self._rosters.read(connection, facility).on_duty(at, posts)
        return ordered(on_duty, self._scans(connection, facility), self._sites(connection, facility), place, at)

    def _sites(self, connection: Connection, facility: str) -> dict[str, Site]:
        rows = self._places.tuples(connection, {"f": facility})
        return {record: Site(parent, orjson.loads(body)["doc"]["position"]) for record, parent, body in rows}

    def _scans(self, connection: Connection, facility: str) -> dict[str, Scan]:
        newest = next((seq for (seq,) in self._seq.tuples(connection, {"f": facility})), 0)
        with self._lock:
            seen = self._seen.setdefault(facility, _Seen(max(0, newest - _RECENT)))
            for place, body in self._news.tuples(connection, {"f": facility, "after": seen.seq}):
                row = orjson.loads(body)
                if row["doc"]["tag"] is not None:
                    _keep(seen.scans, row, place)
            seen.seq = max(seen.seq, newest)
            return dict(seen.scans)


def _keep(scans: dict[str, Scan], row: Mapping[str, Any], place: str) -> None:
    """The later one stands. A device whose clock is ahead says nothing later than the server heard."""
    at = min(from_text(row["observed_at"]), from_text(row["received_at"]))
    officer = row["author"]["officer"]
    if officer not in scans or scans[officer].at <= at:
        scans[officer] = Scan(at, place)
