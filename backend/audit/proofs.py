"""Proofs that a leaf is in the log, and that the log only grew (RFC 9162 §2.1.3, §2.1.4), read from the store.

A proof of a log of a million leaves reads at most a few hundred rows of each level: leaves of two blocks of 256, and kept
nodes (``nodes``) of the blocks around them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, func, select

from backend.audit import merkle
from backend.audit.merkle import STEP, Range, Subtree
from backend.storage import tables

_L, _N = tables.leaves.c, tables.nodes.c
_NEWEST = select(func.max(_L.position)).where(_L.facility == bindparam("f"), _L.epoch == bindparam("e"))
_LEAVES = (
    select(_L.position, _L.body)
    .where(_L.facility == bindparam("f"), _L.epoch == bindparam("e"))
    .where(_L.position >= bindparam("start"), _L.position < bindparam("end"))
)
_NODES = (
    select(_N.position, _N.hash)
    .where(_N.facility == bindparam("f"), _N.epoch == bindparam("e"), _N.level == bindparam("level"))
    .where(_N.position >= bindparam("start"), _N.position < bindparam("end"))
)


def inclusion(connection: Connection, facility: str, epoch: int, position: int, size: int) -> list[bytes]:
    """The path from a leaf to the root of the log's first ``size`` leaves, 32 bytes each, the lowest first.

    Raises ValueError unless 0 ≤ position < size, and LookupError where the log has no such epoch or size.
    """
    return _Log(connection, facility, epoch, size).roots(merkle.inclusion(position, size))


def consistency(connection: Connection, facility: str, epoch: int, first: int, second: int) -> list[bytes]:
    """What proves that the log's first ``first`` leaves are the beginning of its first ``second``, 32 bytes each.

    Raises ValueError unless 0 < first ≤ second, and LookupError where the log has no such epoch or size.
    """
    return _Log(connection, facility, epoch, second).roots(merkle.consistency(first, second))


def size_of(connection: Connection, facility: str, epoch: int) -> int:
    """How many leaves the log of an epoch has here; 0 where there is no such epoch."""
    found = connection.execute(_NEWEST, {"f": facility, "e": epoch}).scalar_one_or_none()
    return 0 if found is None else found + 1


@dataclass
class _Log:
    """The log of one epoch up to a size. ``_known``: the hashes that were read for a proof, by level and position."""

    connection: Connection
    facility: str
    epoch: int
    size: int
    _known: dict[int, dict[int, bytes]] = field(default_factory=lambda: defaultdict(dict))

    def roots(self, ranges: list[Range]) -> list[bytes]:
        """The root of each range."""
        if size_of(self.connection, self.facility, self.epoch) < self.size:
            raise LookupError(f"epoch {self.epoch} has no {self.size} leaves")
        parts = [merkle.subtrees(each) for each in ranges]
        wanted: dict[int, list[Range]] = defaultdict(list)
        for part in (each for of_range in parts for each in of_range):
            wanted[_kept(part.level)].append(_below(part))
        for level, runs in wanted.items():
            for run in _joined(runs):
                self._read(level, run)
        return [merkle.root([self._root(each) for each in of_range]) for of_range in parts]

    def _read(self, level: int, run: Range) -> None:
        key = {"f": self.facility, "e": self.epoch, "start": run[0], "end": run[1]}
        if level:
            nodes = self.connection.execute(_NODES, key | {"level": level}).all()
            self._known[level].update((position, found) for position, found in nodes)
        else:
            leaves = self.connection.execute(_LEAVES, key).all()
            self._known[0].update((position, merkle.leaf_hash(body)) for position, body in leaves)

    def _root(self, tree: Subtree) -> bytes:
        """Folded from the kept nodes or leaves below. Raises LookupError where the store lacks one."""
        (start, end), known = _below(tree), self._known[_kept(tree.level)]
        try:
            hashes = [known[position] for position in range(start, end)]
        except KeyError:
            raise LookupError(f"a part of the log of epoch {self.epoch} is missing") from None
        while len(hashes) > 1:
            hashes = [merkle.node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
        return hashes[0]


def _kept(level: int) -> int:
    """The level at which the hashes below a subtree are kept."""
    return level // STEP * STEP


def _below(tree: Subtree) -> Range:
    """The indices, at the level at which they are kept, of what a subtree is made of."""
    down = tree.level - _kept(tree.level)
    return tree.position << down, tree.position + 1 << down


def _joined(runs: list[Range]) -> list[Range]:
    """The same indices in as few ranges as there can be."""
    found: list[Range] = []
    for start, end in sorted(runs):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
