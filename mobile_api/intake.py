"""Reading the bodies of all requests but pushes, a limited number at a time (those of pushes: ``sync.writing.entrance``).

A body comes at the speed of its sender, and each one that is being read holds a thread. So many at once, and the next
one is told to come again; routes without a body stay answerable whatever the others do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from flask import Request

from backend.kernel.problems import Problem

_RETRY_AFTER = 5


class Intake:
    """At most ``most`` bodies at once."""

    def __init__(self, most: int) -> None:
        self._places = threading.BoundedSemaphore(most)

    def read(self, request: Request) -> bytes:
        """The whole body. Raises Problem ``server.busy``."""
        return self.take(partial(request.get_data, cache=False))

    def take(self, read: Callable[[], bytes]) -> bytes:
        """What ``read`` gives of a body. Raises Problem ``server.busy``."""
        if not self._places.acquire(blocking=False):
            raise Problem("server.busy", retry_after=_RETRY_AFTER)
        try:
            return read()
        finally:
            self._places.release()
