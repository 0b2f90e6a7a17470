"""What is there already, as far as a file speaks of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, select

from backend.identity.officers import Officer, everyone
from backend.kernel.kind import REMOVED, Compartment, Head
from backend.storage import tables

_R, _O, _F = tables.records.c, tables.officers.c, tables.facilities.c


@dataclass(frozen=True, slots=True)
class Known:
    """``places``: the open ones by id. ``persons``, ``officers``: numbers that are taken, also by who has left. ``staff``: who
    serves, by number. ``roster``: open patterns and who is on them. ``lodged``: persons who are held, by id; ``type``: the
    facility's, as far as persons are asked for."""

    places: Mapping[str, Head]
    persons: frozenset[str] = frozenset()
    officers: frozenset[str] = frozenset()
    staff: Mapping[str, Officer] = field(default_factory=dict)
    roster: Mapping[str, Head] = field(default_factory=dict)
    lodged: Mapping[str, Head] = field(default_factory=dict)
    type: str = ""

    def by_code(self) -> dict[str, list[Head]]:
        """Places by their codes, which nothing keeps from being used twice."""
        found: dict[str, list[Head]] = defaultdict(list)
        for head in self.places.values():
            found[head.doc["code"]].append(head)
        return found


def read(
    connection: Connection, facility: str, *, persons: bool = False, officers: bool = False, roster: bool = False
) -> Known:
    """What is there; persons, numbers and rosters only as far as they are asked for."""
    registered = _persons(connection, facility) if persons else []
    return Known(
        _places(connection, facility),
        frozenset(head.doc["number"] for head in registered),
        _officers(connection, facility) if officers else frozenset(),
        _staff(connection, facility) if roster else {},
        _roster(connection, facility) if roster else {},
        {head.id: head for head in registered if head.state == "held"},
        _type(connection, facility) if persons else "",
    )


def _places(connection: Connection, facility: str) -> dict[str, Head]:
    here = (_R.facility == facility, tables.LODGED, _R.kind == "place", _R.state == "open")
    return {row.id: _head(row) for row in connection.execute(select(tables.records).where(*here))}


def _head(row: Any) -> Head:
    said = orjson.loads(row.body)
    return Head(
        row.id, row.kind, row.version, row.seq, row.partition, row.place, row.state, said["terminal"], row.body,
        said["doc"], row.author, row.since,
    )  # fmt: skip


def _persons(connection: Connection, facility: str) -> list[Head]:
    here = (_R.facility == facility, tables.LODGED, _R.kind == "person", _R.state != REMOVED)
    return [_head(row) for row in connection.execute(select(tables.records).where(*here))]


def _type(connection: Connection, facility: str) -> str:
    found: str = connection.execute(select(_F.type).where(_F.facility == facility)).scalar_one()
    return found


def _officers(connection: Connection, facility: str) -> frozenset[str]:
    return frozenset(connection.execute(select(_O.number).where(_O.facility == facility)).scalars())


def _staff(connection: Connection, facility: str) -> dict[str, Officer]:
    return {each.number: each for each, revoked in everyone(connection, facility) if revoked is None}


def _roster(connection: Connection, facility: str) -> dict[str, Head]:
    partition = f"facility/{facility}/{Compartment.ROSTER}"
    kinds = ("shift.pattern", "shift.roster")
    here = (_R.facility == facility, _R.partition == partition, _R.kind.in_(kinds), _R.state == "open")
    return {row.id: _head(row) for row in connection.execute(select(tables.records).where(*here).order_by(_R.seq))}
