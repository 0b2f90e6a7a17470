"""Time as the server knows it. A device's clock never comes in here.

Inside the server a moment is a whole number of milliseconds since 1970-01-01 UTC; outside it is RFC 3339 text
with exactly three decimals and ``Z``.
"""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Protocol

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - text without an offset, to which Z is added
_TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_MILLISECOND = timedelta(milliseconds=1)
FARTHEST_STEP_MS = 24 * 3_600_000


class Clock(Protocol):
    """Gives the present moment in milliseconds."""

    def now(self) -> int: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000


class RisingClock:
    """Another clock, but one that does not go back: it waits while the other one catches up.

    A machine's clock is set back by minutes now and then; whose right began a minute ago must not lose it for that. A
    step of more than a day is a clock that was wrong before, and is followed.
    """

    def __init__(self, clock: Clock, reached: int = 0) -> None:
        """``reached``: a moment that is known to have been."""
        self._clock = clock
        self._reached = reached

    def now(self) -> int:
        present = self._clock.now()
        if present < self._reached <= present + FARTHEST_STEP_MS:
            return self._reached
        self._reached = present
        return present


class ManualClock:
    """A clock that stands until it is told: for tests, and for a demo's history."""

    def __init__(self, start: int) -> None:
        self._now = start

    def now(self) -> int:
        return self._now

    def set(self, moment: int) -> None:
        self._now = moment

    def advance(self, milliseconds: int) -> None:
        self._now += milliseconds


@lru_cache(maxsize=256)
def to_text(moment: int) -> str:
    """Milliseconds → ``2026-11-22T03:14:15.123Z``."""
    return (_EPOCH + timedelta(milliseconds=moment)).isoformat(timespec="milliseconds") + "Z"


def from_text(text: str) -> int:
    """``2026-11-22T03:14:15.123Z`` → milliseconds. Raises ValueError for any other form or an impossible date."""
    if _TEXT.fullmatch(text) is None:
        raise ValueError("not an RFC 3339 UTC time with three decimals")
    return (datetime.fromisoformat(text[:-1]) - _EPOCH) // _MILLISECOND
