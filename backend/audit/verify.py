"""Checking a facility from its first leaf to its last signed head, and its rows against the leaves.

Reads the store only; trusts nothing in it but the server's public key, which is given. Names the first thing that is
wrong and stops there: what follows a break proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection, select

from backend.audit import merkle
from backend.audit.log import read_head
from backend.kernel.framing import genesis, link
from backend.kernel.ids import b64, sha256, unhash
from backend.storage import tables
from backend.storage.engine import Store

_L, _O, _R, _V, _H = (
    tables.leaves.c, tables.operations.c, tables.records.c, tables.versions.c, tables.tree_heads.c
)  # fmt: skip


class Broken(Exception):
    """The first thing that is wrong, in a sentence."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What held: counts, and the root that all of it comes to."""

    facility: str
    epoch: int
    leaves: int
    operations: int
    versions: int
    heads: int
    root: str


def verify(store: Store, facility: str, key: ec.EllipticCurvePublicKey, witness: str | None) -> Verified:
    """Verifies a facility in one consistent view. ``witness``: a head kept elsewhere that the log must contain.

    Raises Broken, and LookupError for an unknown facility.
    """
    with store.reading() as connection:
        state = connection.execute(
            select(tables.facilities).where(tables.facilities.c.facility == facility)
        ).one_or_none()
        if state is None:
            raise LookupError(facility)
        claimed = _head(state.head, key, facility)
        if (claimed["epoch"], claimed["size"]) != (state.epoch, state.size):
            raise Broken(f"the signed head speaks of {claimed['size']} leaves, the facility of {state.size}")
        seen = _Leaves(connection, facility, state.epoch)
        roots = seen.walk()
        if seen.size != state.size:
            raise Broken(f"the log has {seen.size} leaves, its signed head {state.size}")
        if b64(roots.get(state.size, merkle.EMPTY_ROOT)) != claimed["root"]:
            raise Broken("the leaves do not come to the signed root: a leaf was changed")
        heads = _check_heads(connection, facility, state.epoch, roots)
        if witness is not None:
            _check_witness(_head(witness, key, facility), state.epoch, seen.size, roots)
        operations = _check_operations(connection, facility, seen.operations)
        versions = _check_versions(connection, facility, seen.rows)
        _check_columns(connection, facility)
    return Verified(facility, state.epoch, seen.size, operations, versions, heads, claimed["root"])


def _head(token: str, key: ec.EllipticCurvePublicKey, facility: str) -> dict[str, Any]:
    try:
        head = read_head(token, key)
    except ValueError:
        raise Broken("a head's signature is not the server's") from None
    if head["facility"] != facility:
        raise Broken(f"a head speaks of facility {head['facility']}")
    return head


class _Leaves:
    """Walks the log: ``roots`` at every size, what it says of operations and of rows."""

    def __init__(self, connection: Connection, facility: str, epoch: int) -> None:
        self._connection = connection
        self._key = (_L.facility == facility) & (_L.epoch == epoch)
        self.size = 0
        self.operations: dict[tuple[str, int, int], dict[str, Any]] = {}
        self.rows: dict[tuple[str, int], str] = {}

    def walk(self) -> dict[int, bytes]:
        peaks: list[bytes] = []
        roots: dict[int, bytes] = {}
        statement = select(_L.position, _L.body).where(self._key).order_by(_L.position)
        for row in self._connection.execute(statement):
            if row.position != self.size:
                raise Broken(f"leaf {self.size} is missing")
            self.size, peaks = merkle.extend(self.size, peaks, [merkle.leaf_hash(row.body)])
            roots[self.size] = merkle.root(peaks)
            self._note(row.position, orjson.loads(row.body))
        return roots

    def _note(self, position: int, leaf: dict[str, Any]) -> None:
        if leaf["act"] != "operation":
            return
        key = (leaf["terminal"], leaf["incarnation"], leaf["n"])
        if key in self.operations:
            raise Broken(f"leaf {position} gives operation {key} a second outcome")
        self.operations[key] = leaf | {"position": position}
        if "row" in leaf:
            self.rows[leaf["record"], leaf["version"]] = leaf["row"]


