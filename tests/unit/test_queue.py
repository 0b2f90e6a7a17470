"""Who waits is served in the order of coming, nobody twice in a group; who would wait too long is told when to come."""

from __future__ import annotations

import pytest

from backend.kernel.problems import Problem
from sync.writing.jobs import Job
from sync.writing.queue import LONGEST_WAIT, MOST_JOBS, MOST_OF_ONE, Queue


def job(terminal: str, facility: str = "TEST") -> Job:
    return Job(facility, terminal, 1, lambda _end: [])


def joined(queue: Queue, *terminals: str) -> list[Job]:
    jobs = [job(terminal) for terminal in terminals]
    for each in jobs:
        queue.join(each)
    return jobs


def test_the_oldest_job_of_each_terminal_goes_first() -> None:
    queue = Queue()
    a1, a2, b1, c1 = joined(queue, "a", "a", "b", "c")
    assert queue.take("TEST") == [a1, b1, c1]
    assert queue.take("TEST") == [a2]
    assert queue.take("TEST") == []


def test_a_group_has_an_end_and_those_beyond_it_are_next() -> None:
    queue = Queue()
    jobs = joined(queue, *(f"t{at}" for at in range(MOST_JOBS + 3)))
    assert queue.take("TEST") == jobs[:MOST_JOBS]
    late = joined(queue, "late")
    assert queue.take("TEST") == jobs[MOST_JOBS:] + late


def test_facilities_do_not_wait_for_each_other() -> None:
    queue = Queue()
    here, there = job("a"), job("b", "OTHER")
    queue.join(here)
    queue.join(there)
    assert queue.take("OTHER") == [there]
    assert queue.take("TEST") == [here]


def test_a_terminal_that_floods_is_told_to_wait_and_others_are_not() -> None:
    queue = Queue()
    joined(queue, *["a"] * MOST_OF_ONE)
    with pytest.raises(Problem) as problem:
        queue.join(job("a"))
    assert (problem.value.code, problem.value.detail) == ("terminal.busy", {"retry_after": 1})
    joined(queue, "b")
    queue.done(queue.take("TEST"), 0.001)
    joined(queue, "a")


def test_who_would_wait_too_long_is_told_when_to_come() -> None:
    queue = Queue()
    for _ in range(50):
        joined(queue, "slow")
        queue.done(queue.take("TEST"), 1.0)
    places = 0
    with pytest.raises(Problem) as problem:
        for at in range(100):
            queue.join(job(f"t{at}"))
            places += 1
    assert problem.value.code == "server.busy"
    assert LONGEST_WAIT < problem.value.detail["retry_after"] <= LONGEST_WAIT + 2
    assert LONGEST_WAIT <= places <= LONGEST_WAIT + 2
    queue.done(queue.take("TEST"), 0.001)
    queue.join(job("again"))
