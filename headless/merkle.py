"""Proofs that the server's log only grew (RFC 9162 section 2.1.4.2, protocol section 12)."""

from __future__ import annotations

from collections.abc import Sequence

from headless.chain import sha256


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]) -> None:
    """The log of `first` leaves is the beginning of the one of `second`. Raises ValueError when this does not prove it."""
    if not 0 < first <= second:
        raise ValueError("sizes that cannot be")
    if first == second:
        if path or first_root != second_root:
            raise ValueError("two roots for one size")
        return
    steps = list(path)
    if first & (first - 1) == 0:
        steps.insert(0, first_root)
    if not steps:
        raise ValueError("nothing is proved")
    old, new = first - 1, second - 1
    while old & 1:
        old, new = old >> 1, new >> 1
    one = other = steps[0]
    for step in steps[1:]:
        if new == 0:
            raise ValueError("more than there can be")
        if old & 1 or old == new:
            one, other = sha256(b"\x01" + step + one), sha256(b"\x01" + step + other)
            while old and not old & 1:
                old, new = old >> 1, new >> 1
        else:
            other = sha256(b"\x01" + other + step)
        old, new = old >> 1, new >> 1
    if new or one != first_root or other != second_root:
        raise ValueError("it leads from another root, or to another")
