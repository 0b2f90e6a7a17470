"""WebP (RFC 9649): a RIFF whose length is the file's, with one picture that does not move."""

from __future__ import annotations

from backend.files.checks.base import ANIMATED, STRUCTURE, TRAILING, Data, Unsafe, check_pixels, little

_BESIDE = frozenset({b"VP8X", b"ALPH", b"ICCP", b"EXIF", b"XMP "})
_MOVING = frozenset({b"ANIM", b"ANMF"})
_ANIMATION = 0x02


def check(data: Data) -> str:
    """The media type. Raises Unsafe."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        raise Unsafe(STRUCTURE)
    end = little(data, 4, 4) + 8
    if end != len(data):
        raise Unsafe(TRAILING if end < len(data) else STRUCTURE)
    at, pictures = 12, 0
    while at < end:
        kind, size = data[at : at + 4], little(data, at + 4, 4)
        if kind in _MOVING:
            raise Unsafe(ANIMATED)
        if kind in (b"VP8 ", b"VP8L"):
            pictures += 1
            check_pixels(*(_lossy if kind == b"VP8 " else _lossless)(data, at + 8))
        elif kind not in _BESIDE:
            raise Unsafe(STRUCTURE)
        if kind == b"VP8X":
            _extended(data, at + 8)
        at += 8 + size + size % 2
    if at != end or pictures != 1:
        raise Unsafe(STRUCTURE)
    return "image/webp"


def _extended(data: Data, at: int) -> None:
    if little(data, at, 1) & _ANIMATION:
        raise Unsafe(ANIMATED)
    check_pixels(little(data, at + 4, 3) + 1, little(data, at + 7, 3) + 1)


def _lossy(data: Data, at: int) -> tuple[int, int]:
    """Width and height of a VP8 key frame (RFC 6386 §9.1)."""
    if data[at + 3 : at + 6] != b"\x9d\x01\x2a":
        raise Unsafe(STRUCTURE)
    return little(data, at + 6, 2) & 0x3FFF, little(data, at + 8, 2) & 0x3FFF


def _lossless(data: Data, at: int) -> tuple[int, int]:
    """Width and height of a VP8L picture (RFC 9649 §3.4)."""
    if little(data, at, 1) != 0x2F:
        raise Unsafe(STRUCTURE)
    bits = little(data, at + 1, 4)
    return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
