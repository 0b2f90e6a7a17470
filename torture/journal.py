"""The journal: what each actor did and was told, written at the moment it happens, as append-only JSON lines.

It is all that the checker knows of the terminals' side. Every line has ``us`` (monotonic microseconds, one clock for
the whole run), ``ms`` (wall clock), ``who`` and ``what``; the further keys belong to the event.
"""

from __future__ import annotations

import base64
import time
from pathlib import Path
from threading import Lock
from typing import Any

import orjson


def packed(raw: bytes) -> str:
    """Bytes as a journal keeps them: base64."""
    return base64.b64encode(raw).decode("ascii")


def unpacked(text: str) -> bytes:
    """The reverse of ``packed``."""
    return base64.b64decode(text)


class Journal:
    """One actor's journal; any of its threads may write."""

    def __init__(self, folder: Path, who: str) -> None:
        self.who = who
        self._lock = Lock()
        self._file = (folder / f"{who}.jsonl").open("ab", buffering=1 << 16)

    def note(self, what: str, **facts: Any) -> int:
        """Writes an event; returns its moment in monotonic microseconds."""
        with self._lock:
            moment = time.monotonic_ns() // 1000
            begin = {"us": moment, "ms": time.time_ns() // 1_000_000, "who": self.who, "what": what}
            self._file.write(orjson.dumps(begin | facts) + b"\n")
        return moment

    def close(self) -> None:
        """Writes out what is buffered: the driver is never killed, so it may wait until here."""
        with self._lock:
            self._file.close()