def _check_heads(connection: Connection, facility: str, epoch: int, roots: dict[int, bytes]) -> int:
    rows = connection.execute(select(_H.size, _H.root).where(_H.facility == facility, _H.epoch == epoch)).all()
    for row in rows:
        if roots.get(row.size) != row.root:
            raise Broken(f"the head of size {row.size} is not the root of the first {row.size} leaves")
    return len(rows)


def _check_witness(head: dict[str, Any], epoch: int, size: int, roots: dict[int, bytes]) -> None:
    if head["epoch"] == epoch and head["size"] > size:
        raise Broken(f"a head of {head['size']} leaves was signed, but the log ends at {size}: its tail was cut")
    if head["epoch"] == epoch and b64(roots[head["size"]]) != head["root"]:
        raise Broken(f"the log is not the one whose head of {head['size']} leaves is kept beside the database")


def _check_operations(connection: Connection, facility: str, told: dict[tuple[str, int, int], dict[str, Any]]) -> int:
    """Every operation's bytes lie on its terminal's chain, and they and its outcome are what its leaf says."""
    prior: dict[tuple[str, int], tuple[int, bytes]] = {}
    thumbprints = _thumbprints(connection, facility)
    count = 0
    statement = select(_O.terminal, _O.incarnation, _O.n, _O.op, _O.hash, _O.raw, _O.outcome, _O.status, _O.leaf)
    for row in connection.execute(statement.where(_O.facility == facility).order_by(_O.terminal, _O.incarnation, _O.n)):
        name = f"operation {row.n} of terminal {row.terminal}"
        chain = (row.terminal, row.incarnation)
        if row.terminal not in thumbprints:
            raise Broken(f"{name} is of a terminal that is not enrolled")
        start = (0, genesis(facility, row.terminal, row.incarnation, thumbprints[row.terminal]))
        n, before = prior.get(chain, start)
        if row.n != n + 1:
            raise Broken(f"operation {n + 1} of terminal {row.terminal} is missing")
        if link(before, row.n, row.raw) != row.hash:
            raise Broken(f"{name} is not the bytes that its chain was made over")
        prior[chain] = (row.n, row.hash)
        leaf = told.get((row.terminal, row.incarnation, row.n))
        if leaf is None:
            raise Broken(f"{name} has no leaf")
        said = (b64(row.hash), row.status, b64(sha256(row.outcome)), row.op, row.leaf)
        if said != (leaf["hash"], leaf["status"], leaf["outcome"], leaf["op"], leaf["position"]):
            raise Broken(f"{name} or its outcome differs from its leaf")
        count += 1
    if count != len(told):
        raise Broken(f"{len(told) - count} operations have a leaf but are no longer there")
    return count


def _thumbprints(connection: Connection, facility: str) -> dict[str, str]:
    of = tables.terminals.c
    rows = connection.execute(select(of.terminal, of.thumbprint).where(of.facility == facility))
    return {row.terminal: row.thumbprint for row in rows}


def _check_versions(connection: Connection, facility: str, told: dict[tuple[str, int], str]) -> int:
    """Every version of every record is the bytes that a leaf says, and none is missing."""
    count = 0
    for identity, version, body in _versions(connection, facility):
        said = told.get((identity, version))
        if said is None:
            raise Broken(f"version {version} of record {identity} has no leaf")
        if unhash(said) != sha256(body):
            raise Broken(f"version {version} of record {identity} differs from its leaf")
        count += 1
    if count != len(told):
        raise Broken(f"{len(told) - count} versions have a leaf but are no longer there")
    return count


def _versions(connection: Connection, facility: str) -> Iterator[tuple[str, int, bytes]]:
    for table in (_R, _V):
        for row in connection.execute(select(table.id, table.version, table.body).where(table.facility == facility)):
            yield row.id, row.version, row.body


_FILED = ("id", "kind", "version", "seq", "partition", "state")


def _check_columns(connection: Connection, facility: str) -> None:
    """Every record is filed under what its own bytes say: its partition alone decides who is given it."""
    columns = [_R[name] for name in _FILED]
    for row in connection.execute(select(*columns, _R.body).where(_R.facility == facility)):
        said = orjson.loads(row.body)
        if any(said[name] != getattr(row, name) for name in _FILED):
            raise Broken(f"record {row.id} is filed under other columns than its bytes say")
