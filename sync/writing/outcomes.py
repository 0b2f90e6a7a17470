"""What a terminal is told of its operations: the answer of a push, and the same again by number."""

from __future__ import annotations

import orjson
from sqlalchemy import ColumnElement, Connection, and_, func, select

from backend.identity import incarnations, terminals
from backend.identity.segments import MOST_RANGES, Segments, lacking
from backend.identity.terminals import Terminal
from backend.kernel.clock import Clock, to_text
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.engine import Store
from sync.writing.jobs import Answer, Standing

_O, _F = tables.operations.c, tables.facilities.c


def document(terminal: str, answer: Answer, *, order: bool = False) -> bytes:
    """The answer of a push as JSON (docs/protocol.md §6); with ``order`` where a revoked terminal asks."""
    standing = answer.standing
    begin = {
        "terminal": terminal,
        "incarnation": answer.incarnation,
        "epoch": answer.epoch,
        "next": standing.next,
        "missing": standing.missing,
        "safe_upto": standing.safe_upto,
    }
    if order:
        begin["order"] = standing.order
    end = {"head": answer.head, "time": to_text(answer.now)}
    outcomes = b",".join(answer.outcomes)
    return orjson.dumps(begin)[:-1] + b',"outcomes":[' + outcomes + b"]," + orjson.dumps(end)[1:]


class Outcomes:
    """Reads stored outcomes."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._segments = Segments(store)
        self._clock = clock

    def read(self, key: str, incarnation: int, numbers: list[int]) -> bytes:
        """The answer's JSON: outcomes of those of the numbers that the server has, ascending, and the standing.

        ``key``: the thumbprint that asks; ``incarnation``: the one it belongs to, or an earlier one of its terminal.
        Raises Problem ``terminal.unknown``, ``terminal.revoked``, ``request.invalid``.
        """
        with self._store.reading() as connection:
            found = terminals.served(connection, key)
            if not 1 <= incarnation <= found.incarnation:
                raise Problem("request.invalid", "incarnation", errors=(Problem("field.invalid", "incarnation"),))
            end = incarnations.end_of(connection, found.terminal, incarnation)
            log = connection.execute(select(tables.facilities).where(_F.facility == end.facility)).one()
            safe = end.safe_n if end is found.terminal else _safe(connection, end, log.epoch, log.safe_size)
            told = _stored(connection, end, numbers)
            lowest = self._segments.lowest(connection, (end.facility, end.terminal, end.incarnation))
        standing = Standing(end.last_n + 1, lacking(end.last_n, lowest, 0)[:MOST_RANGES], safe)
        answer = Answer(told, standing, incarnation, log.epoch, log.head, self._clock.now())
        return document(end.terminal, answer)


def _of(end: Terminal) -> ColumnElement[bool]:
    return and_(_O.facility == end.facility, _O.terminal == end.terminal, _O.incarnation == end.incarnation)


def _stored(connection: Connection, end: Terminal, numbers: list[int]) -> list[bytes]:
    if not numbers:
        return []
    statement = select(_O.outcome).where(_of(end), _O.n.in_(numbers)).order_by(_O.n)
    return list(connection.execute(statement).scalars())


def _safe(connection: Connection, end: Terminal, epoch: int, size: int) -> int:
    """Up to which number an incarnation that has ended is covered by the leaves that a backup of this epoch has."""
    beyond = select(func.min(_O.n)).where(_of(end), _O.epoch == epoch, _O.leaf >= size)
    first: int | None = connection.execute(beyond).scalar()
    return 0 if size == 0 else end.last_n if first is None else min(first - 1, end.last_n)
