"""Group commit: pushes that arrive together share one transaction, one signed head and one fsync.

There is no writer thread. Each request queues its job and waits for its turn; whoever gets the turn takes all that
is queued, and the others find their job done. Under little load a job is its own group and never changes thread.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Any

import structlog
from sqlalchemy import bindparam, update
from sqlalchemy.dialects import postgresql, sqlite

from backend.audit.log import append
from backend.identity import terminals
from backend.kernel import failpoints
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction
from sync.jobs import Answer, Chains, Job, Part
from sync.plan import Origin, Planner, Rows
from sync.state import Reader

MOST_JOBS = 64
_log = structlog.get_logger(__name__)

_R, _T = tables.records.c, tables.terminals.c
_CHANGED = ("version", "seq", "partition", "place", "state", "body")
_CHANGE = (
    update(tables.records)
    .where(_R.facility == bindparam("of_facility"), _R.id == bindparam("of_id"))
    .values({name: bindparam(name) for name in _CHANGED})
)
_ADVANCED = ("last_n", "last_hash", "captured")
_ADVANCE = (
    update(tables.terminals)
    .where(_T.facility == bindparam("of_facility"), _T.terminal == bindparam("of_terminal"))
    .values({name: bindparam(name) for name in _ADVANCED})
)


class Commits:
    """Group commit for all facilities of a store."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._reader = Reader(door.store)
        self._guard = threading.Lock()
        self._waiting: dict[str, list[Job]] = defaultdict(list)
        self._turns: dict[str, threading.Lock] = defaultdict(threading.Lock)
        dialect = sqlite if door.store.sqlite else postgresql
        upsert = dialect.insert(tables.partitions)
        news = upsert.on_conflict_do_update(
            index_elements=["facility", "partition"],
            set_={"seq": upsert.excluded.seq, "count": tables.partitions.c.count + upsert.excluded.count},
        )
        self._news, self._change, self._advanced = map(door.store.prepare, (news, _CHANGE, _ADVANCE))
        self._operations = door.store.insertion(tables.operations)
        self._records = door.store.insertion(tables.records)
        self._versions = door.store.insertion(tables.versions)
        self._ends = terminals.Ends(door.store)
        self._chains = Chains(door.store)

    def submit(self, job: Job) -> Answer:
        """Commits a job, alone or with others. Raises the Problem that concerns the job as a whole."""
        with self._guard:
            self._waiting[job.facility].append(job)
            turn = self._turns[job.facility]
        with turn:
            if not job.done:
                self._run(self._take(job))
        if job.error is not None:
            raise job.error
        assert job.answer is not None
        return job.answer

    def _take(self, mine: Job) -> list[Job]:
        """The jobs of the next group: mine first, at most one a terminal, since each builds on its chain's end."""
        with self._guard:
            queued = self._waiting[mine.facility]
            taken, seen = [mine], {mine.terminal}
            for job in queued:
                if job.terminal not in seen and len(taken) < MOST_JOBS:
                    taken.append(job)
                    seen.add(job.terminal)
            for job in taken:
                queued.remove(job)
        return taken

    def _run(self, jobs: list[Job]) -> None:
        """Commits a group and gives every job its answer or error.

        A group that fails for another reason than a busy database is tried again job by job, then operation by
        operation, so that one never costs another. The server's own acts are done all or none.
        """
        try:
            answers = self._write(jobs)
        except Problem as problem:
            for job in jobs:
                job.error = problem
        except Exception as fault:  # noqa: BLE001 - whatever it was, each job gets its own try
            _log.exception("group failed", jobs=len(jobs))
            if len(jobs) > 1:
                for job in jobs:
                    self._run([job])
            elif jobs[0].prior is None:
                jobs[0].error = fault  # it builds on its chain's end at each try: what was written came twice
            else:
                self._singly(jobs[0])
        else:
            for job, answer in zip(jobs, answers, strict=True):
                _give(job, answer)

    def _singly(self, job: Job) -> None:
        """Commits a job one operation after the other; one that fails alone is quarantined."""
        job.upto = 1
        while True:
            try:
                answer = self._write([job])[0]
            except Problem as problem:
                job.error = problem
                return
            except Exception as fault:  # noqa: BLE001 - whatever it was, it is this operation's alone
                if job.upto in job.faulty:
                    job.error = fault
                    return
                job.faulty.add(job.upto)
                continue
            if isinstance(answer, Problem) or len(answer.outcomes) < job.upto:
                _give(job, answer)
                return
            job.upto += 1

    def _write(self, jobs: list[Job]) -> list[Answer | Problem]:
        transaction, parts, outcomes = self._door.write(jobs[0].facility, lambda opened: self._work(opened, jobs))
        failpoints.hit("cache.before")
        tree, now = transaction.tree, transaction.now
        answers: list[Answer | Problem] = []
        for part, new in zip(parts, outcomes, strict=True):
            if isinstance(part, Problem):
                answers.append(part)
                continue
            after = part.fresh[-1].frame.n if part.fresh else part.end.last_n
            answers.append(Answer(part.known + new, after + 1, tree.epoch, tree.head, now))
        failpoints.hit("cache.after")
        return answers

    def _work(
        self, transaction: Transaction, jobs: list[Job]
    ) -> tuple[Transaction, list[Part | Problem], list[list[bytes]]]:
        facility = transaction.facility
        ends = self._ends.read(transaction.connection, facility, [job.terminal for job in jobs])
        parts = [self._chains.meet(transaction, job, ends.get(job.terminal)) for job in jobs]
        fresh = [operation for part in parts if isinstance(part, Part) for operation in part.fresh]
        outcomes: list[list[bytes]] = [[] for _ in jobs]
        if fresh:
            state = self._reader.read(transaction.connection, facility, fresh)
            planner = Planner(facility, state, transaction.seq, transaction.tree.size, transaction.now)
            for at, part in enumerate(parts):
                if isinstance(part, Part):
                    outcomes[at] = planner.take(Origin(part.end.terminal, part.end.incarnation), part.fresh)
            transaction.seq = planner.seq
            self._enter(transaction, planner.finish())
        failpoints.hit("group.planned")
        transaction.put(self._advanced, _advances(transaction, jobs, parts))
        return transaction, parts, outcomes

    def _enter(self, transaction: Transaction, rows: Rows) -> None:
        transaction.put(self._operations, rows.operations)
        transaction.put(self._records, rows.new_records)
        transaction.put(self._versions, rows.versions)
        keyed = [row | {"of_facility": row["facility"], "of_id": row["id"]} for row in rows.changed_records]
        transaction.put(self._change, keyed)
        news = [
            {"facility": transaction.facility, "partition": name, "seq": seq, "count": count}
            for name, (seq, count) in rows.partitions.items()
        ]
        transaction.put(self._news, news)
        transaction.leaves += rows.leaves


def _advances(transaction: Transaction, jobs: list[Job], parts: list[Part | Problem]) -> list[dict[str, Any]]:
    """Each chain's end at its last operation, with what the terminal says it has captured."""
    moved = []
    for job, part in zip(jobs, parts, strict=True):
        if isinstance(part, Problem):
            continue
        end, last = part.end, part.fresh[-1].frame if part.fresh else None
        n = last.n if last else end.last_n
        captured = max(end.captured, job.captured, n)
        if last is None and captured == end.captured:
            continue
        if last is None:
            facts = {"terminal": end.terminal, "incarnation": end.incarnation, "captured": captured}
            append(transaction, "terminal.reported", facts)
        moved.append(
            {
                "of_facility": transaction.facility,
                "of_terminal": end.terminal,
                "last_n": n,
                "last_hash": last.hash if last else end.last_hash,
                "captured": captured,
            }
        )
    return moved


def _give(job: Job, answer: Answer | Problem) -> None:
    if isinstance(answer, Problem):
        job.error = answer
    else:
        job.answer = answer
