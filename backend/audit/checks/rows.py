"""Records: every version is what a leaf says, and all that is kept beside the versions follows from them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import select

from backend.audit.checks.base import Broken, View, paired
from backend.audit.checks.told import Told
from backend.kernel.clock import from_text
from backend.kernel.ids import HASH_BYTES, b64, sha256
from backend.kernel.kind import REMOVED
from backend.storage import tables

_R, _V, _P, _Y, _D, _E = (
    tables.records.c, tables.versions.c, tables.partitions.c, tables.stays.c, tables.disputes.c, tables.exclusions.c
)  # fmt: skip
_FILED = ("id", "kind", "version", "seq", "partition", "state")
_LODGED = {"person": "cell", "place": "parent"}
"""The field by which a record of a kind is filed under a place, where something is decided by it."""
_OPEN = frozenset({"open", "routed"})
_RELEASED = "escrow.released"
Stay = tuple[int, str | None]


class Body(NamedTuple):
    """A version as it is stored; ``filed`` is the row of ``records`` if it is the present one."""

    id: str
    version: int
    body: bytes
    filed: Any


@dataclass(slots=True)
class _Partition:
    seq: int = 0
    count: int = 0
    present: int = 0
    total: int = 0


class Records:
    """One walk over all versions, record by record. Raises Broken at the first thing that is wrong."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._partitions: dict[str, _Partition] = {}
        self._disputes: dict[str, str] = {}
        self._excluded: set[tuple[str, str]] = set()
        self._stays = _Stays(view)
        self._owner = ""
        self._run: tuple[str | None, int] = (None, 0)
        self._before: tuple[str, int] = ("", 0)
        self._seq = 0

    def check(self, told: Told) -> int:
        """The number of versions."""
        count = 0
        for found, said in paired(_bodies(self._view), told.versions(), lambda each: each[:2], lambda leaf: leaf.key):
            if found is None:
                assert said is not None
                raise Broken(self._surplus(said.record, said.version))
            if said is None:
                raise Broken(f"version {found.version} of record {found.id} has no leaf")
            if said.digest != b64(sha256(found.body)):
                raise Broken(f"version {found.version} of record {found.id} differs from its leaf")
            self._take(found)
            count += 1
        self._stays.finish()
        self._check_partitions()
        self._check_disputes()
        self._check_exclusions()
        if self._seq != self._view.state.seq:
            raise Broken(f"the newest version is number {self._seq}, the facility speaks of {self._view.state.seq}")
        return count

    def _surplus(self, record: str, version: int) -> str:
        if (record, version) == self._before:
            return f"version {version} of record {record} has two leaves"
        return f"version {version} of record {record} has a leaf but is no longer there"

    def _take(self, found: Body) -> None:
        said = orjson.loads(found.body)
        first = found.id != self._before[0]
        if found.version != (1 if first else self._before[1] + 1):
            raise Broken(f"version {found.version} of record {found.id} does not follow the one before it")
        self._before = (found.id, found.version)
        if first:
            self._owner, self._run = said["terminal"], (None, 0)
        author = _author(said)
        if author != self._run[0]:
            self._run = (author, found.version)
        self._seq = max(self._seq, said["seq"])
        if said["kind"] == "person":
            self._stays.take(said, first)
        if found.filed is not None:
            self._file(found, said)

    def _file(self, found: Body, said: dict[str, Any]) -> None:
        """A record is filed under what its own bytes say: its partition alone decides who is given it."""
        row, doc = found.filed, said["doc"]
        right = all(said[name] == getattr(row, name) for name in _FILED) and row.terminal == self._owner
        right = right and (row.author, row.since) == self._run
        if doc is not None and said["kind"] in _LODGED:
            right = right and doc[_LODGED[said["kind"]]] == row.place
        if not right:
            raise Broken(f"record {found.id} is filed under other columns than its bytes say")
        partition = self._partitions.setdefault(said["partition"], _Partition())
        partition.seq = max(partition.seq, said["seq"])
        partition.count += 1
        if said["state"] != REMOVED:
            partition.present += 1
            partition.total += _term(found)
        if said["kind"] == "conflict" and said["state"] in _OPEN:
            self._disputes[doc["record"]] = found.id
        if said["partition"] == f"matter/{found.id}/base" and doc is not None:
            self._excluded |= {(said["partition"], officer) for officer in doc["against"]}

    def _check_partitions(self) -> None:
        statement = select(tables.partitions).where(_P.facility == self._view.facility)
        rows = {row.partition: row for row in self._view.connection.execute(statement)}
        for name in sorted(rows.keys() | self._partitions.keys()):
            row, found = rows.get(name), self._partitions.get(name)
            if row is None or found is None:
                raise Broken(f"partition {name} is {'missing' if row is None else 'of no record'}")
            digest = (found.total % (1 << 8 * HASH_BYTES)).to_bytes(HASH_BYTES, "big")
            # A partition of which nothing was ever in the digest may have none.
            kept = row.digest if row.digest is not None or found.total else digest
            if (row.seq, row._mapping["count"], row.present, kept) != (found.seq, found.count, found.present, digest):
                raise Broken(f"partition {name} is not the sum of its records")
            if not 0 <= row.floor <= row.seq:
                raise Broken(f"partition {name} has a low-water mark beyond its newest record")

    def _check_disputes(self) -> None:
        statement = select(_D.record, _D.conflict).where(_D.facility == self._view.facility)
        rows = {row.record: row.conflict for row in self._view.connection.execute(statement)}
        for record in sorted(rows.keys() | self._disputes.keys()):
            if rows.get(record) != self._disputes.get(record):
                raise Broken(f"the dispute over record {record} is not its open conflict")

    def _check_exclusions(self) -> None:
        """Whoever is complained of in a matter's own record is left out of its partition, and nobody else is."""
        statement = select(_E.partition, _E.officer).where(_E.facility == self._view.facility)
        rows = {(row.partition, row.officer) for row in self._view.connection.execute(statement)}
        if wrong := sorted(rows ^ self._excluded):
            raise Broken(f"who is left out of {wrong[0][0]} is not who is complained of in it")


