"""How long to wait before asking again (protocol section 13)."""

from __future__ import annotations

from collections.abc import Callable
from secrets import SystemRandom

from headless.clock import Clock

LONGEST = 60.0  # seconds between two attempts without an answer
SETTLING = 5.0  # seconds within which terminals come back after an outage, each at a moment of its own

Chance = Callable[[], float]
"""Uniform from [0, 1)."""
by_chance: Chance = SystemRandom().random


class Backoff:
    """Waits that double from one second to a minute, or as long as the server asked; up to a quarter longer by chance."""

    def __init__(self, clock: Clock, chance: Chance = by_chance) -> None:
        self._clock = clock
        self._chance = chance
        self._next = 1.0

    def reset(self) -> None:
        """An answer came."""
        self._next = 1.0

    def jittered(self, seconds: float) -> float:
        """At least so long, and up to a quarter longer."""
        return seconds * (1 + self._chance() / 4)

    def wait(self, retry_after: int | None = None) -> None:
        """Wait before the next attempt: as long as `Retry-After` said, else twice as long as the last time."""
        if retry_after is not None:
            self._clock.sleep(self.jittered(retry_after))
            return
        self._clock.sleep(self.jittered(self._next))
        self._next = min(LONGEST, self._next * 2)

    def settle(self) -> None:
        """After an outage: 0 to 5 seconds, so that not all terminals come at once."""
        self._clock.sleep(self._chance() * SETTLING)
