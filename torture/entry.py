"""The application of a tortured server: production's, with a clock that the torture can move and, if one is named in
``ROUNDSMAN_TORTURE_BROKEN``, one thing broken on purpose (``torture/broken``).

``ROUNDSMAN_TORTURE_CLOCK`` names a file that holds milliseconds to add to the machine's clock.
"""

from __future__ import annotations

import importlib
import os
import time
from pathlib import Path

from flask import Flask

import wsgi
from backend.kernel import clock
from tasks import schedule


class ShiftedClock:
    """The machine's clock plus what stands in a file, read at most ten times a second."""

    def __init__(self) -> None:
        self._file = Path(os.environ["ROUNDSMAN_TORTURE_CLOCK"])
        self._shift, self._read = 0, 0.0

    def now(self) -> int:
        """Milliseconds since 1970 UTC."""
        moment = time.monotonic()
        if moment - self._read > 0.1:
            self._read = moment
            text = self._file.read_text().strip() if self._file.exists() else ""
            self._shift = int(text or 0)
        return time.time_ns() // 1_000_000 + self._shift


OFTEN = 2
"""Seconds between two rounds of a chore that production does every half minute, or hour."""


def _prepare() -> None:
    wsgi.CUSTODY_SECONDS = wsgi.REMOVALS_SECONDS = schedule.HIGH_WATER_SECONDS = OFTEN
    clock.SystemClock = wsgi.SystemClock = ShiftedClock  # type: ignore[misc,assignment,attr-defined]
    name = os.environ.get("ROUNDSMAN_TORTURE_BROKEN")
    if name:
        importlib.import_module(f"torture.broken.{name}")


def serve() -> Flask:
    """What the HTTP server loads."""
    _prepare()
    return wsgi.serve()


def create() -> Flask:
    """The same without what happens on a clock: for the administrator's process, which is never broken."""
    os.environ.pop("ROUNDSMAN_TORTURE_BROKEN", None)
    _prepare()
    return wsgi.create_app()