class _Stays:
    """Where each person was, held against his versions. A first stay since 0 was made from what was there by then."""

    def __init__(self, view: View) -> None:
        statement = select(_Y.person, _Y.since, _Y.place).where(_Y.facility == view.facility)
        self._rows = view.stream(statement.order_by(_Y.person, _Y.since))
        self._next = next(self._rows, None)
        self._person = ""
        self._moves: list[Stay] = []

    def take(self, said: dict[str, Any], first: bool) -> None:
        """A version of a person, in their order."""
        place = said["doc"]["cell"] if said["state"] == "held" else None
        if first:
            self._compare()
            self._person, self._moves = said["id"], []
        if first or place != self._moves[-1][1]:
            self._moves.append((from_text(said["received_at"]), place))

    def finish(self) -> None:
        self._compare()
        if self._next is not None:
            raise Broken(f"person {self._next.person} has stays and no record")

    def _compare(self) -> None:
        if not self._person:
            return
        kept: list[Stay] = []
        while self._next is not None and self._next.person <= self._person:
            if self._next.person < self._person:
                raise Broken(f"person {self._next.person} has stays and no record")
            kept.append((self._next.since, self._next.place))
            self._next = next(self._rows, None)
        if not _agree(kept, self._moves):
            raise Broken(f"the stays of person {self._person} are not what his versions say")


def _agree(kept: list[Stay], moves: list[Stay]) -> bool:
    began = bool(kept) and kept[0][0] == 0
    moves = moves[len(moves) - len(kept) :] if began else moves
    if len(kept) != len(moves):
        return False
    before = -1
    for (since, place), (moment, moved) in zip(kept, moves, strict=True):
        if place != moved or since != (0 if began and before < 0 else max(moment, before + 1)):
            return False
        before = since
    return True


def _author(said: dict[str, Any]) -> str:
    """The terminal and officer who made a version; nobody where a leader released it from escrow."""
    released = any(mark["code"] == _RELEASED for mark in said["marks"])
    return "" if released else f"{said['terminal']}/{said['author']['officer']}"


def _term(found: Body) -> int:
    """docs/protocol.md §8."""
    return int.from_bytes(sha256(f"{found.id}\n{found.version}\n".encode(), found.body), "big")


def _bodies(view: View) -> Iterator[Body]:
    """All versions, present and past, by record and number."""
    present = select(tables.records).where(_R.facility == view.facility).order_by(_R.id)
    past = select(_V.id, _V.version, _V.body).where(_V.facility == view.facility).order_by(_V.id, _V.version)
    return heapq.merge(
        (Body(row.id, row.version, row.body, row) for row in view.stream(present)),
        (Body(row.id, row.version, row.body, None) for row in view.stream(past)),
        key=lambda each: each[:2],
    )
