"""The application of a tortured server: production's, with a clock that the torture can move and, for each name in
``ROUNDSMAN_TORTURE_BROKEN``, one thing broken on purpose (``torture/broken``).

``ROUNDSMAN_TORTURE_CLOCK`` names a file that holds milliseconds to add to the machine's clock.
"""

from __future__ import annotations

import importlib
import os
import time
from dataclasses import replace
from pathlib import Path

from flask import Flask

import wsgi
from backend.kernel import clock
from backend.records import patrols
from sync.reading import pull
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


SNAPSHOT = 15
"""Records above which a partition is offered whole: production's number is more than a run makes."""


def _upgrade() -> None:
    """A version of the software that knows another form of the stop, and converts the one before."""
    patrols.KINDS = tuple(  # type: ignore[assignment]
        replace(kind, version=2, converters={1: lambda _verb, fields: fields}) if kind.name == "patrol.visit" else kind
        for kind in patrols.KINDS
    )  # fmt: skip


def _prepare() -> None:
    if "ROUNDSMAN_TORTURE_UPGRADED" in os.environ:
        _upgrade()
    pull.MOST_AT_ONCE = SNAPSHOT
    wsgi.CUSTODY_SECONDS = wsgi.REMOVALS_SECONDS = schedule.HIGH_WATER_SECONDS = OFTEN
    clock.SystemClock = wsgi.SystemClock = ShiftedClock  # type: ignore[misc,assignment,attr-defined]
    for name in filter(None, os.environ.get("ROUNDSMAN_TORTURE_BROKEN", "").split(",")):
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
