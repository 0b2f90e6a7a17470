"""A file's bytes as an answer, whole or the range that was asked for (RFC 9110 §14)."""

from __future__ import annotations

import re
from typing import BinaryIO

from flask import Response, request

from backend.kernel.problems import Problem
from mobile_api import problems
from sync.reading.snapshots import pieces

_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))\Z", re.ASCII)


def given(file: BinaryIO, size: int, tag: str, media_type: str) -> Response:
    """The answer to the present request, which closes the open file of ``size`` bytes behind it. ``tag``: of these bytes."""
    span = _span(request.headers.get("Range"), size)
    if span is None:
        file.close()
        refused = problems.answer(Problem("range.invalid", "Range"))
        refused.headers["Content-Range"] = f"bytes */{size}"
        return refused
    first, count = span
    response = Response(pieces(file, first, count), mimetype=media_type)
    if request.method == "HEAD":
        file.close()  # nobody reads, or closes, what a HEAD does not send
    response.call_on_close(file.close)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["ETag"] = f'"{tag}"'
    response.content_length = count
    if count != size:
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {first}-{first + count - 1}/{size}"
    return response


def _span(asked: str | None, size: int) -> tuple[int, int] | None:
    """The first byte and the number of bytes that are wanted; None: no such range.

    Several ranges at once are answered by the whole, as the RFC allows.
    """
    if asked is None or "," in asked:
        return 0, size
    said = _RANGE.match(asked)
    if said is None:
        return None
    first, last, tail = said.groups()
    if tail is not None:
        count = min(int(tail), size)
        return (size - count, count) if count else None
    begin, end = int(first), min(int(last) + 1 if last else size, size)
    return (begin, end - begin) if begin < end else None
