"""The write door: the only way in which anything is ever written.

A write is a function that is given a ``Transaction`` of one facility. Whatever it writes, it also writes leaves of
the facility's Merkle log; the door refuses to commit rows without one. Counters, peaks and signed head are read under
the facility's lock and written back in the same transaction, so they are never cached and a second process is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Table, bindparam, insert, select, update

from backend.kernel import failpoints
from backend.kernel.clock import Clock
from backend.kernel.ids import HASH_BYTES
from backend.storage import tables
from backend.storage.engine import Store
from backend.storage.prepared import Parameters, Prepared

Row = Mapping[str, Any]
T = TypeVar("T")


@dataclass(slots=True)
class Tree:
    """The end of a facility's Merkle log: size and peaks (the roots of its full subtrees, largest first)."""

    epoch: int
    size: int
    peaks: list[bytes]
    head: str


@dataclass(slots=True)
class Transaction:
    """One write in progress, under the facility's lock. ``held``: how many operations are in custody; ``key``: the
    thumbprint of the key that is to sign its head, empty where the sealer takes its newest.
    """

    connection: Connection
    store: Store
    facility: str
    now: int
    seq: int
    held: int
    tree: Tree
    key: str
    leaves: list[bytes] = field(default_factory=list)
    wrote: bool = False

    def next_seq(self) -> int:
        """The next sequence number of the facility: the order of its record versions."""
        self.seq += 1
        return self.seq

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Rows of one table in one go; they all have the same columns, the facility among them."""
        if rows:
            self.wrote = True
            self.connection.execute(insert(table), rows)

    def put(self, statement: Prepared, rows: Sequence[Parameters]) -> None:
        """A prepared writing statement for many rows."""
        if rows:
            self.wrote = True
            statement.many(self.connection, rows)

    def execute(self, statement: Any, rows: Row | Sequence[Row] | None = None) -> None:
        """Any other writing statement, once or for many rows."""
        self.wrote = True
        self.connection.execute(statement, rows)


class Sealer(Protocol):
    """Closes the log at the end of a transaction: extends ``tree`` by ``leaves`` and signs the new head with ``key``."""

    def seal(self, transaction: Transaction) -> bytes:
        """Updates ``transaction.tree`` and ``key``, keeps the nodes that were completed; returns the new root."""
        ...


class Guard(Protocol):
    """Knows what was signed, whatever the database says, so that a database that was turned back is not written to."""

    def check(self, facility: str, epoch: int, size: int) -> None:
        """At the start of a write: raises Problem ``server.behind`` when something larger was signed."""
        ...

    def closing(self, transaction: Transaction) -> None:
        """At the end of a write: it may add rows and leaves of its own."""
        ...

    def kept(self, facility: str, tree: Tree) -> None:
        """After the commit: ``tree`` is what is signed from here on."""
        ...


_STATE = select(tables.facilities).where(tables.facilities.c.facility == bindparam("f")).with_for_update()
_SAVE = (
    update(tables.facilities)
    .where(tables.facilities.c.facility == bindparam("f"))
    .values({name: bindparam(f"new_{name}") for name in ("epoch", "seq", "size", "peaks", "head", "held", "key")})
)


class UnknownFacility(LookupError):
    """There is no such facility in this store."""


class Door:
    """Opens write transactions. ``sealer`` and ``guard`` come from the audit log, which lies above storage."""

    def __init__(self, store: Store, clock: Clock, sealer: Sealer, guard: Guard) -> None:
        self.store = store
        self.clock = clock
        self._sealer = sealer
        self._guard = guard
        self._state = store.prepare(_STATE)
        self._save = store.prepare(_SAVE)
        self._leaves = store.insertion(tables.leaves)
        self._heads = store.insertion(tables.tree_heads)

    def write(self, facility: str, work: Callable[[Transaction], T]) -> T:
        """Runs ``work`` in one transaction of the facility and commits.

        Raises UnknownFacility, Problem ``server.busy`` or ``server.behind``, and whatever ``work`` raises; nothing is
        written then.
        """
        return self._write(facility, work, guarded=True)

    def reopen(self, facility: str, work: Callable[[Transaction], T]) -> T:
        """Like ``write``, also of a database that is behind: for the one act that ends this, opening an epoch."""
        return self._write(facility, work, guarded=False)

    def _write(self, facility: str, work: Callable[[Transaction], T], *, guarded: bool) -> T:
        with self.store.writing() as connection:
            transaction = self._open(connection, facility)
            if guarded:
                self._guard.check(facility, transaction.tree.epoch, transaction.tree.size)
            result = work(transaction)
            self._guard.closing(transaction)
            self._close(transaction)
            failpoints.hit("commit.before")
        failpoints.hit("commit.after")
        if transaction.leaves:
            self._guard.kept(facility, transaction.tree)
        return result

    def found(self, facility: Row, work: Callable[[Transaction], None]) -> None:
        """Makes a facility (``facility, name, type, server``) with what ``work`` puts into it.

        Raises Refused when it exists.
        """
        with self.store.writing() as connection:
            row = {**facility, "epoch": 1, "seq": 0, "size": 0, "peaks": b"", "head": ""}
            connection.execute(insert(tables.facilities), row)
            transaction = self._open(connection, facility["facility"])
            work(transaction)
            self._close(transaction)
        self._guard.kept(transaction.facility, transaction.tree)

    def _open(self, connection: Connection, facility: str) -> Transaction:
        row = self._state.first(connection, {"f": facility})
        if row is None:
            raise UnknownFacility(facility)
        packed = row.peaks
        peaks = [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)]
        tree = Tree(row.epoch, row.size, peaks, row.head)
        return Transaction(connection, self.store, facility, self.clock.now(), row.seq, row.held, tree, row.key)

    def _close(self, transaction: Transaction) -> None:
        if not transaction.leaves:
            if transaction.wrote:
                raise RuntimeError("a write without an audit leaf")
            return
        tree, first = transaction.tree, transaction.tree.size
        root = self._sealer.seal(transaction)
        key = {"facility": transaction.facility, "epoch": tree.epoch}
        connection, new = transaction.connection, enumerate(transaction.leaves, first)
        self._leaves.many(connection, [key | {"position": position, "body": body} for position, body in new])
        self._heads.run(connection, key | {"size": tree.size, "root": root, "at": transaction.now})
        saved = {
            "new_epoch": tree.epoch,
            "new_seq": transaction.seq,
            "new_size": tree.size,
            "new_peaks": b"".join(tree.peaks),
            "new_head": tree.head,
            "new_held": transaction.held,
            "new_key": transaction.key,
            "f": transaction.facility,
        }
        self._save.run(connection, saved)
