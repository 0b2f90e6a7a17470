"""Terms, sums and buckets of rows (protocol section 8). Pure."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from headless.chain import b64u, sha256, unb64u

BUCKETS = 256
SHOWN = 8  # characters of a term that an entry has


def body_of(row: dict[str, object]) -> bytes:
    """The row's bytes as they were sent: compact JSON, nothing escaped that RFC 8259 does not demand."""
    return orjson.dumps(row)


def term(id_: str, version: int, body: bytes) -> str:
    """What a row adds to its partition's digest, as base64url."""
    return b64u(sha256(f"{id_}\n{version}\n".encode("ascii"), body))


def bucket(id_: str) -> int:
    """0-255, by the record's id."""
    return sha256(id_.encode("ascii"))[0]


class Sum:
    """Terms added modulo 2^256. The sum of none is zero."""

    def __init__(self, text: str | None = None) -> None:
        self._value = 0 if text is None else int.from_bytes(unb64u(text), "big")

    def add(self, term_: str) -> None:
        self._value = (self._value + int.from_bytes(unb64u(term_), "big")) % (1 << 256)

    def subtract(self, term_: str) -> None:
        self._value = (self._value - int.from_bytes(unb64u(term_), "big")) % (1 << 256)

    def text(self) -> str:
        """32 bytes, big endian, as base64url."""
        return b64u(self._value.to_bytes(32, "big"))


def total(terms: Iterable[str]) -> str:
    """The digest of rows with these terms."""
    sum_ = Sum()
    for each in terms:
        sum_.add(each)
    return sum_.text()


def by_bucket(terms: Iterable[tuple[str, str]]) -> list[str]:
    """The 256 sums of (id, term)."""
    sums = [Sum() for _ in range(BUCKETS)]
    for id_, each in terms:
        sums[bucket(id_)].add(each)
    return [sum_.text() for sum_ in sums]
