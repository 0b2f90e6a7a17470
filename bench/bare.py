"""The least that can hold streams: a thread each, woken by a bell. What the hub costs on top is measured against it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

HEARTBEAT = 15.0
_ROW = b'event: alarm\ndata: {"partition":"","row":{"received_at":"%s","doc":"%s"}}\n\n'
_bells: dict[threading.Lock, bytes] = {}


def _stream(bell: threading.Lock) -> Iterator[bytes]:
    yield b'event: hello\ndata: {"heartbeat":15}\n\n'
    try:
        while True:
            yield _bells[bell] if bell.acquire(timeout=HEARTBEAT) else b": beat\n\n"
    finally:
        del _bells[bell]


def _ring() -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    row = _ROW % (now.encode(), b"x" * 700)
    for bell in list(_bells):
        _bells[bell] = row
        with contextlib.suppress(RuntimeError):
            bell.release()


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """WSGI: ``/v1/sync/stream`` holds a stream, ``/ring`` tells all of them, anything else is answered."""
    path = environ["PATH_INFO"]
    if path == "/v1/sync/stream":
        bell = threading.Lock()
        bell.acquire()
        _bells[bell] = b""
        start("200 OK", [("Content-Type", "text/event-stream")])
        return _stream(bell)
    if path == "/ring":
        _ring()
    start("200 OK", [("DPoP-Nonce", str(time.time()))])
    return [b"{}"]
