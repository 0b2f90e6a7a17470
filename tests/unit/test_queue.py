"""Who waits is served in the order of coming, nobody twice in a group; and each works for the others for one group at most."""

from __future__ import annotations

from dataclasses import replace

from sync.writing.jobs import Job
from sync.writing.queue import MOST_JOBS, Queue


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


def test_what_is_whole_is_a_group_by_itself_in_its_turn() -> None:
    queue = Queue()
    before, whole, after = job("a"), replace(job("b"), whole=lambda _transaction: None), job("c")
    for each in (before, whole, after):
        queue.join(each)
    assert [queue.take("TEST") for _ in range(4)] == [[before], [whole], [after], []]


def test_facilities_do_not_wait_for_each_other() -> None:
    queue = Queue()
    here, there = job("a"), job("b", "OTHER")
    assert queue.join(here) is None
    assert queue.join(there) is None
    assert queue.take("OTHER") == [there]
    assert queue.take("TEST") == [here]


def test_who_finds_nobody_leads_and_the_others_wait_for_their_bells() -> None:
    queue = Queue()
    assert queue.join(job("a")) is None
    bell = queue.join(job("b"))
    assert bell is not None and bell.locked()
    queue.done("TEST", queue.take("TEST"))
    assert not bell.locked()
    assert queue.join(job("c")) is None, "nobody is left who leads"


def test_after_a_group_its_own_may_go_and_the_oldest_that_waits_leads() -> None:
    queue = Queue()
    jobs = [job(f"t{at}") for at in range(MOST_JOBS + 3)]
    bells = [queue.join(each) for each in jobs]
    group = queue.take("TEST")
    late = queue.join(job("late"))
    assert late is not None and late.locked()
    queue.done("TEST", group)
    rung = [bell is None or not bell.locked() for bell in bells]
    assert rung == [True] * (MOST_JOBS + 1) + [False] * 2
    assert jobs[MOST_JOBS] in queue.take("TEST"), "who leads is in his own group"
