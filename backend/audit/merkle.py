"""The tree of RFC 9162 §2.1: pure functions over hashes. A log is kept as its peaks; proofs name subtrees of it.

A subtree is a pair of level and position: level 0 are the leaf hashes, the subtree (level, position) covers the leaves
from ``position << level`` to before ``(position + 1) << level``. Those of every eighth level are kept (``grow``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import NamedTuple

from backend.kernel.ids import sha256

EMPTY_ROOT = sha256()
STEP = 8
"""Of the inner nodes those of levels 8, 16, 24 … are kept: a row for 256 leaves, and one for 256 of those."""


class Node(NamedTuple):
    """The root of a full subtree."""

    level: int
    position: int
    hash: bytes


class Subtree(NamedTuple):
    """A full subtree by its place."""

    level: int
    position: int


Range = tuple[int, int]
"""Leaves from the first number to before the second."""


def leaf_hash(body: bytes) -> bytes:
    """Hash of a leaf: SHA-256(0x00 ‖ body)."""
    return sha256(b"\x00", body)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01", left, right)


def grow(size: int, peaks: list[bytes], leaves: Iterable[bytes]) -> tuple[int, list[bytes], list[Node]]:
    """Size and peaks after adding leaf hashes, and the nodes of every eighth level that they completed.

    Peaks are the roots of the full subtrees, largest first: one for each 1 in the binary form of ``size``. A new leaf
    merges with as many peaks as ``size`` ends in ones.
    """
    grown, nodes = list(peaks), list[Node]()
    for leaf in leaves:
        carried, bits, level = leaf, size, 0
        while bits & 1:
            carried = node_hash(grown.pop(), carried)
            bits >>= 1
            level += 1
            if not level % STEP:
                nodes.append(Node(level, size >> level, carried))
        grown.append(carried)
        size += 1
    return size, grown, nodes


def extend(size: int, peaks: list[bytes], leaves: Iterable[bytes]) -> tuple[int, list[bytes]]:
    """Size and peaks after adding leaf hashes, as ``grow``."""
    return grow(size, peaks, leaves)[:2]


def root(peaks: Sequence[bytes]) -> bytes:
    """The tree hash of RFC 9162 §2.1.1 from its peaks."""
    if not peaks:
        return EMPTY_ROOT
    folded = peaks[-1]
    for peak in reversed(peaks[:-1]):
        folded = node_hash(peak, folded)
    return folded


def subtrees(leaves: Range) -> list[Subtree]:
    """The full subtrees that a range of a proof is made of, largest first: ``root`` folds their hashes into its one."""
    start, end = leaves
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append(Subtree(level, start >> level))
        start += 1 << level
    return found


def inclusion(position: int, size: int) -> list[Range]:
    """PATH(m, D_n) of RFC 9162 §2.1.3.1: the ranges whose roots prove that a leaf is in a tree of ``size`` leaves.

    Raises ValueError unless 0 ≤ position < size.
    """
    if not 0 <= position < size:
        raise ValueError("no such leaf")
    path: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        left = position < middle
        path.append((middle, end) if left else (start, middle))
        start, end = (start, middle) if left else (middle, end)
    return path[::-1]


def consistency(first: int, second: int) -> list[Range]:
    """PROOF(m, D_n) of RFC 9162 §2.1.4.1: the ranges whose roots prove that a log only grew from ``first`` leaves on.

    Raises ValueError unless 0 < first ≤ second.
    """
    if not 0 < first <= second:
        raise ValueError("no such sizes")
    path: list[Range] = []
    start, end = 0, second
    while first != end:
        middle = start + _split(end - start)
        left = first <= middle
        path.append((middle, end) if left else (start, middle))
        start, end = (start, middle) if left else (middle, end)
    if start:
        path.append((start, end))  # where it is the whole of the first tree, its root is known
    return path[::-1]


def verify_inclusion(leaf: bytes, position: int, size: int, path: Sequence[bytes], expected: bytes) -> None:
    """RFC 9162 §2.1.3.2: the leaf of this hash is at ``position`` in the tree of ``size`` leaves with this root.

    Raises ValueError where the path does not prove it.
    """
    if not 0 <= position < size:
        raise ValueError("no such leaf")
    fn, sn, found = position, size - 1, leaf
    for step in path:
        if sn == 0:
            raise ValueError("the path is too long")
        if fn & 1 or fn == sn:
            found = node_hash(step, found)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node_hash(found, step)
        fn, sn = fn >> 1, sn >> 1
    if sn or found != expected:
        raise ValueError("the path does not lead to this root")


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]) -> None:
    """RFC 9162 §2.1.4.2: the tree of ``first`` leaves is the beginning of the one of ``second`` leaves.

    Raises ValueError where the path does not prove it.
    """
    if not 0 < first <= second:
        raise ValueError("no such sizes")
    if first == second:
        if path or first_root != second_root:
            raise ValueError("two roots for one size")
        return
    steps = list(path) if first & (first - 1) else [first_root, *path]
    if not steps:
        raise ValueError("the path is empty")
    ones = sum(1 for _ in takewhile(lambda level: first - 1 >> level & 1, range(first.bit_length())))
    fn, sn = first - 1 >> ones, second - 1 >> ones
    one = other = steps[0]
    for step in steps[1:]:
        if sn == 0:
            raise ValueError("the path is too long")
        if fn & 1 or fn == sn:
            one, other = node_hash(step, one), node_hash(step, other)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            other = node_hash(other, step)
        fn, sn = fn >> 1, sn >> 1
    if sn or one != first_root or other != second_root:
        raise ValueError("the path does not lead from the one root to the other")


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1
