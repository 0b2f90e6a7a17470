"""Bytes, hashes, frames, ids and times of the protocol. Pure, except for the uuid7 counter."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import threading
import time
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from headless.errors import Refused

MAX_INT = 2**53  # whole numbers stay below it in absolute value (RFC 8259 section 6, protocol section 1)
MAX_OPERATION = 64 * 1024  # bytes an operation (section 6)
MAX_BODY = 4 * 1024 * 1024  # bytes a push (section 6)
MAX_BATCH = 500  # operations a push (section 6)
MAX_AFTER = 64  # operations that one can name in `after` (section 5)


def b64u(data: bytes) -> str:
    """base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64u(text: str) -> bytes:
    """The reverse of `b64u`. Raises ValueError for anything else, padding included."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64url") from error
    if b64u(raw) != text:
        raise ValueError("not base64url without padding")
    return raw


def sha256(*parts: bytes) -> bytes:
    """SHA-256 over the parts, one after the other."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def genesis(facility: str, terminal: str, incarnation: int, thumbprint: str) -> str:
    """The hash before operation 1 (protocol section 2), as base64url."""
    text = f"roundsman/genesis/1\n{facility}\n{terminal}\n{incarnation}\n{thumbprint}\n"
    return b64u(sha256(text.encode("ascii")))


def link(prior: str, n: int, raw: bytes) -> str:
    """hash(n) from hash(n-1) as base64url, the number and the operation's bytes (protocol section 5)."""
    return b64u(sha256(b"roundsman/op/1\n", unb64u(prior), n.to_bytes(8, "big"), raw))


def frame(n: int, digest: str, raw: bytes) -> bytes:
    """One operation as it stands in a push (protocol section 6)."""
    return b"%d %s %d\n%b\n" % (n, digest.encode("ascii"), len(raw), raw)


def frames(operations: Iterable[tuple[int, str, bytes]]) -> bytes:
    """The body of a push from (n, hash, bytes)."""
    return b"".join(frame(n, digest, raw) for n, digest, raw in operations)


def canonical(operation: dict[str, Any]) -> bytes:
    """An operation's bytes: compact UTF-8 JSON, written once and never again.

    Raises Refused for what the protocol cannot carry (floats, big numbers, NUL, lone surrogates, too long).
    """
    _check(operation, "operation")
    try:
        raw = orjson.dumps(operation)
    except (TypeError, ValueError) as error:  # a lone surrogate, or a type that JSON has not
        raise Refused(f"operation: {error}") from error
    if len(raw) > MAX_OPERATION:
        raise Refused(f"operation: {len(raw)} bytes are more than {MAX_OPERATION}")
    return raw


def _check(value: object, where: str) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        if "\0" in value:
            raise Refused(f"{where}: NUL in a text")
    elif isinstance(value, int):
        if abs(value) >= MAX_INT:
            raise Refused(f"{where}: {value} is beyond 2^53")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise Refused(f"{where}: the key {key!r} is no text")
            _check(key, where)
            _check(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check(item, f"{where}.{index}")
    else:
        raise Refused(f"{where}: {type(value).__name__} cannot be carried (decimals travel as texts)")


class _Uuid7:
    """Time-ordered ids (RFC 9562 section 5.7), rising within this process (section 6.2, method 2)."""

    RANDOM_BITS = 74

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._milliseconds = 0
        self._random = 0

    def __call__(self) -> str:
        with self._lock:
            now = time.time_ns() // 1_000_000
            if now > self._milliseconds:
                self._milliseconds = now
                self._random = secrets.randbits(self.RANDOM_BITS)
            else:  # the same millisecond, or the clock stepped back: count on from the last id
                self._random += 1 + secrets.randbits(32)
                if self._random >> self.RANDOM_BITS:
                    self._milliseconds += 1
                    self._random = secrets.randbits(self.RANDOM_BITS - 1)
            high, low = self._random >> 62, self._random & (2**62 - 1)
            value = (self._milliseconds << 80) | (7 << 76) | (high << 64) | (0b10 << 62) | low
            return str(uuid.UUID(int=value))


uuid7 = _Uuid7()


def rfc3339(moment: datetime) -> str:
    """UTC, exactly three decimals, `Z` (protocol section 1). A time without a zone is Refused."""
    if moment.tzinfo is None:
        raise Refused("a time without a zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
