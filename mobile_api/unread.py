"""Saying that a connection ends with an answer that came before its request's body was read.

Who is refused by his headers alone is answered at once, so that nobody is kept waiting by a body that never comes. The
HTTP server cannot use that connection again, for it does not know where the body ends, and closes it; a client that
is not told (RFC 9112 §9.6) sends its next request into it and takes the silence for a lost network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Environ = dict[str, Any]
Start = Callable[..., Any]
_CLOSE = ("Connection", "close")


class _Body:
    """A request's body, which knows whether it was read. ``length``: None when it has none that is told."""

    def __init__(self, stream: Any, length: int | None) -> None:
        self._stream = stream
        self._left = length

    @property
    def unread(self) -> bool:
        return self._left is None or self._left > 0

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._stream.read(size)
        if self._left is not None:
            self._left -= len(data)
        elif not data or size < 0:
            self._left = 0
        return data


def closing(environ: Environ, start: Start) -> Start:
    """``start``, which adds ``Connection: close`` where the body is unread by then."""
    length = environ.get("CONTENT_LENGTH") or ""
    if "HTTP_TRANSFER_ENCODING" not in environ and length in ("", "0"):
        return start
    told = int(length) if length.isascii() and length.isdigit() and len(length) < 16 else None
    body = environ["wsgi.input"] = _Body(environ["wsgi.input"], told)

    def started(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        return start(status, [*headers, _CLOSE] if body.unread else headers, *((exc_info,) if exc_info else ()))

    return started
