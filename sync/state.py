"""What must be known to judge a batch, read in one statement a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, select

from backend.facts.occupancy import Occupancy, Register
from backend.identity.sessions import Session, Sessions
from backend.kernel.kind import Head, Needs
from backend.storage import tables
from backend.storage.engine import Store
from sync.accept import Operation

_R, _O, _H = tables.records.c, tables.operations.c, tables.tree_heads.c
Anchor = tuple[int, int]


@dataclass(slots=True)
class State:
    """``fates``: status by op, of operations that came before. ``anchors``: (root, at) by (epoch, size)."""

    sessions: dict[str, Session]
    heads: dict[str, Head]
    fates: dict[str, str]
    anchors: dict[Anchor, tuple[bytes, int]]
    register: Register


def _head(row: Any) -> Head:
    doc = orjson.loads(row.body)["doc"]
    return Head(
        row.id, row.kind, row.version, row.seq, row.partition, row.place, row.state, row.terminal, row.body, doc
    )  # fmt: skip


class Reader:
    """Reads State. Anchors are remembered: a signed head never changes once it is committed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._anchors: dict[tuple[str, Anchor], tuple[bytes, int]] = {}
        here: Any = bindparam("f")
        heads = select(tables.records).where(_R.facility == here, store.among(_R.id, "ids"))
        fates = select(_O.op, _O.status).where(_O.facility == here, store.among(_O.op, "ids"))
        anchor = select(_H.root, _H.at).where(
            _H.facility == here, _H.epoch == bindparam("e"), _H.size == bindparam("s")
        )
        self._heads, self._fates, self._anchor = map(store.prepare, (heads, fates, anchor))
        self._sessions = Sessions(store)
        self._occupancy = Occupancy(store)

    def read(self, connection: Connection, facility: str, operations: list[Operation]) -> State:
        """The state that these operations of one facility need."""
        said = [operation.said for operation in operations if operation.said is not None]
        ops = {operation.op for operation in operations if operation.op}
        for each in said:
            ops.update(each["after"])
        needs = list(_needs(operations, {}, creating=True))
        first = {each["record"] for each in said}.union(*(need.records for need in needs))
        heads = self._read_heads(connection, facility, first)
        needs += (later := list(_needs(operations, heads, creating=False)))
        heads |= self._read_heads(connection, facility, {r for need in later for r in need.records} - heads.keys())
        cells = [cell for need in needs for cell in need.headcounts]
        return State(
            self._sessions.several(connection, facility, sorted({each["session"] for each in said})),
            heads,
            self._read_fates(connection, facility, ops),
            self._read_anchors(connection, facility, {(a["epoch"], a["size"]) for a in (s["anchor"] for s in said)}),
            self._occupancy.read(connection, facility, cells),
        )

    def _read_heads(self, connection: Connection, facility: str, records: Iterable[str]) -> dict[str, Head]:
        ids = sorted(records)
        if not ids:
            return {}
        rows = self._heads.all(connection, {"f": facility, "ids": self._store.listed(ids)})
        return {row.id: _head(row) for row in rows}

    def _read_fates(self, connection: Connection, facility: str, ops: Iterable[str]) -> dict[str, str]:
        rows = self._fates.all(connection, {"f": facility, "ids": self._store.listed(sorted(ops))})
        return {row.op: row.status for row in rows if row.op}

    def _read_anchors(
        self, connection: Connection, facility: str, wanted: set[Anchor]
    ) -> dict[Anchor, tuple[bytes, int]]:
        found = {}
        for anchor in wanted:
            known = self._anchors.get((facility, anchor))
            if known is None:
                key = {"f": facility, "e": anchor[0], "s": anchor[1]}
                row = self._anchor.first(connection, key)
                if row is None:
                    continue
                known = (row.root, row.at)
                self._remember((facility, anchor), known)
            found[anchor] = known
        return found

    def _remember(self, key: tuple[str, Anchor], value: tuple[bytes, int]) -> None:
        if len(self._anchors) >= 10_000:
            self._anchors.clear()
        self._anchors[key] = value


def _needs(operations: list[Operation], heads: dict[str, Head], *, creating: bool) -> Iterator[Needs]:
    """What verbs want to know. Those that create say it without their record's head, so one read serves them all."""
    for operation in operations:
        said, verb = operation.said, operation.verb
        if operation.problem is None and verb is not None and said is not None and verb.creates == creating:
            yield verb.needs(said["fields"], heads.get(said["record"]))
