"""Identifiers, digests and their spelling."""

from __future__ import annotations

import binascii
import hashlib
import os
import re
import threading

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
FACILITY = re.compile(r"[A-Z0-9-]{2,16}")
HASH_BYTES = 32
_URL_SAFE, _STANDARD = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")

_lock = threading.Lock()
_last = 0


def uuid7(moment: int) -> str:
    """A UUIDv7 (RFC 9562 §5.7) for the given milliseconds.

    Ids made in one process rise even within a millisecond, so that they lie side by side in an index: the 74 bits
    beside the time count up from a random start instead of being drawn anew.
    """
    global _last
    fresh = (moment << 74) | int.from_bytes(os.urandom(9), "big")
    with _lock:
        _last = fresh if fresh >> 74 > _last >> 74 else _last + 1
        value = _last
    stamp, rest = value >> 74, value & ((1 << 74) - 1)
    number = (stamp << 80) | (0x7 << 76) | ((rest >> 62) << 64) | (0b10 << 62) | (rest & ((1 << 62) - 1))
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def b64(data: bytes) -> str:
    """Base64url without padding (RFC 4648 §5)."""
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE).rstrip(b"=").decode("ascii")


def unb64(text: str) -> bytes:
    """The bytes of base64url text. Raises ValueError when it is not the one canonical spelling of them."""
    data = binascii.a2b_base64(text.encode("ascii").translate(_STANDARD) + b"=" * (-len(text) % 4))
    if b64(data) != text:  # whatever the decoder passes over: foreign signs, bits beyond the end
        raise ValueError("not canonical base64url")
    return data


def unhash(text: str) -> bytes:
    """The 32 bytes of a hash in base64url. Raises ValueError otherwise."""
    data = unb64(text)
    if len(data) != HASH_BYTES:
        raise ValueError("not a hash of 32 bytes")
    return data


def sha256(*parts: bytes) -> bytes:
    """SHA-256 over the parts, one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()


def derived(parent: str, purpose: str) -> str:
    """A UUIDv7 that follows from another one: its moment, and a digest of it and a purpose for the rest."""
    digest = int.from_bytes(sha256(f"{parent}\n{purpose}\n".encode())[:10], "big")
    text = parent.replace("-", "")[:12] + f"{(0x7 << 76) | (digest & ~(0xF << 76)):020x}"
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{variant}{text[17:20]}-{text[20:]}"


def named(moment: int, purpose: str) -> str:
    """The UUIDv7 of a moment and a purpose: whoever makes it, and whenever, it is the same."""
    return derived(f"{moment:012x}", purpose)


def moment_of(uuid: str) -> int:
    """The milliseconds in a UUIDv7: when whoever made it says that it was made."""
    return int(uuid[:8] + uuid[9:13], 16)
