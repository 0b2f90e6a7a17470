"""A push, or the server's own act, as a job for the end of one terminal's chain; and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sqlalchemy import bindparam, select

from backend.identity.terminals import ACTIVE, Terminal
from backend.kernel.framing import genesis
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Transaction
from backend.storage.engine import Store
from sync.accept import Operation


@dataclass(frozen=True, slots=True)
class Answer:
    """Outcomes in order, the next number wanted, and the log's epoch and signed head after it all."""

    outcomes: list[bytes]
    next: int
    epoch: int
    head: str
    now: int


@dataclass(slots=True)
class Job:
    """Operations for one chain. ``build`` gets the chain's end as the transaction finds it and returns them in order.

    ``prior`` is the hash before the first one, None when the server builds on the end itself. After its turn a job
    has ``answer`` or ``error``. ``upto`` and ``faulty`` serve the repair of a group that failed: commit only so many
    operations; set those aside, by their place in the job from 1, that failed alone.
    """

    facility: str
    terminal: str
    incarnation: int
    build: Callable[[Terminal], list[Operation]]
    prior: bytes | None = None
    captured: int = 0
    answer: Answer | None = None
    error: BaseException | None = None
    upto: int | None = None
    faulty: set[int] = field(default_factory=set)

    @property
    def done(self) -> bool:
        return self.answer is not None or self.error is not None

    def operations(self, end: Terminal) -> list[Operation]:
        """What to commit now."""
        made = self.build(end)[: self.upto]
        return [_set_aside(each) if at in self.faulty else each for at, each in enumerate(made, 1)]


def _set_aside(operation: Operation) -> Operation:
    return replace(operation, op=None, said=None, status="quarantined", problem=Problem("server.fault"))


@dataclass(frozen=True, slots=True)
class Part:
    """A job against its chain's end: outcomes that were given before, and the operations that are new."""

    end: Terminal
    known: list[bytes]
    fresh: list[Operation]


_O = tables.operations.c
_KNOWN = (
    select(_O.n, _O.hash, _O.outcome)
    .where(_O.facility == bindparam("f"), _O.terminal == bindparam("t"), _O.incarnation == bindparam("i"))
    .where(_O.n >= bindparam("first"), _O.n <= bindparam("last"))
    .order_by(_O.n)
)


class Chains:
    """Holds jobs against the ends of their chains."""

    def __init__(self, store: Store) -> None:
        self._known = store.prepare(_KNOWN)

    def meet(self, transaction: Transaction, job: Job, end: Terminal | None) -> Part | Problem:
        """What of a job is known, what is new, or why neither can be said."""
        if end is None:
            return Problem("terminal.unknown")
        if end.state != ACTIVE:
            return Problem("terminal.revoked")
        operations = job.operations(end)
        first = operations[0].frame.n
        if job.incarnation != end.incarnation:
            return Problem("chain.fork", n=first)
        if first > end.last_n + 1:
            return Problem("chain.gap", next=end.last_n + 1)
        if first == end.last_n + 1:
            continues = job.prior is None or job.prior == end.last_hash
            return Part(end, [], operations) if continues else Problem("chain.fork", n=first)
        return self._overlap(transaction, job, end, operations)

    def _overlap(
        self, transaction: Transaction, job: Job, end: Terminal, operations: list[Operation]
    ) -> Part | Problem:
        first = operations[0].frame.n
        key = {"f": job.facility, "t": job.terminal, "i": job.incarnation}
        rows = self._known.all(transaction.connection, key | {"first": first - 1, "last": operations[-1].frame.n})
        stored = {row.n: row for row in rows}
        start = genesis(job.facility, job.terminal, job.incarnation, end.thumbprint)
        before = stored[first - 1].hash if first > 1 else start
        if job.prior != before:
            return Problem("chain.fork", n=first)
        known, fresh = [], []
        for operation in operations:
            row = stored.get(operation.frame.n)
            if row is None:
                fresh.append(operation)
            elif row.hash != operation.frame.hash:
                return Problem("chain.fork", n=operation.frame.n)
            else:
                known.append(row.outcome)
        return Part(end, known, fresh)
