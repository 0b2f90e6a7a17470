"""Which officers' terminals the server has heard from of late: noted at each of their requests, in memory alone.

It answers whether somebody could have known of a duty. What a process has not heard since it began it does not know, and
says so; the worst that follows is that a duty counts as unconfirmed for a while.
"""

from __future__ import annotations

import threading
from bisect import bisect_right, insort
from collections.abc import Callable, Collection, Iterable

KEPT = 64
"""Contacts of an officer that are remembered, at least a few seconds apart."""
APART_MS = 15_000


class Contacts:
    """Contacts by facility and officer. ``listening``: the officers of a facility whose terminals hold a stream open now."""

    def __init__(self, listening: Callable[[str], Iterable[str]]) -> None:
        self._listening = listening
        self._guard = threading.Lock()
        self._noted: dict[tuple[str, str], list[int]] = {}

    def note(self, facility: str, officer: str, at: int) -> None:
        """An officer's terminal has asked for something."""
        with self._guard:
            noted = self._noted.setdefault((facility, officer), [])
            if not noted or at - noted[-1] >= APART_MS:
                insort(noted, at)
                del noted[:-KEPT]

    def after(self, facility: str, officers: Collection[str], since: int, now: int) -> int | None:
        """The first contact of one of them after a moment; None where none is known."""
        if not set(officers).isdisjoint(self._listening(facility)):
            return max(since + 1, now)
        with self._guard:
            found = (self._after((facility, officer), since) for officer in officers)
            return min((at for at in found if at is not None), default=None)

    def _after(self, who: tuple[str, str], since: int) -> int | None:
        noted = self._noted.get(who, [])
        at = bisect_right(noted, since)
        return noted[at] if at < len(noted) else None
