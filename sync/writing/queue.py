"""Jobs that wait for their turn: first come, first served, one a terminal in each group.

A terminal whose jobs wait already takes no place from others. The oldest job that waits leads: its thread commits the next
group, which its own job is in, and hands on to the then oldest one. So nobody works for others longer than one group, and
nobody whose job is done waits for those who come after him. Not safe by itself: its owner holds a lock.
"""

from __future__ import annotations

import threading
from collections import defaultdict

from sync.writing.jobs import Job

MOST_JOBS = 64


class Queue:
    """The waiting jobs of each facility."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Job]] = defaultdict(list)
        self._led: set[str] = set()
        self._bells: dict[Job, threading.Lock] = {}

    def join(self, job: Job) -> threading.Lock | None:
        """Puts a job at the end. None: it leads. Else a lock that comes free when the job is done or leads."""
        self._waiting[job.facility].append(job)
        if job.facility not in self._led:
            self._led.add(job.facility)
            return None
        bell = self._bells[job] = threading.Lock()
        bell.acquire()
        return bell

    def take(self, facility: str) -> list[Job]:
        """The next group: the oldest job of each of the terminals that have waited longest. For who leads.

        One that is whole is a group by itself, so that what stops it stops nobody else.
        """
        queue = self._waiting[facility]
        taken: dict[str, Job] = {}
        for job in queue:
            if job.whole is not None and taken:
                break
            if job.terminal not in taken:
                taken[job.terminal] = job
                if len(taken) == MOST_JOBS or job.whole is not None:
                    break
        for job in taken.values():
            queue.remove(job)
        return list(taken.values())

    def done(self, facility: str, jobs: list[Job]) -> None:
        """Ends the turn of who leads: those of his group may go, and the oldest that waits leads."""
        for job in jobs:
            self._ring(job)
        if self._waiting[facility]:
            self._ring(self._waiting[facility][0])
        else:
            self._led.discard(facility)

    def _ring(self, job: Job) -> None:
        bell = self._bells.pop(job, None)
        if bell is not None:
            bell.release()
