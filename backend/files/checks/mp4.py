"""MP4 and M4A (ISO/IEC 14496-12): boxes that fill the file, of the kinds that a recording has."""

from __future__ import annotations

from collections.abc import Iterator

from backend.files.checks.base import STRUCTURE, TRAILING, Data, Unsafe, number

_TOP = frozenset(
    {
        b"ftyp",
        b"styp",
        b"moov",
        b"moof",
        b"mdat",
        b"mfra",
        b"free",
        b"skip",
        b"wide",
        b"sidx",
        b"ssix",
        b"prft",
        b"emsg",
        b"pdin",
    }
)
_ROOM = frozenset({b"free", b"skip", b"wide"})
_TOLD = 4096
"""What a box that keeps room may hold besides zeros: programs sign themselves there."""
_MOST_BOXES = 100_000


def check(data: Data) -> str:
    """The media type: of video where a track is. Raises Unsafe."""
    handlers: set[bytes] = set()
    films = 0
    for number_, (kind, begin, end) in enumerate(_boxes(data, 0, len(data))):
        if kind not in _TOP or (kind == b"ftyp") != (number_ == 0):
            raise Unsafe(STRUCTURE)
        if kind in _ROOM and end - begin > _TOLD and data[begin + _TOLD : end].count(0) != end - begin - _TOLD:
            raise Unsafe(TRAILING)
        if kind == b"moov":
            films += 1
            handlers |= set(_handlers(data, begin, end))
    if films != 1 or not handlers & {b"vide", b"soun"}:
        raise Unsafe(STRUCTURE)
    return "video/mp4" if b"vide" in handlers else "audio/mp4"


def _boxes(data: Data, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first byte of the body, and end of each box between two places, which they must fill."""
    for _ in range(_MOST_BOXES):
        if at == end:
            return
        if end - at < 8:
            raise Unsafe(TRAILING)
        size, kind, begin = number(data, at, 4), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, begin = number(data, at + 8, 8), at + 16
        if at + size > end or at + size < begin:
            raise Unsafe(STRUCTURE)
        yield kind, begin, at + size
        at += size
    raise Unsafe(STRUCTURE)


def _handlers(data: Data, begin: int, end: int) -> Iterator[bytes]:
    """What each track of a film is: ``vide``, ``soun``, …"""
    for track, first, last in _boxes(data, begin, end):
        for media, inner, outer in _boxes(data, first, last) if track == b"trak" else ():
            for kind, at, _ in _boxes(data, inner, outer) if media == b"mdia" else ():
                if kind == b"hdlr":
                    yield data[at + 8 : at + 12]
