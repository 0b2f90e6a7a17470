"""A file's media type by its content, or the Problem that it is."""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import filetype

from backend.files.checks import archives, jpeg, mp4, ogg, pdf, png, webm, webp
from backend.files.checks.base import STRUCTURE, Data, Unsafe
from backend.kernel.problems import Problem

_HEAD = 8192
_CHECKS: Mapping[str, Callable[[Data], str]] = {
    "image/jpeg": jpeg.check,
    "image/png": png.check,
    "image/webp": webp.check,
    "application/pdf": pdf.check,
    "video/mp4": mp4.check,
    "video/x-m4v": mp4.check,
    "audio/mp4": mp4.check,
    "video/webm": webm.check,
    "audio/ogg": ogg.check,
}
"""What the first bytes look like (library filetype) → the check that reads them all."""


def media_type(path: Path) -> str:
    """The media type of a file that is whole and nothing but that.

    Raises Problem ``file.type`` when it is none that is taken, ``file.unsafe`` with the reason.
    """
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        check = _CHECKS.get(filetype.guess_mime(data[:_HEAD]) or "")
    except (ValueError, IndexError):  # it stumbles over heads that say less than they should
        check = None
    if check is None:
        raise Problem("file.type")
    try:
        archives.check(data)
        return check(data)
    except Unsafe as unsafe:
        raise Problem("file.unsafe", reason=unsafe.reason) from None
    except (ValueError, IndexError, zlib.error):
        raise Problem("file.unsafe", reason=STRUCTURE) from None
