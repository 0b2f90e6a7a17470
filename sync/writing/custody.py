"""Operations in custody: which of them can be judged, because what they waited for has come or its time is over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from backend.kernel.framing import Frame
from backend.storage import tables
from backend.storage.door import Transaction
from backend.storage.engine import Store
from backend.storage.tables import WAITING
from sync.judging.accept import Acceptance, Operation
from sync.judging.ledger import Origin, Rows

_W, _O, _L = tables.waits.c, tables.operations.c, tables.holds.c
_PLACE = ("facility", "terminal", "incarnation", "n")
_FINAL = ("status", "outcome", "leaf", "epoch")
MOST_OVERDUE = 200


@dataclass(frozen=True, slots=True)
class Woken:
    """A held operation that is to be judged."""

    origin: Origin
    operation: Operation


class Custody:
    """Keeps holds and waits."""

    def __init__(self, store: Store, acceptance: Acceptance) -> None:
        self._store = store
        self._acceptance = acceptance
        here: Any = bindparam("f")
        chain = ("terminal", "incarnation", "n")
        waiting = select(*(_W[name] for name in chain)).where(_W.facility == here, store.among(_W.needs, "ids"))
        come = delete(tables.waits).where(_W.facility == here, store.among(_W.needs, "ids"))
        place: list[Any] = [bindparam(f"of_{name}") for name in _PLACE]
        left = select(_W.needs).where(*(_W[name] == bound for name, bound in zip(_PLACE, place, strict=True))).limit(1)
        drop = delete(tables.waits).where(*(_W[name] == bound for name, bound in zip(_PLACE, place, strict=True)))
        raw = select(_O.hash, _O.raw).where(*(_O[name] == bound for name, bound in zip(_PLACE, place, strict=True)))
        overdue = select(*(_L[name] for name in chain)).where(
            _L.facility == here, WAITING, _L.deadline <= bindparam("now")
        )
        final = update(tables.operations).where(*(_O[name] == bound for name, bound in zip(_PLACE, place, strict=True)))
        settled = update(tables.holds).where(*(_L[name] == bound for name, bound in zip(_PLACE, place, strict=True)))
        self._waiting, self._come, self._left = map(store.prepare, (waiting, come, left))
        self._drop, self._raw = map(store.prepare, (drop, raw))
        self._overdue = store.prepare(overdue.order_by(_L.deadline).limit(MOST_OVERDUE))
        self._final = store.prepare(final.values({name: bindparam(name) for name in _FINAL}))
        self._settled = store.prepare(settled.values(settled_at=bindparam("at")))
        self._holds, self._waits = store.insertion(tables.holds), store.insertion(tables.waits)

    def enter(self, transaction: Transaction, rows: Rows) -> None:
        """Receipts, what they wait for, and final outcomes of what was held."""
        if not (rows.holds or rows.waits or rows.settled):
            return
        transaction.put(self._holds, rows.holds)
        transaction.put(self._waits, rows.waits)
        transaction.put(self._final, rows.settled)
        transaction.put(self._settled, rows.settled)
        transaction.held += len(rows.holds) - len(rows.settled)

    def woken(self, transaction: Transaction, come: Iterable[str]) -> list[Woken]:
        """Operations that waited for the last of what has come: ids of operations with a final outcome, of records."""
        asked = {"f": transaction.facility, "ids": self._store.listed(sorted(come))}
        places = sorted(set(self._waiting.tuples(transaction.connection, asked)))
        if not places:
            return []
        transaction.put(self._come, [asked])
        keys = [self._key(transaction, place) for place in places]
        return [self._read(transaction, key) for key in keys if not self._left.all(transaction.connection, key)]

    def overdue(self, transaction: Transaction) -> list[Woken]:
        """Operations whose deadline has passed, at most 200, the oldest first; they wait no longer."""
        asked = {"f": transaction.facility, "now": transaction.now}
        places = self._overdue.tuples(transaction.connection, asked)
        keys = [self._key(transaction, place) for place in places]
        transaction.put(self._drop, keys)
        return [self._read(transaction, key) for key in keys]

    @staticmethod
    def _key(transaction: Transaction, place: tuple[Any, ...]) -> dict[str, Any]:
        return {f"of_{name}": each for name, each in zip(_PLACE, (transaction.facility, *place), strict=True)}

    def _read(self, transaction: Transaction, key: dict[str, Any]) -> Woken:
        row: Any = self._raw.first(transaction.connection, key)
        terminal, incarnation, n = key["of_terminal"], key["of_incarnation"], key["of_n"]
        operation = self._acceptance.accept(Frame(n, row.hash, row.raw), terminal, incarnation)
        return Woken(Origin(terminal, incarnation), operation)
