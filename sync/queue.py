"""Jobs that wait for their turn: first come, first served, one a terminal in each group; and who must come later.

A terminal whose jobs wait already takes no place from others, and when the queue is longer than anybody should wait, the
next one is told when to come instead of being kept. Not safe by itself: its owner holds a lock.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict

from backend.kernel.problems import Problem
from sync.jobs import Job

MOST_JOBS = 64
MOST_OF_ONE = 8
"""Jobs of one terminal at a time: it should send one after the other, and an answer that it gave up may still be coming."""
LONGEST_WAIT = 15.0
"""Seconds: half of what a terminal waits for an answer."""
_SMOOTHING = 0.2


class Queue:
    """The waiting jobs of each facility."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Job]] = defaultdict(list)
        self._of_terminal: Counter[str] = Counter()
        self._pace = 0.0

    def join(self, job: Job) -> None:
        """Puts a job at the end. Raises Problem ``terminal.busy`` or ``server.busy``; then it does not wait."""
        if self._of_terminal[job.terminal] >= MOST_OF_ONE:
            raise Problem("terminal.busy", retry_after=1)
        queue = self._waiting[job.facility]
        if (wait := len(queue) * self._pace) > LONGEST_WAIT:
            raise Problem("server.busy", retry_after=math.ceil(wait))
        queue.append(job)
        self._of_terminal[job.terminal] += 1

    def take(self, facility: str) -> list[Job]:
        """The next group: the oldest job of each of the terminals that have waited longest."""
        queue = self._waiting[facility]
        taken: dict[str, Job] = {}
        for job in queue:
            if job.terminal not in taken:
                taken[job.terminal] = job
                if len(taken) == MOST_JOBS:
                    break
        for job in taken.values():
            queue.remove(job)
        return list(taken.values())

    def done(self, jobs: list[Job], seconds: float) -> None:
        """What a group took, by which the next wait is reckoned."""
        each = seconds / max(1, len(jobs))
        self._pace += _SMOOTHING * (each - self._pace)
        for job in jobs:
            self._of_terminal[job.terminal] -= 1
            if not self._of_terminal[job.terminal]:
                del self._of_terminal[job.terminal]
