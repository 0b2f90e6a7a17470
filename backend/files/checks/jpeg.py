"""JPEG (ITU-T T.81, Annex B): from SOI over its segments and scans to EOI, and nothing behind that."""

from __future__ import annotations

import re

from backend.files.checks.base import STRUCTURE, TRAILING, Data, Unsafe, check_pixels, number

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x00, 0x01, _SOI, *range(0xD0, 0xD8)})
"""Markers without a segment: none of them stands between segments."""
_NEXT = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""The next marker behind entropy-coded data, in which FF is followed by 00 or is a restart."""
_MOST_SCANS = 64


def check(data: Data) -> str:
    """The media type. Raises Unsafe."""
    if data[:2] != bytes((0xFF, _SOI)):
        raise Unsafe(STRUCTURE)
    at, frames, scans = 2, 0, 0
    while True:
        marker, at = _marker(data, at)
        if marker == _EOI:
            break
        length = number(data, at, 2)
        if marker in _ALONE or length < 2:
            raise Unsafe(STRUCTURE)
        if marker in _FRAMES:
            frames += 1
            check_pixels(number(data, at + 5, 2), number(data, at + 3, 2))
        at += length
        if marker == _SOS:
            scans += 1
            found = _NEXT.search(data, at)
            if found is None or scans > _MOST_SCANS:
                raise Unsafe(STRUCTURE)
            at = found.start()
    if frames != 1 or not scans:
        raise Unsafe(STRUCTURE)
    if at != len(data):
        raise Unsafe(TRAILING)
    return "image/jpeg"


def _marker(data: Data, at: int) -> tuple[int, int]:
    """The marker here, and where it ends; it may have FF before it to fill."""
    if number(data, at, 1) != 0xFF:
        raise Unsafe(STRUCTURE)
    while (marker := number(data, at, 1)) == 0xFF:
        at += 1
    return marker, at + 1
