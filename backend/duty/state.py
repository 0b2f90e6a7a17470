"""The engine's memory as it is kept: the tables ``engines`` and ``watches``, written in the transaction of what it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, delete, select

from backend.audit.reckoning import digest, weight
from backend.duty.engine.memory import Memory
from backend.storage import tables
from backend.storage.door import Transaction
from backend.storage.engine import Store

_E, _W = tables.engines.c, tables.watches.c


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the engine has come in a facility: epoch and number of the last version that it was told of, the moment up to
    which its clock ran, the digest of the pack."""

    epoch: int
    seq: int
    at: int
    pack: str


class Weights:
    """The digest of all that is kept, carried along with what changes."""

    def __init__(self, rows: Mapping[str, bytes]) -> None:
        self._each = {key: weight(key, body) for key, body in rows.items()}
        self._total = sum(self._each.values())

    def change(self, changes: Mapping[str, bytes | None]) -> str:
        """Takes in what has changed; the digest after it."""
        for key, body in changes.items():
            self._total -= self._each.pop(key, 0)
            if body is not None:
                self._each[key] = weight(key, body)
                self._total += self._each[key]
        return digest(self._total)


class States:
    """Reads and writes it."""

    def __init__(self, store: Store) -> None:
        here: Any = bindparam("f")
        self._cursor = store.prepare(select(_E.epoch, _E.seq, _E.at, _E.pack).where(_E.facility == here))
        self._rows = store.prepare(select(_W.key, _W.body).where(_W.facility == here))
        self._leave = store.prepare(delete(tables.engines).where(_E.facility == here))
        self._drop = store.prepare(delete(tables.watches).where(_W.facility == here, _W.key == bindparam("key")))
        self._enter = store.insertion(tables.engines)
        self._keep = store.insertion(tables.watches)

    def cursor(self, connection: Connection, facility: str) -> Cursor | None:
        """None: no duties are asked for yet."""
        row = self._cursor.first(connection, {"f": facility})
        return None if row is None else Cursor(*row)

    def read(self, connection: Connection, facility: str) -> tuple[Memory, Weights]:
        """What is kept, and what of it leaves tell."""
        rows = list(self._rows.tuples(connection, {"f": facility}))
        return Memory({key: orjson.loads(body) for key, body in rows}), Weights(dict(rows))

    def write(self, transaction: Transaction, cursor: Cursor, changes: Mapping[str, bytes | None]) -> None:
        """Puts the cursor and what has changed in the place of what was there."""
        key = {"f": transaction.facility}
        transaction.put(self._leave, [key])
        row = {"facility": transaction.facility, "epoch": cursor.epoch, "seq": cursor.seq, "at": cursor.at}
        transaction.put(self._enter, [row | {"pack": cursor.pack}])
        transaction.put(self._drop, [key | {"key": each} for each in changes])
        kept = [
            {"facility": transaction.facility, "key": each, "body": body}
            for each, body in changes.items()
            if body is not None
        ]
        transaction.put(self._keep, kept)
