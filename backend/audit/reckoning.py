"""What a leaf says of the memory of the duty rules, so that whoever edits it behind the server's back is found out.

The digest of all watches is the sum of their digests modulo 2²⁵⁶: it follows from the one before it and what has changed.
"""

from __future__ import annotations

from backend.kernel.ids import b64, sha256

ACT = "duties.reckoned"
_MODULUS = 1 << 256


def weight(key: str, body: bytes) -> int:
    """What a watch adds to the sum."""
    return int.from_bytes(sha256(key.encode(), b"\n", body), "big")


def digest(total: int) -> str:
    """The sum of all weights, as a leaf says it."""
    return b64((total % _MODULUS).to_bytes(32, "big"))
