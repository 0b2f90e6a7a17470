"""Group commit: pushes that arrive together share one transaction, one signed head and one fsync.

There is no writer thread. Each request queues its job and waits until it is done or the oldest one there is; that one
takes all that is queued, commits it, and hands on. Under little load a job is its own group and never changes thread.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import orjson
import structlog
from sqlalchemy import bindparam, delete, update

from backend.facts.stays import Stays
from backend.identity.exclusions import Exclusions
from backend.kernel import failpoints
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction
from sync.judging.accept import Acceptance, Operation
from sync.judging.ledger import Origin, Rows
from sync.judging.plan import Planner
from sync.judging.state import Reader
from sync.news import Herald, News
from sync.writing.chains import Chains
from sync.writing.custody import Custody
from sync.writing.jobs import Answer, Job, Part, Standing
from sync.writing.partitions import Partitions
from sync.writing.queue import Queue

_log = structlog.get_logger(__name__)

_R, _D, _C = tables.records.c, tables.disputes.c, tables.confirmations.c
_CHANGED = ("version", "seq", "partition", "place", "state", "body", "author", "since")
_CHANGE = (
    update(tables.records)
    .where(_R.facility == bindparam("of_facility"), _R.id == bindparam("of_id"))
    .values({name: bindparam(name) for name in _CHANGED})
)
_SETTLE = delete(tables.disputes).where(_D.facility == bindparam("facility"), _D.record == bindparam("record"))
_SPEND = (
    update(tables.confirmations)
    .where(_C.facility == bindparam("of_facility"), _C.confirmation == bindparam("of_confirmation"))
    .values(op=bindparam("op"), spent_at=bindparam("spent_at"))
)
Batch = tuple[Origin, Sequence[Operation]]


@dataclass(slots=True)
class _Work:
    """What one transaction came to, for those who are told after its commit."""

    transaction: Transaction
    parts: list[Part | Problem]
    outcomes: list[list[bytes]]
    standings: list[Standing | None]
    partitions: set[str] = field(default_factory=set)
    alarms: list[tuple[str, bytes]] = field(default_factory=list)


class Commits:
    """Group commit for all facilities of a store."""

    def __init__(self, door: Door, acceptance: Acceptance, herald: Herald) -> None:
        self._door = door
        self._herald = herald
        self._reader = Reader(door.store, acceptance)
        self._guard = threading.Lock()
        self._queue = Queue()
        self._turns: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._change, self._close, self._spend = map(door.store.prepare, (_CHANGE, _SETTLE, _SPEND))
        self._operations = door.store.insertion(tables.operations)
        self._records = door.store.insertion(tables.records)
        self._versions = door.store.insertion(tables.versions)
        self._open = door.store.insertion(tables.disputes)
        self._attachments = door.store.insertion(tables.attachments)
        self._partitions = Partitions(door.store)
        self._stays = Stays(door.store)
        self._exclusions = Exclusions(door.store)
        self._custody = Custody(door.store, acceptance)
        self._chains = Chains(door.store)

    def submit(self, job: Job) -> Answer:
        """Commits a job, alone or with others. Raises the Problem that concerns the job as a whole."""
        with self._guard:
            bell = self._queue.join(job)
            turn = self._turns[job.facility]
        if bell is not None:
            bell.acquire()
        if not job.done:
            with turn:
                self._lead(job.facility)
        if job.error is not None:
            raise job.error
        assert job.answer is not None
        return job.answer

    def _lead(self, facility: str) -> None:
        """Commits the next group, and hands on to the oldest job that waits, whatever happens."""
        with self._guard:
            jobs = self._queue.take(facility)
        try:
            self._run(jobs)
        finally:
            for job in jobs:
                if not job.done:
                    job.error = Problem("server.fault")
            with self._guard:
                self._queue.done(facility, jobs)

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

    def end_custody(self, facility: str) -> int:
        """Judges held operations whose deadline has passed; how many there were. Raises Problem ``server.busy``."""

        def work(transaction: Transaction) -> _Work:
            done = _Work(transaction, [], [], [])
            overdue = self._custody.overdue(transaction) if transaction.held else []
            for each in overdue:
                self._judge(done, [(each.origin, [each.operation])], woken=True, forced=True)
                done.outcomes.append([])
            return done

        done = self._door.write(facility, work)
        self._tell(done)
        return len(done.outcomes)

    def _write(self, jobs: list[Job]) -> list[Answer | Problem]:
        done = self._door.write(jobs[0].facility, lambda opened: self._work(opened, jobs))
        failpoints.hit("cache.before")
        self._tell(done)
        tree, now = done.transaction.tree, done.transaction.now
        answers: list[Answer | Problem] = []
        for part, new, standing in zip(done.parts, done.outcomes, done.standings, strict=True):
            if isinstance(part, Problem) or standing is None:
                answers.append(part if isinstance(part, Problem) else Problem("server.fault"))
                continue
            outcomes = part.arrange(new)
            answers.append(Answer(outcomes, standing, part.end.incarnation, tree.epoch, tree.head, now))
        failpoints.hit("cache.after")
        return answers

    def _work(self, transaction: Transaction, jobs: list[Job]) -> _Work:
        whole = jobs[0].whole  # then it is the only one
        if whole is not None:
            whole(transaction)
        parts = self._chains.meet(transaction, jobs)
        batches: list[Batch] = [
            (Origin(part.end.terminal, part.end.incarnation, part.gap, part.evacuated), part.fresh)
            if isinstance(part, Part)
            else (Origin("", 0), ())
            for part in parts
        ]
        done = _Work(transaction, parts, [[] for _ in jobs], [])
        if any(fresh for _, fresh in batches):
            done.outcomes = self._judge(done, batches)
        if whole is not None and not _stands(jobs[0], parts[0], done.outcomes[0]):
            raise Problem("state.changed")
        failpoints.hit("group.planned")
        done.standings = self._chains.advance(transaction, jobs, parts)
        return done

    def _judge(
        self, done: _Work, batches: Sequence[Batch], *, woken: bool = False, forced: bool = False
    ) -> list[list[bytes]]:
        """Judges and enters a batch, then whatever was in custody and waited for no more than it brought."""
        outcomes, rows = self._wave(done, batches, woken=woken, forced=forced)
        transaction = done.transaction
        while transaction.held and rows.fates:
            ready = self._custody.woken(transaction, rows.fates)
            if not ready:
                break
            _, rows = self._wave(done, [(each.origin, [each.operation]) for each in ready], woken=True)
        return outcomes

    def _wave(
        self, done: _Work, batches: Sequence[Batch], *, woken: bool, forced: bool = False
    ) -> tuple[list[list[bytes]], Rows]:
        transaction = done.transaction
        operations = [each for _, fresh in batches for each in fresh]
        facility, tree = transaction.facility, transaction.tree
        state = self._reader.read(transaction.connection, facility, operations, tree.epoch, transaction.now)
        position = tree.size + len(transaction.leaves)
        planner = Planner(facility, state, transaction.seq, position, tree.epoch, transaction.now)
        outcomes = [planner.take(origin, fresh, woken=woken, forced=forced) for origin, fresh in batches]
        transaction.seq = planner.seq
        rows = planner.finish()
        self._enter(transaction, rows)
        done.partitions.update(after.partition for _, after in rows.changes)
        done.alarms += rows.alarms
        return outcomes, rows

    def _enter(self, transaction: Transaction, rows: Rows) -> None:
        transaction.put(self._operations, rows.operations)
        # Those of one partition side by side: they are read together, and lie on fewer pages so.
        transaction.put(self._records, sorted(rows.new_records, key=itemgetter("partition", "seq")))
        transaction.put(self._versions, rows.versions)
        transaction.put(self._attachments, rows.attachments)
        keyed = [row | {"of_facility": row["facility"], "of_id": row["id"]} for row in rows.changed_records]
        transaction.put(self._change, keyed)
        self._partitions.enter(transaction, rows.changes)
        self._stays.enter(transaction, rows.changes)
        self._exclusions.enter(transaction, rows.excluded)
        self._custody.enter(transaction, rows)
        disputes = [
            {"facility": transaction.facility, "record": record, "conflict": conflict}
            for record, conflict in rows.disputes.items()
        ]
        transaction.put(self._close, disputes)
        transaction.put(self._open, [row for row in disputes if row["conflict"] is not None])
        transaction.put(self._spend, rows.spent)
        transaction.leaves += rows.leaves

    def _tell(self, done: _Work) -> None:
        """What was committed, to those who listen."""
        transaction = done.transaction
        if done.partitions:
            tree, alarms = transaction.tree, tuple(done.alarms)
            self._herald.tell(
                News(transaction.facility, tree.epoch, transaction.seq, frozenset(done.partitions), alarms)
            )


def _stands(job: Job, part: Part | Problem, outcomes: list[bytes]) -> bool:
    """Whether what the server did itself may be committed as it was judged."""
    return not isinstance(part, Problem) and (job.lenient or all(map(_is_applied, outcomes)))


def _is_applied(outcome: bytes) -> bool:
    return bool(orjson.loads(outcome)["status"] == "applied")


def _give(job: Job, answer: Answer | Problem) -> None:
    if isinstance(answer, Problem):
        job.error = answer
    else:
        job.answer = answer
