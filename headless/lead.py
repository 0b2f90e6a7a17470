"""Who leads: of all threads and processes on one terminal's file, one at a time speaks with the server.

Captures need no lead. A lock of the operating system on a file beside the database ends with its holder, however he
dies; a row in the database would have to be doubted.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headless.errors import Busy

PATIENCE = 90.0  # seconds to wait for the one who leads; a request of his may take a minute
_POLL = 0.02


class Lead:
    """The lock of one file. Reentrant within a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lead")
        self._within = threading.RLock()
        self._file: int | None = None
        self._depth = 0

    def close(self) -> None:
        """Let go of the file."""
        with self._within:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    @contextmanager
    def held(self, patience: float = PATIENCE) -> Iterator[None]:
        """Lead while the block runs. Raises Busy when another still leads after `patience` seconds."""
        until = time.monotonic() + patience
        if not self._within.acquire(timeout=patience):
            raise Busy("another thread leads this terminal")
        try:
            if self._depth == 0:
                self._take(until)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0 and self._file is not None:
                    fcntl.flock(self._file, fcntl.LOCK_UN)
        finally:
            self._within.release()

    def _take(self, until: float) -> None:
        if self._file is None:
            self._file = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() > until:
                    raise Busy("another process leads this terminal") from error
                time.sleep(_POLL)
