"""Reading request bodies, a limited number at a time.

A body comes at the speed of its sender, and each one that is being read holds a thread. So many at once, and the next
one is told to come again; routes without a body stay answerable whatever the others do.
"""

from __future__ import annotations

import threading
from typing import IO

from flask import Request

from backend.kernel.problems import Problem

_RETRY_AFTER = 5


class Intake:
    """At most ``most`` bodies at once."""

    def __init__(self, most: int) -> None:
        self._places = threading.BoundedSemaphore(most)

    def read(self, request: Request) -> bytes:
        """The whole body. Raises Problem ``server.busy``."""
        self._enter()
        try:
            return request.get_data(cache=False)
        finally:
            self._places.release()

    def take(self, stream: IO[bytes], length: int) -> bytes:
        """So many bytes of a body, fewer if it ends before. Raises Problem ``server.busy``."""
        self._enter()
        try:
            return stream.read(length)
        finally:
            self._places.release()

    def _enter(self) -> None:
        if not self._places.acquire(blocking=False):
            raise Problem("server.busy", retry_after=_RETRY_AFTER)
