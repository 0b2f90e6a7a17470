"""Jobs that wait for their turn: first come, first served, one a terminal in each group; and who must come later.

A terminal whose jobs wait already takes no place from others, and when the queue is longer than anybody should wait, the
next one is told when to come instead of being kept. Not safe by itself: its owner holds a lock.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict

from backend.kernel.problems import Problem
from sync.writing.jobs import Job

MOST_JOBS = 64
MOST_OF_ONE = 8
"""Jobs of one terminal at a time: it should send one after the other, and an answer that it gave up may still be coming."""
LONGEST_WAIT = 15.0
"""Seconds: half of what a terminal waits for an answer."""
LONGEST_PAUSE = 30
"""Seconds: the longest that a terminal is sent away for. By then the queue is another one."""
_MEMORY = 0.9
"""How much of what is known of the pace outlasts a group."""


class Queue:
    """The waiting jobs of each facility."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Job]] = defaultdict(list)
        self._of_terminal: Counter[str] = Counter()
        self._spent = 0.0
        self._served = 1.0

    def admit(self, facility: str, terminal: str) -> None:
        """Raises Problem ``terminal.busy`` or ``server.busy`` when a job would not be let in: before it costs anything."""
        if self._of_terminal[terminal] >= MOST_OF_ONE:
            raise Problem("terminal.busy", retry_after=1)
        if (wait := len(self._waiting[facility]) * self._spent / self._served) > LONGEST_WAIT:
            raise Problem("server.busy", retry_after=min(math.ceil(wait), LONGEST_PAUSE))

    def join(self, job: Job) -> None:
        """Puts a job at the end. Raises Problem as ``admit``; then it does not wait."""
        self.admit(job.facility, job.terminal)
        self._waiting[job.facility].append(job)
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
        """What a group took, by which the next wait is reckoned: seconds and jobs apart, so that a slow one is one."""
        self._spent = _MEMORY * self._spent + seconds
        self._served = _MEMORY * self._served + len(jobs)
        for job in jobs:
            self._of_terminal[job.terminal] -= 1
            if not self._of_terminal[job.terminal]:
                del self._of_terminal[job.terminal]
