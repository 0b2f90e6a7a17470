"""What the checks share."""

from __future__ import annotations

import mmap

Data = mmap.mmap | bytes
"""A file's bytes, mapped: a check reads any part of them without holding all."""

TRAILING = "trailing"
"""There are bytes behind the end."""
STRUCTURE = "structure"
"""It is damaged, or not made as its format says."""
ARCHIVE = "archive"
"""An archive is hidden in it."""
PIXELS = "pixels"
"""It unfolds to a larger picture than is taken."""
COMPRESSED = "compressed"
"""Something in it unfolds to more than it should."""
ANIMATED = "animated"
"""A picture that moves."""
ACTIVE = "active"
"""It can act by itself, carries other files, or is locked."""

MOST_PIXELS = 64_000_000
MOST_SIDE = 32_767


class Unsafe(Exception):
    """Why a file is not taken; one of the words above."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check_pixels(width: int, height: int) -> None:
    """Raises Unsafe for a picture without extent, or with too much."""
    if not (width and height):
        raise Unsafe(STRUCTURE)
    if width > MOST_SIDE or height > MOST_SIDE or width * height > MOST_PIXELS:
        raise Unsafe(PIXELS)


def number(data: Data, at: int, size: int) -> int:
    """A big-endian number of so many bytes. Raises Unsafe beyond the end."""
    found = data[at : at + size]
    if len(found) != size:
        raise Unsafe(STRUCTURE)
    return int.from_bytes(found, "big")


def little(data: Data, at: int, size: int) -> int:
    """The same, little-endian."""
    found = data[at : at + size]
    if len(found) != size:
        raise Unsafe(STRUCTURE)
    return int.from_bytes(found, "little")
