"""Who may hand in a push, and when: so many at a time, the others in a line, in the order in which they first asked.

Why this is fair between terminals: a terminal has one push in progress, and after each answer it stands at the end of
the line again. So all that wait move on by one push before anyone moves on by two, however large their queues are and
however fast their networks. When the line is as long as anybody should wait, it is the one who asked last that is sent
away, and the moment at which he first asked is remembered: when he comes back he stands before all who asked after
him, and if the line is full then, one of those goes in his stead. Nobody loses his place twice to the same one, and there is no
lottery for a place that becomes free. Those who are sent away together are told different moments, each by his own
turn at the present pace, so that they do not come back together either.

Nothing is read of a body before its turn. A thread waits for each push in the line, which costs some kilobytes; bodies
and what is made of them are in memory for ``PLACES`` pushes only. A terminal that opens many connections gets a few
places and ``terminal.busy``, before its signature is even looked at; and who is no terminal never gets a place.
"""

from __future__ import annotations

import bisect
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from backend.kernel.problems import Problem

PLACES = 96
"""Pushes that are read, accepted and committed at a time: a whole group, and the next one growing beside it."""
LINE = 416
"""Pushes that wait. With those inside, five hundred terminals that come back together are all kept."""
MOST_OF_ONE = 8
"""Pushes of one terminal at a time: it should send one after the other, and an answer that it gave up may still be coming."""
LONGEST_WAIT = 15.0
"""Seconds in the line: half of what a handheld waits for an answer."""
LONGEST_PAUSE = 30
"""Seconds: the longest that a terminal is sent away for. By then the line is another one."""
REMEMBERED = 2.0 * LONGEST_PAUSE
"""Seconds for which it is remembered when somebody first asked who was sent away."""
_MEMORY = 0.98
"""How much of what is known of the pace outlasts a push."""


@dataclass(slots=True, eq=False)
class _Waiter:
    """One in the line. ``since``: when his terminal first asked. The bell rings once, when he may go in or must go away."""

    terminal: str
    since: float
    inside: bool = False
    away: Problem | None = None
    bell: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.bell.acquire()


class Entrance:
    """The way in for pushes of all facilities. ``now``: seconds that only rise."""

    def __init__(self, places: int = PLACES, line: int = LINE, now: Callable[[], float] = time.monotonic) -> None:
        self._places = places
        self._most = line
        self._now = now
        self._guard = threading.Lock()
        self._inside = 0
        self._line: list[_Waiter] = []
        self._of_terminal: Counter[str] = Counter()
        self._asked: dict[str, tuple[float, float]] = {}
        """When those first asked who were sent away, and until when it is remembered; the oldest memory first."""
        self._pace = 0.0

    def look(self, terminal: str) -> None:
        """Raises Problem ``terminal.busy`` if it would not be let in, before anything is spent on it."""
        if self._of_terminal[terminal] >= MOST_OF_ONE:
            raise Problem("terminal.busy", retry_after=1)

    @contextmanager
    def place(self, terminal: str) -> Iterator[None]:
        """A place for one push, waited for in the line. Raises Problem ``terminal.busy`` or ``server.busy``."""
        self._enter(terminal)
        begun = self._now()
        try:
            yield
        finally:
            self._leave(terminal, self._now() - begun)

    def _enter(self, terminal: str) -> None:
        with self._guard:
            self.look(terminal)
            self._of_terminal[terminal] += 1
            now = self._now()
            since, until = self._asked.pop(terminal, (now, now))
            if self._inside < self._places:
                self._inside += 1
                return
            waiter = _Waiter(terminal, since if until >= now else now)
            bisect.insort(self._line, waiter, key=_since)
            if len(self._line) > self._most or self._wait(len(self._line)) > LONGEST_WAIT:
                self._send_away(self._line.pop())
        waiter.bell.acquire(timeout=LONGEST_WAIT)
        with self._guard:
            if not waiter.inside and waiter.away is None:
                self._line.remove(waiter)
                self._send_away(waiter)
        if waiter.away is not None:
            raise waiter.away

    def _leave(self, terminal: str, seconds: float) -> None:
        with self._guard:
            self._gone(terminal)
            self._pace = _MEMORY * self._pace + (1 - _MEMORY) * min(seconds, LONGEST_WAIT)
            if self._line:
                first = self._line.pop(0)
                first.inside = True
                first.bell.release()
            else:
                self._inside -= 1

    def _send_away(self, waiter: _Waiter) -> None:
        """Tells him when half the way to his turn is over: behind those, in the line or sent away, who asked before him.

        Half of it, since his place is kept: too early costs one try more, too late a turn.
        """
        now = self._now()
        self._gone(waiter.terminal)
        while self._asked and (oldest := next(iter(self._asked.items())))[1][1] < now:
            del self._asked[oldest[0]]
        self._asked.pop(waiter.terminal, None)
        ahead = bisect.bisect_right(self._line, waiter.since, key=_since)
        ahead += sum(since <= waiter.since for since, _ in self._asked.values())
        self._asked[waiter.terminal] = (waiter.since, now + REMEMBERED)
        wait = math.ceil(self._wait(ahead + 1) / 2)
        waiter.away = Problem("server.busy", retry_after=max(1, min(wait, LONGEST_PAUSE)))
        waiter.bell.release()

    def _wait(self, ahead: int) -> float:
        """Seconds until so many have gone in, by what a push has taken inside of late."""
        return ahead / self._places * self._pace

    def _gone(self, terminal: str) -> None:
        self._of_terminal[terminal] -= 1
        if not self._of_terminal[terminal]:
            del self._of_terminal[terminal]


def _since(waiter: _Waiter) -> float:
    return waiter.since
