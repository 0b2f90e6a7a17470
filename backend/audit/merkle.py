"""The tree of RFC 9162 §2.1, kept as its peaks: pure functions over hashes."""

from __future__ import annotations

from collections.abc import Iterable

from backend.kernel.ids import sha256

EMPTY_ROOT = sha256()


def leaf_hash(body: bytes) -> bytes:
    """Hash of a leaf: SHA-256(0x00 ‖ body)."""
    return sha256(b"\x00", body)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01", left, right)


def extend(size: int, peaks: list[bytes], leaves: Iterable[bytes]) -> tuple[int, list[bytes]]:
    """Size and peaks after adding leaf hashes. Peaks are the roots of the full subtrees, largest first.

    There is one peak for each 1 in the binary form of ``size``; a new leaf merges with as many peaks as ``size``
    ends in ones.
    """
    grown = list(peaks)
    for leaf in leaves:
        carried, bits = leaf, size
        while bits & 1:
            carried = node_hash(grown.pop(), carried)
            bits >>= 1
        grown.append(carried)
        size += 1
    return size, grown


def root(peaks: list[bytes]) -> bytes:
    """The tree hash of RFC 9162 §2.1.1 from its peaks."""
    if not peaks:
        return EMPTY_ROOT
    folded = peaks[-1]
    for peak in reversed(peaks[:-1]):
        folded = node_hash(peak, folded)
    return folded
