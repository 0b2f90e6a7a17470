"""Ogg (RFC 3533) with sound (RFC 7845 Opus, Vorbis, FLAC): pages that fill the file. Their sums are not computed."""

from __future__ import annotations

from backend.files.checks.base import STRUCTURE, TRAILING, Data, Unsafe, number

_SOUNDS = (b"OpusHead", b"\x01vorbis", b"\x7fFLAC")
_BEGINS = 0x02
_HEADER = 27
_MOST_PAGES = 100_000


def check(data: Data) -> str:
    """The media type. Raises Unsafe."""
    at, streams = 0, set()
    for _ in range(_MOST_PAGES):
        if at == len(data):
            break
        if data[at : at + 5] != b"OggS\0":
            raise Unsafe(TRAILING if at else STRUCTURE)
        segments = number(data, at + 26, 1)
        table = data[at + _HEADER : at + _HEADER + segments]
        body, serial = at + _HEADER + segments, data[at + 14 : at + 18]
        if number(data, at + 5, 1) & _BEGINS:
            if not data[body : body + 8].startswith(_SOUNDS):
                raise Unsafe(STRUCTURE)
            streams.add(serial)
        elif serial not in streams:
            raise Unsafe(STRUCTURE)
        at = body + sum(table)
    if at != len(data) or not streams:
        raise Unsafe(STRUCTURE)
    return "audio/ogg"
