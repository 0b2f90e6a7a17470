"""The server's side: the tables, read with plain SQL while nobody writes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import Any

TABLES = {
    "facilities": "facility, server, epoch, seq, size, head",
    "leaves": "epoch, position, body",
    "tree_heads": "epoch, size, root",
    "terminals": "terminal, thumbprint, state, incarnation, last_n",
    "incarnations": "terminal, incarnation, thumbprint",
    "forks": "terminal, incarnation, n, hash, raw",
    "officers": "officer, number, posts, active, revoked_at",
    "assignments": "officer, place, since, until",
    "sessions": "session, officer, terminal, started_at, expires_at, ended_at",
    "operations": "terminal, incarnation, n, op, status, hash, raw, outcome, leaf, received_at, epoch",
    "holds": "terminal, incarnation, n, receipt, epoch, leaf, received_at, deadline, settled_at",
    "waits": "needs, terminal, incarnation, n",
    "disputes": "record, conflict",
    "records": "id, kind, version, seq, partition, place, state, terminal, body",
    "versions": "id, version, body",
    "witnesses": "epoch, size, source",
    "partitions": "partition, seq, count, present, digest",
}
Row = Any
MOST_CANDIDATES = 500


@dataclass
class Store:
    """Every row of the tables that matter; binary columns are bytes."""

    rows: dict[str, list[Row]] = field(default_factory=dict)

    def __getitem__(self, table: str) -> list[Row]:
        return self.rows[table]

    @cached_property
    def facility(self) -> Row:
        return self["facilities"][0]

    @cached_property
    def by_place(self) -> dict[tuple[str, int, int], Row]:
        """Operations by terminal, incarnation and number."""
        return {(row.terminal, row.incarnation, row.n): row for row in self["operations"]}

    @cached_property
    def by_op(self) -> dict[str, Row]:
        """Operations by their id; a repeat has none."""
        return {row.op: row for row in self["operations"] if row.op is not None}

    @cached_property
    def held_places(self) -> set[tuple[str, int, int]]:
        """What is, or was, in custody."""
        return {(row.terminal, row.incarnation, row.n) for row in self["holds"]}

    @cached_property
    def receipts(self) -> set[tuple[str, int, int, bytes]]:
        """Receipts by the place of their operation."""
        return {(row.terminal, row.incarnation, row.n, row.receipt) for row in self["holds"]}

    @cached_property
    def waits_of(self) -> dict[tuple[str, int, int], set[str]]:
        """What each held operation still waits for."""
        found: dict[tuple[str, int, int], set[str]] = {}
        for row in self["waits"]:
            found.setdefault((row.terminal, row.incarnation, row.n), set()).add(row.needs)
        return found

    @cached_property
    def bodies(self) -> dict[tuple[str, int], Version]:
        """Every version of every record."""
        found = {}
        for table in ("versions", "records"):
            for row in self[table]:
                found[row.id, row.version] = Version(row.body, json.loads(row.body))
        return found

    @cached_property
    def versions_of(self) -> dict[str, list[Version]]:
        """Record → its versions in order."""
        found: dict[str, list[Version]] = {}
        for (record, _), version in sorted(self.bodies.items()):
            found.setdefault(record, []).append(version)
        return found

    @cached_property
    def crowded(self) -> set[str]:
        """Records that have had a dispute with as many candidates as there may be."""
        disputes = [each[-1].said["doc"] for each in self.versions_of.values() if each[-1].said["kind"] == "conflict"]
        return {doc["record"] for doc in disputes if len(doc["candidates"]) >= MOST_CANDIDATES}

    @cached_property
    def in_order(self) -> list[Row]:
        """Operations with a final outcome in the order of their leaves; those in custody are left out."""
        done = [row for row in self["operations"] if row.status != "held"]
        return sorted(done, key=lambda row: (row.epoch, row.leaf))


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a record: its bytes, and what they say."""

    raw: bytes
    said: dict[str, Any]


def read(place: str, facility: str) -> Store:
    """Reads a store: the path of a SQLite file, or a libpq URL."""
    if place.startswith("postgresql://"):
        import psycopg

        with psycopg.connect(place) as connection:
            return Store(
                {name: _rows(connection.execute, name, columns, facility, "%s") for name, columns in TABLES.items()}
            )
    file = sqlite3.connect(f"file:{place}?mode=ro", uri=True)
    try:
        return Store({name: _rows(file.execute, name, columns, facility, "?") for name, columns in TABLES.items()})
    finally:
        file.close()


def _rows(execute: Any, table: str, columns: str, facility: str, mark: str) -> list[Row]:
    names = columns.split(", ")
    found: Iterable[tuple[Any, ...]] = execute(
        f"SELECT {columns} FROM {table} WHERE facility = {mark}",
        (facility,),  # noqa: S608 - our own words
    )
    return [SimpleNamespace(**dict(zip(names, map(_plain, row), strict=True))) for row in found]


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
