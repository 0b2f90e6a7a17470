"""Frames of a push, and the hash chain that ties a terminal's operations together (docs/protocol.md §5, §6)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from backend.kernel.ids import b64, sha256, unhash

MAX_OPERATION = 64 * 1024
MAX_OPERATIONS = 500
MAX_BODY = 4 * 1024 * 1024
_LARGEST = 2**53 - 1
_HEADER = re.compile(rb"([1-9][0-9]{0,15}) ([A-Za-z0-9_-]{43}) (0|[1-9][0-9]{0,6})\n")


class Malformed(ValueError):
    """The body is not a row of frames; ``where`` is the offset of the byte at which reading stopped."""

    def __init__(self, where: int) -> None:
        super().__init__(f"frame at byte {where}")
        self.where = where


@dataclass(slots=True)
class Frame:
    """One framed operation: its number, the chain hash that the terminal claims, its bytes."""

    n: int
    hash: bytes
    raw: bytes


def genesis(facility: str, terminal: str, incarnation: int, thumbprint: str) -> bytes:
    """The hash before operation 1: it binds the chain to facility, terminal, incarnation and key."""
    return sha256(f"roundsman/genesis/1\n{facility}\n{terminal}\n{incarnation}\n{thumbprint}\n".encode())


def link(prior: bytes, n: int, raw: bytes) -> bytes:
    """hash(n) from hash(n-1), n and the operation's bytes."""
    return sha256(b"roundsman/op/1\n", prior, n.to_bytes(8, "big"), raw)


def write(frames: Iterator[Frame] | list[Frame]) -> bytes:
    """The body of a push."""
    return b"".join(b"%d %s %d\n%s\n" % (f.n, b64(f.hash).encode(), len(f.raw), f.raw) for f in frames)


def read(body: bytes) -> list[Frame]:
    """The frames of a body. Raises Malformed. Numbers must follow each other; operations may be of any bytes.

    One that is longer than MAX_OPERATION is a frame too: it is set aside alone and never stops its terminal's queue.
    """
    frames: list[Frame] = []
    at = 0
    while at < len(body):
        header = _HEADER.match(body, at)
        if header is None:
            raise Malformed(at)
        number, claimed, length = header.groups()
        n, size, begin = int(number), int(length), header.end()
        after = begin + size
        if n > _LARGEST or size > MAX_BODY or body[after : after + 1] != b"\n":
            raise Malformed(at)
        if frames and n != frames[-1].n + 1:
            raise Malformed(at)
        try:
            frames.append(Frame(n, unhash(claimed.decode("ascii")), body[begin:after]))
        except ValueError:
            raise Malformed(at) from None
        at = after + 1
    if not frames:
        raise Malformed(0)
    return frames
