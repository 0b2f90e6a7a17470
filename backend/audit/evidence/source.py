"""Reading a facility for a bundle: which operations and leaves belong to a scope, and their rows, a page at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    and_,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)  # fmt: skip

from backend.audit.evidence.decisions import FACTORED, GIVEN, POSTED
from backend.audit.evidence.scope import ALL, PERIOD, PERSON, TERMINAL, Scope
from backend.kernel.ids import derived
from backend.storage import tables

AT_ONCE = 200
"""Rows a page: as many keys stand in one statement."""
_STREAMED = 500
_O, _C, _S, _L, _H, _R, _V = (table.c for table in (
    tables.operations, tables.holds, tables.segments, tables.leaves, tables.tree_heads, tables.records, tables.versions,
))  # fmt: skip
_KEY = (_O.terminal, _O.incarnation, _O.n)
_STRUCTURE = (
    "terminal.enrolled", "incarnation.issued", "key.rotated", "witness.shown", "session.started", "file.stored",
    *POSTED, GIVEN, *FACTORED,
)  # fmt: skip
"""Acts that other tables of the bundle rest on."""

Key = tuple[str, int, int]
"""Terminal, incarnation, number."""
Place = tuple[int, int]
"""Epoch and position of a leaf."""
T = TypeVar("T")
G = TypeVar("G")


def paged(things: Iterable[T], size: int = AT_ONCE) -> Iterator[list[T]]:
    """The same, a page at a time."""
    rest = iter(things)
    while page := list(islice(rest, size)):
        yield page


@dataclass(frozen=True, slots=True)
class Source:
    """One consistent view of a facility, and what of it is asked for."""

    connection: Connection
    facility: str
    scope: Scope

    # What belongs to the scope

    def operations(self) -> Iterator[Key]:
        """The operations that the scope names by itself; some perhaps twice."""
        for where in self._named():
            for row in self._stream(select(*_KEY).where(_O.facility == self.facility, where)):
                yield row.terminal, row.incarnation, row.n
        for page in paged(self._others()):
            yield from self.keys_of(page)

    def _named(self) -> list[ColumnElement[bool]]:
        scope = self.scope
        if scope.kind == TERMINAL:
            return [_O.terminal == scope.subject]
        if scope.kind == PERSON:
            return [self._says(_O.raw, scope.subject or "")]
        return [true()] if scope.kind == ALL else [self._within(_O.received_at), self._settled()]

    def _others(self) -> list[str]:
        """Ids of operations that belong to the scope though they do not name it: those that made what is kept of the
        person, and leaders' words on the terminal's operations in escrow."""
        if self.scope.kind == PERSON:
            his = f"person/{self.scope.subject}"
            return self._makers(and_(_R.partition > f"{his}/", _R.partition < f"{his}0"))
        if self.scope.kind != TERMINAL:
            return []
        escrowed = select(_O.op).where(
            _O.facility == self.facility, _O.terminal == self.scope.subject, _O.status == "escrowed"
        )
        words = [derived(op, "escrow") for op in self.connection.execute(escrowed).scalars() if op is not None]
        return [op for page in paged(words) for op in self._makers(_R.id.in_(page))]

    def _makers(self, records: ColumnElement[bool]) -> list[str]:
        """The operations that the versions of some records tell of."""
        here = select(_R.id, _R.body).where(_R.facility == self.facility, records)
        rows = self.connection.execute(here).all()
        found = {_op(row.body) for row in rows}
        for page in paged(row.id for row in rows):
            past = select(_V.body).where(_V.facility == self.facility, _V.id.in_(page))
            found.update(map(_op, self.connection.execute(past).scalars()))
        return sorted(found)

    def _within(self, moment: Any) -> ColumnElement[bool]:
        since, until = self.scope.since or 0, self.scope.until
        return and_(moment >= since, true() if until is None else moment < until)

    def _settled(self) -> ColumnElement[bool]:
        """Operations that came out of custody in the period, or went into it."""
        keys = select(_C.terminal, _C.incarnation, _C.n).where(
            _C.facility == self.facility, or_(self._within(_C.settled_at), self._within(_C.received_at))
        )
        return tuple_(*_KEY).in_(keys)

    def leaves(self) -> Iterator[Place]:
        """Leaves that the scope names by themselves, whatever they tell of."""
        wanted = select(_L.epoch, _L.position).where(_L.facility == self.facility)
        if self.scope.kind == PERIOD:
            for epoch, begin, end in self._runs():
                run = wanted.where(_L.epoch == epoch, _L.position >= begin, _L.position < end)
                yield from (tuple(row) for row in self._stream(run))
        elif self.scope.subject is not None:
            yield from (tuple(row) for row in self._stream(wanted.where(self._says(_L.body, self.scope.subject))))

    def structure(self) -> Iterator[Any]:
        """(epoch, position, body) of leaves of the acts on which other tables rest, and of those that end a session."""
        begins = [self._begins(f'{{"act":"{act}"') for act in (*_STRUCTURE, "session.")]
        wanted = select(_L.epoch, _L.position, _L.body).where(_L.facility == self.facility, or_(*begins))
        return self._stream(wanted.order_by(_L.epoch, _L.position))

    def _runs(self) -> list[tuple[int, int, int]]:
        """(epoch, first position, the one after the last) of what was written within the period."""
        before = func.lag(_H.size, 1, 0).over(partition_by=_H.epoch, order_by=_H.size)
        heads = select(_H.epoch, _H.size, _H.at, before.label("begin")).where(_H.facility == self.facility).subquery()
        wanted = select(heads).where(self._within(heads.c.at)).order_by(heads.c.epoch, heads.c.size)
        runs: list[tuple[int, int, int]] = []
        for row in self._stream(wanted):
            if runs and runs[-1][0] == row.epoch and runs[-1][2] == row.begin:
                runs[-1] = (row.epoch, runs[-1][1], row.size)
            else:
                runs.append((row.epoch, row.begin, row.size))
        return runs

    # Rows, by their keys

    def rows(self, keys: Sequence[Key]) -> list[Any]:
        """Operations with the hash before each (``prior``) and their receipts, by key."""
        previous = tables.operations.alias("previous")
        before = previous.c
        last = and_(
            before.facility == _O.facility, before.terminal == _O.terminal, before.incarnation == _O.incarnation,
            before.n == _O.n - 1,
        )  # fmt: skip
        claimed = and_(
            _S.facility == _O.facility, _S.terminal == _O.terminal, _S.incarnation == _O.incarnation, _S.first == _O.n
        )
        hold = and_(
            _C.facility == _O.facility, _C.terminal == _O.terminal, _C.incarnation == _O.incarnation, _C.n == _O.n
        )
        columns = (
            tables.operations, func.coalesce(before.hash, _S.prior, type_=LargeBinary).label("prior"),
            _C.receipt, _C.epoch.label("held_epoch"), _C.leaf.label("held_leaf"),
            _C.received_at.label("held_at"), _C.deadline, _C.settled_at,
        )  # fmt: skip
        joined = (
            tables.operations.outerjoin(previous, last)
            .outerjoin(tables.segments, claimed)
            .outerjoin(tables.holds, hold)
        )
        wanted = select(*columns).select_from(joined)
        found: list[Any] = []
        for (terminal, incarnation), numbers in _grouped((key[:2], key[2]) for key in keys):
            chain = (_O.facility == self.facility, _O.terminal == terminal, _O.incarnation == incarnation)
            found += self.connection.execute(wanted.where(*chain, _O.n.in_(numbers)).order_by(_O.n)).all()
        return found

    def bodies(self, places: Sequence[Place]) -> list[Any]:
        """Leaves by their places."""
        wanted = select(_L.epoch, _L.position, _L.body).where(_L.facility == self.facility)
        found: list[Any] = []
        for epoch, positions in _grouped(places):
            found += self.connection.execute(wanted.where(_L.epoch == epoch, _L.position.in_(positions))).all()
        return found

    def every_leaf(self) -> Iterator[Any]:
        """All leaves, in their order."""
        wanted = select(_L.epoch, _L.position, _L.body).where(_L.facility == self.facility)
        return self._stream(wanted.order_by(_L.epoch, _L.position))

    def versions(self, keys: Sequence[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
        """(record, version) → its bytes."""
        ids, wanted = sorted({record for record, _ in keys}), set(keys)
        present = select(_R.id, _R.version, _R.body).where(_R.facility == self.facility, _R.id.in_(ids))
        past = select(_V.id, _V.version, _V.body).where(_V.facility == self.facility, _V.id.in_(ids))
        rows = (*self.connection.execute(present).all(), *self.connection.execute(past).all())
        return {(row.id, row.version): row.body for row in rows if (row.id, row.version) in wanted}

    def keys_of(self, ops: Sequence[str]) -> list[Key]:
        """Where the operations of some ids are."""
        wanted = select(*_KEY).where(_O.facility == self.facility, _O.op.in_(ops))
        return [(row.terminal, row.incarnation, row.n) for row in self.connection.execute(wanted)]

    def confirmations(self, ids: Sequence[str]) -> dict[str, Any]:
        """Confirmations by their ids; those that do not exist are left out."""
        of = tables.confirmations.c
        wanted = select(tables.confirmations).where(of.facility == self.facility, of.confirmation.in_(ids))
        return {row.confirmation: row for row in self.connection.execute(wanted)}

    def heads_at(self, places: Sequence[Place]) -> dict[Place, bytes]:
        """(epoch, size) → the root that was signed for it."""
        wanted = select(_H.epoch, _H.size, _H.root).where(_H.facility == self.facility)
        found: dict[Place, bytes] = {}
        for epoch, sizes in _grouped(places):
            rows = self.connection.execute(wanted.where(_H.epoch == epoch, _H.size.in_(sizes))).all()
            found |= {(row.epoch, row.size): row.root for row in rows}
        return found

    def everything(self, table: Any, *order: Any) -> list[Any]:
        """A small table of the facility, whole."""
        return list(self.connection.execute(select(table).where(table.c.facility == self.facility).order_by(*order)))

    # How bytes are searched on each engine

    def _says(self, column: Any, text: str) -> ColumnElement[bool]:
        return self._position(column, text) > 0

    def _begins(self, text: str) -> ColumnElement[bool]:
        return self._position(_L.body, text) == 1

    def _position(self, column: Any, text: str) -> ColumnElement[int]:
        needle = literal(text.encode(), LargeBinary)
        if self.connection.dialect.name == "sqlite":
            return func.instr(column, needle, type_=Integer)
        return func.pg_catalog.position(column, needle, type_=Integer)

    def _stream(self, statement: Any) -> Iterator[Any]:
        """Rows as they come; other statements may run between them."""
        yield from self.connection.execute(statement.execution_options(yield_per=_STREAMED))


def _grouped(keys: Iterable[tuple[G, int]]) -> list[tuple[G, list[int]]]:
    """(leading part, number) → the numbers of each leading part: SQLite reads a whole table for a list of pairs."""
    found: dict[G, list[int]] = defaultdict(list)
    for lead, number in keys:
        found[lead].append(number)
    return list(found.items())


def _op(body: bytes) -> str:
    """The operation that a version tells of, from its bytes."""
    return str(orjson.loads(body)["op"])
