"""The device's clocks: claims of the terminal, never a reason for anything on the server."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What a terminal asks of a clock; tests bring their own."""

    @property
    def boot(self) -> str:
        """Names the start from which `monotonic` counts (UUID text)."""

    def now(self) -> datetime:
        """Wall-clock time, with a time zone."""

    def monotonic(self) -> int:
        """Milliseconds since `boot`; never steps back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clocks. On Linux the count goes on across restarts of the program, and while suspended."""

    def __init__(self) -> None:
        try:
            self._boot = str(uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip()))
            self._source = time.CLOCK_BOOTTIME
            self._origin = 0
        except (OSError, ValueError):
            # Without a name for the device's start, this object's start is the only one we can vouch for.
            self._boot = str(uuid.uuid4())
            self._source = time.CLOCK_MONOTONIC
            self._origin = time.clock_gettime_ns(self._source)

    @property
    def boot(self) -> str:
        """The kernel's boot id; elsewhere a UUID of this object."""
        return self._boot

    def now(self) -> datetime:
        """UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> int:
        """Milliseconds since `boot`."""
        return (time.clock_gettime_ns(self._source) - self._origin) // 1_000_000

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
