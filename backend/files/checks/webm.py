"""WebM (RFC 9559 Matroska, RFC 8794 EBML): a header and a segment, of the elements that a recording has, to the end.

A browser's recorder writes segment and clusters of unknown size, which end where the next element of their level begins.
"""

from __future__ import annotations

from collections.abc import Iterator

from backend.files.checks.base import STRUCTURE, TRAILING, Data, Unsafe, number

_HEADER, _SEGMENT, _DOCTYPE = 0x1A45DFA3, 0x18538067, 0x4282
_TRACKS, _TRACK, _SORT = 0x1654AE6B, 0xAE, 0x83
_CLUSTER = 0x1F43B675
_VOID, _CRC = 0xEC, 0xBF
_LEVEL_1 = frozenset({0x114D9B74, 0x1549A966, _TRACKS, _CLUSTER, 0x1C53BB6B, 0x1254C367, _VOID, _CRC})
"""SeekHead, Info, Tracks, Cluster, Cues, Tags. Attachments and Chapters are not taken."""
_IN_CLUSTER = frozenset({0xE7, 0xA3, 0xA0, 0xAB, 0xA7, 0x5854, _VOID, _CRC})
_VIDEO, _SOUND = 1, 2
_MOST = 1_000_000


def check(data: Data) -> str:
    """The media type: of video where a track is. Raises Unsafe."""
    kind, begin, end = _element(data, 0)
    if kind != _HEADER or end is None:
        raise Unsafe(STRUCTURE)
    doctypes = [data[first:last] for each, first, last in _within(data, begin, end) if each == _DOCTYPE]
    if [each.rstrip(b"\0") for each in doctypes] != [b"webm"]:
        raise Unsafe(STRUCTURE)
    kind, begin, last = _element(data, end)
    if kind != _SEGMENT:
        raise Unsafe(STRUCTURE)
    if last is not None and last != len(data):
        raise Unsafe(TRAILING if last < len(data) else STRUCTURE)
    sorts = set(_walk(data, begin))
    if not sorts & {_VIDEO, _SOUND}:
        raise Unsafe(STRUCTURE)
    return "video/webm" if _VIDEO in sorts else "audio/webm"


def _walk(data: Data, at: int) -> Iterator[int]:
    """All elements of the segment to the end of the file; gives what each track is."""
    inside = False
    for _ in range(_MOST):
        if at == len(data):
            return
        kind, begin, end = _element(data, at)
        if kind in _LEVEL_1 and not (inside and kind in _IN_CLUSTER):
            inside = kind == _CLUSTER and end is None
        elif not (inside and kind in _IN_CLUSTER):
            raise Unsafe(TRAILING if inside else STRUCTURE)
        if inside and kind == _CLUSTER:
            at = begin
            continue
        if end is None or end > len(data):
            raise Unsafe(STRUCTURE)
        if kind == _TRACKS:
            yield from _sorts(data, begin, end)
        elif kind == _VOID and data[begin:end].count(0) != end - begin:
            raise Unsafe(TRAILING)
        elif kind == _CLUSTER and any(each not in _IN_CLUSTER for each, _, _ in _within(data, begin, end)):
            raise Unsafe(STRUCTURE)
        at = end
    raise Unsafe(STRUCTURE)


def _sorts(data: Data, begin: int, end: int) -> Iterator[int]:
    for kind, first, last in _within(data, begin, end):
        for each, inner, outer in _within(data, first, last) if kind == _TRACK else ():
            if each == _SORT:
                yield number(data, inner, outer - inner)


def _within(data: Data, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Elements of known size that fill the room between two places."""
    while at < end:
        kind, begin, last = _element(data, at)
        if last is None or last > end:
            raise Unsafe(STRUCTURE)
        yield kind, begin, last
        at = last


def _element(data: Data, at: int) -> tuple[int, int, int | None]:
    """Id, first byte of the body, and end (None: not known) of an element."""
    first = number(data, at, 1)
    width = 9 - first.bit_length()
    if width > 4:
        raise Unsafe(STRUCTURE)
    kind, at = number(data, at, width), at + width
    first = number(data, at, 1)
    width = 9 - first.bit_length()
    if width > 8:
        raise Unsafe(STRUCTURE)
    ones = (1 << 7 * width) - 1
    size, at = number(data, at, width) & ones, at + width
    return kind, at, None if size == ones else at + size
