"""Which files are taken, and how large each may be. Everything else is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Type:
    """A kind of file. ``most``: bytes; ``ending``: of the name under which it is given out."""

    most: int
    ending: str


TYPES: Mapping[str, Type] = {
    "image/jpeg": Type(10 * _MIB, "jpg"),
    "image/png": Type(10 * _MIB, "png"),
    "image/webp": Type(10 * _MIB, "webp"),
    "application/pdf": Type(20 * _MIB, "pdf"),
    "audio/mp4": Type(20 * _MIB, "m4a"),
    "audio/webm": Type(20 * _MIB, "weba"),
    "audio/ogg": Type(20 * _MIB, "ogg"),
    "video/mp4": Type(64 * _MIB, "mp4"),
    "video/webm": Type(64 * _MIB, "webm"),
}
"""By media type. The sizes are a local default."""

LARGEST = max(each.most for each in TYPES.values())
