"""What a serving process does first when it is told to stop.

The HTTP server waits for its open requests before it goes, and a stream is one that does not end by itself. Its own
handlers for the signals are put in after the application is made, so that they cannot be wrapped; Python tells of every
signal on a descriptor besides (``signal.set_wakeup_fd``).
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from multiprocessing.util import Finalize

_STOPS = frozenset({signal.SIGTERM, signal.SIGINT})


def when_stopping(work: Callable[[], None]) -> None:
    """Has ``work`` done in a thread of its own at every SIGTERM and SIGINT. Only from the main thread, and once."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

    def watch(_kept_open: socket.socket) -> None:
        while told := reader.recv(64):
            if _STOPS.intersection(told):
                work()

    threading.Thread(target=watch, args=(writer,), name="stopping", daemon=True).start()


def at_the_end(work: Callable[[], object], *, priority: int = 0) -> None:
    """Has ``work`` done by the main thread when the process ends; what has a higher priority comes first.

    The server's workers are processes that multiprocessing starts, and those pass over ``atexit``.
    """
    Finalize(None, work, exitpriority=priority)
