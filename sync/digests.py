"""Digests by which a terminal and the server find out that they hold the same rows (docs/protocol.md §8). Pure.

A digest is a sum, so that one row changes it by two additions, whatever else the partition holds, and the sums of the
buckets add up to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from backend.kernel.ids import HASH_BYTES, b64

BUCKETS = 256
MODULUS = 1 << (8 * HASH_BYTES)
NOTHING = bytes(HASH_BYTES)
"""The digest of no rows at all."""
ENTRY_SIGNS = 8
"""Of a term in base64url: 48 bits, enough to tell a row from another version of itself."""


def term(record: str, version: int, body: bytes) -> int:
    """The term of a row: a number below MODULUS."""
    return int.from_bytes(hashlib.sha256(b"%b\n%d\n%b" % (record.encode(), version, body)).digest(), "big")


def bucket(record: str) -> int:
    """Which of the 256 buckets a record is in, from its id alone."""
    return hashlib.sha256(record.encode()).digest()[0]


def packed(total: int) -> bytes:
    """A sum as it is kept: 32 bytes, big endian."""
    return (total % MODULUS).to_bytes(HASH_BYTES, "big")


def unpacked(kept: bytes | None) -> int:
    """The sum that is kept; nothing kept is the sum of nothing."""
    return int.from_bytes(kept or b"", "big")


def spelt(total: int) -> str:
    """A sum as it is sent: base64url."""
    return b64(packed(total))


def sign(found: int) -> str:
    """The first eight characters of a term."""
    return spelt(found)[:ENTRY_SIGNS]


def sums(terms: Iterable[tuple[str, int]]) -> list[int]:
    """(record, term) → the sum of each bucket."""
    found = [0] * BUCKETS
    for record, each in terms:
        found[bucket(record)] += each
    return [each % MODULUS for each in found]
