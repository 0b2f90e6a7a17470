"""Proofs for thousands of leaves of one log, which share most of their hashes.

``audit.proofs`` makes one proof and reads what it needs; here each block of 256 leaves is read once for all that ask in a
row, and the kept nodes above them once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from backend.audit import merkle
from backend.audit.merkle import STEP, Range, Subtree
from backend.storage import tables

_L, _N = tables.leaves.c, tables.nodes.c


@dataclass
class Paths:
    """Proofs to the first ``size`` leaves of an epoch's log; best asked for in the order of the leaves."""

    connection: Connection
    facility: str
    epoch: int
    size: int
    _kept: dict[Subtree, bytes] = field(default_factory=dict)
    _block: dict[Subtree, bytes] = field(default_factory=dict)
    _at: int = -1
    _roots: dict[Range, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wanted = select(_N.level, _N.position, _N.hash).where(_N.facility == self.facility, _N.epoch == self.epoch)
        self._kept = {Subtree(level, position): hash_ for level, position, hash_ in self.connection.execute(wanted)}

    def inclusion(self, position: int) -> list[bytes]:
        """As ``proofs.inclusion``."""
        return [self._root(each, position >> STEP) for each in merkle.inclusion(position, self.size)]

    def consistency(self, first: int) -> list[bytes]:
        """As ``proofs.consistency``, up to ``size``."""
        return [self._root(each, (first - 1) >> STEP) for each in merkle.consistency(first, self.size)]

    def _root(self, leaves: Range, block: int) -> bytes:
        """The root of a range. Those that lie outside the block of the one who asks are shared by many, and stay."""
        if leaves[0] >> STEP == (leaves[1] - 1) >> STEP == block:
            return self._fold(leaves, self._small)
        if leaves not in self._roots:
            self._roots[leaves] = self._fold(leaves, self._hash)
        return self._roots[leaves]

    def _fold(self, leaves: Range, hash_of: Callable[[Subtree], bytes]) -> bytes:
        return merkle.root([hash_of(each) for each in merkle.subtrees(leaves)])

    def _hash(self, tree: Subtree) -> bytes:
        """The root of a full subtree. Raises LookupError where the store lacks a part of it."""
        if tree.level < STEP:
            return self._small(tree)
        found = self._kept.get(tree)
        if found is None:
            if tree.level % STEP == 0:
                raise LookupError(f"a part of the log of epoch {self.epoch} is missing")
            below = (Subtree(tree.level - 1, 2 * tree.position), Subtree(tree.level - 1, 2 * tree.position + 1))
            found = self._kept[tree] = merkle.node_hash(*map(self._hash, below))
        return found

    def _small(self, tree: Subtree) -> bytes:
        """The root of a subtree within one block."""
        block = tree.position >> (STEP - tree.level)
        if block != self._at:
            self._read(block)
        found = self._block.get(tree)
        if found is None:
            if tree.level == 0:
                raise LookupError(f"a part of the log of epoch {self.epoch} is missing")
            below = (Subtree(tree.level - 1, 2 * tree.position), Subtree(tree.level - 1, 2 * tree.position + 1))
            found = self._block[tree] = merkle.node_hash(*map(self._small, below))
        return found

    def _read(self, block: int) -> None:
        first = block << STEP
        here = (_L.facility == self.facility, _L.epoch == self.epoch)
        wanted = select(_L.position, _L.body).where(*here, _L.position >= first, _L.position < first + (1 << STEP))
        rows = self.connection.execute(wanted).all()
        self._at, self._block = block, {Subtree(0, position): merkle.leaf_hash(body) for position, body in rows}
