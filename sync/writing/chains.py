"""Jobs against their chains: what is known, what is new, what forks; gaps, and the segments beyond them.

The numbers that a chain has received are a run from 1 to ``last_n`` and the segments beyond it. A push is a run too,
whose hashes follow from its ``prior``. Wherever the two meet they must agree: on every number that both have, on the
hash before the push, and on the hash that a segment claims for the number before it. Where they do not is a fork.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from sqlalchemy import bindparam, delete, select, update

from backend.audit.log import append
from backend.identity.segments import MOST_RANGES, Chain, Segment, Segments, lacking
from backend.identity.terminals import CLOSED, FROZEN, REVOKED, Ends, Terminal, barred
from backend.kernel.framing import Frame
from backend.kernel.ids import b64
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Row, Transaction
from backend.storage.engine import Store
from sync.judging.accept import Operation
from sync.writing import leaving
from sync.writing.jobs import Job, Part, Standing

_LEAVING = (REVOKED, CLOSED)
"""What a terminal in these states has captured, it may still hand in; nothing else."""
UNSUPPORTED = "unsupported"
"""Status of an accepted operation whose schema is not taken: nothing becomes of it, and its push waits."""

_O, _T, _S, _F = tables.operations.c, tables.terminals.c, tables.segments.c, tables.forks.c
_KNOWN = (
    select(_O.n, _O.hash, _O.outcome)
    .where(_O.facility == bindparam("f"), _O.terminal == bindparam("t"), _O.incarnation == bindparam("i"))
    .where(_O.n >= bindparam("first"), _O.n <= bindparam("last"))
)
_FORKED = (
    select(_F.n, _F.hash)
    .where(_F.facility == bindparam("f"), _F.terminal == bindparam("t"), _F.incarnation == bindparam("i"))
    .where(_F.n >= bindparam("first"), _F.n <= bindparam("last"))
)
_END = ("state", "last_n", "last_hash", "top_n", "captured")
_MOVE = (
    update(tables.terminals)
    .where(_T.facility == bindparam("of_facility"), _T.terminal == bindparam("of_terminal"))
    .values({name: bindparam(name) for name in _END})
)
_JOIN = delete(tables.segments).where(
    _S.facility == bindparam("f"),
    _S.terminal == bindparam("t"),
    _S.incarnation == bindparam("i"),
    _S.first == bindparam("n"),
)


@dataclass(slots=True)
class _Run:
    """A push against its chain: its operations, and the segments of the chain that matter (``cut``: not all)."""

    job: Job
    end: Terminal
    prior: bytes
    operations: list[Operation]
    segments: Sequence[Segment]
    cut: bool

    @property
    def first(self) -> int:
        return self.operations[0].frame.n

    @property
    def last(self) -> int:
        return self.operations[-1].frame.n

    @property
    def gap(self) -> bool:
        """Whether numbers before it are missing."""
        return self.first > self.end.last_n + 1

    def overlaps(self) -> bool:
        """Whether any of its numbers has been received before."""
        return self.first <= self.end.last_n or any(
            each.first <= self.last and each.last >= self.first for each in self.segments
        )

    def claims(self) -> dict[int, bytes]:
        """Hashes that the chain states of numbers, without reading any: of its ends, and what segments claim."""
        stated = {self.end.last_n: self.end.last_hash}
        for each in self.segments:
            stated[each.first - 1] = each.prior
            stated[each.last] = each.last_hash
        return stated

    def fork(self, stated: dict[int, bytes]) -> int | None:
        """The first number on which push and chain differ; that of its first operation if it is what lies before.

        What lies before a number that is known need not be compared: equal hashes have equal pasts.
        """
        if stated.get(self.first - 1, self.prior) != self.prior:
            return self.first
        shared = (n for n in sorted(stated) if self.first <= n <= self.last)
        return next((n for n in shared if stated[n] != self.hash(n)), None)

    def hash(self, n: int) -> bytes:
        return self.operations[n - self.first].frame.hash

    def before(self, n: int) -> bytes:
        """The hash before a number of it, by its own account."""
        return self.hash(n - 1) if n > self.first else self.prior


class Chains:
    """Holds jobs against their chains, and moves the chains' ends.

    A push on its chain's end costs one read of the ends of the whole group, and its share of one update. Segments are
    read where there is a gap, stored outcomes where a push brings numbers that are known.
    """

    def __init__(self, store: Store) -> None:
        self._ends = Ends(store)
        self._segments = Segments(store)
        self._known, self._forked, self._move, self._join = map(store.prepare, (_KNOWN, _FORKED, _MOVE, _JOIN))
        self._new_segments = store.insertion(tables.segments)
        self._forks = store.insertion(tables.forks)

    def meet(self, transaction: Transaction, jobs: list[Job]) -> list[Part | Problem]:
        """For each job what of it is known and what is new, or why neither can be said.

        Jobs are of one facility, at most one a terminal. A Problem concerns the job as a whole: nothing of it is
        applied. A fork is recorded here, in this transaction: the bytes that are not on the chain in ``forks``, a leaf
        ``chain.forked``, and the incarnation is frozen; so the transaction must be committed all the same. A revoked
        terminal has nothing to freeze: what it hands in off its chain is answered as quarantined, in ``known``.

        Of a Part every operation in ``fresh`` must get exactly one outcome, by number, in the rows that this
        transaction writes.
        """
        ends = self._ends.read(transaction.connection, transaction.facility, [job.terminal for job in jobs])
        return [self._meet(transaction, job, ends.get(job.terminal)) for job in jobs]

    def advance(self, transaction: Transaction, jobs: list[Job], parts: list[Part | Problem]) -> list[Standing | None]:
        """Moves the ends of the chains over what ``meet`` has found new, after it was planned.

        Gives each chain's standing, None where there was a Problem. One update for all chains that moved; segments are
        written only where there is a gap, or one was filled. Leaves a leaf of its own (``terminal.reported``) only for
        a terminal of which nothing but its count of captured operations is new.
        """
        moved: list[Row] = []
        standings = []
        for job, part in zip(jobs, parts, strict=True):
            standings.append(None if isinstance(part, Problem) else self._advance(transaction, job, part, moved))
        transaction.put(self._move, moved)
        return standings

    # Meeting

    def _meet(self, transaction: Transaction, job: Job, end: Terminal | None) -> Part | Problem:
        if end is None:
            return Problem("terminal.unknown")
        if refused := _refused(job, end):
            return refused
        operations = job.operations(end)
        if not operations:
            gap = end.top_n > end.last_n
            held = self._segments.lowest(transaction.connection, _chain(end)) if gap else []
            return Part(end, [], [], evacuated=job.evacuation, segments=held)
        if job.prior is None:
            return Part(end, [], operations)
        run = self._run(transaction, job, end, job.prior, operations)
        stated, stored = run.claims(), {}
        if run.overlaps():
            stored = self._read_known(transaction, run)
            stated |= {n: row.hash for n, row in stored.items()}
        at = run.fork(stated)
        if at is not None:
            return self._fork(transaction, run, stored, at)
        fresh = [each for each in operations if each.frame.n not in stored] if stored else operations
        if not job.evacuation and (refused := _unsupported(fresh)):
            return refused
        known = [stored[each.frame.n].outcome for each in operations if each.frame.n in stored]
        turns = [each.frame.n not in stored for each in operations] if known else ()
        return Part(end, known, fresh, run.gap, job.evacuation, turns, run.segments, run.cut)

    def _run(
        self, transaction: Transaction, job: Job, end: Terminal, prior: bytes, operations: list[Operation]
    ) -> _Run:
        if end.top_n <= end.last_n:
            return _Run(job, end, prior, operations, (), cut=False)
        connection, chain = transaction.connection, _chain(end)
        found = self._segments.lowest(connection, chain)
        if cut := len(found) > MOST_RANGES:
            found = self._segments.touching(connection, chain, operations[0].frame.n, operations[-1].frame.n)
        return _Run(job, end, prior, operations, found, cut)

    def _read_known(self, transaction: Transaction, run: _Run) -> dict[int, Any]:
        """Stored rows (n, hash, outcome) of the numbers of a push."""
        key = _key(run.end) | {"first": run.first, "last": run.last}
        return {row.n: row for row in self._known.all(transaction.connection, key)}

    # Forks

    def _fork(self, transaction: Transaction, run: _Run, stored: dict[int, Any], at: int) -> Part | Problem:
        """Keeps the bytes that are not on the chain. Ends the incarnation, or, of a revoked terminal, quarantines them.

        Numbers of the push that fill a gap before the fork are kept so too: nobody can say on which branch they lie.
        """
        known = {n for n in stored if n < at}
        self._keep(transaction, run, [each.frame for each in run.operations if each.frame.n not in known], at)
        if not run.job.evacuation:
            captured = max(run.end.captured, run.job.captured)
            transaction.put(self._move, [_row(run.end, state=FROZEN, captured=captured)])
            return Problem("chain.fork", n=at)
        told = [stored[each.frame.n].outcome if each.frame.n in known else _stray(each) for each in run.operations]
        return Part(run.end, told, [], run.gap, True, [False] * len(told), run.segments, run.cut)

    def _keep(self, transaction: Transaction, run: _Run, frames: list[Frame], at: int) -> None:
        key = _key(run.end) | {"first": run.first, "last": run.last}
        before = {(row.n, row.hash) for row in self._forked.all(transaction.connection, key)}
        strays = [frame for frame in frames if (frame.n, frame.hash) not in before]
        if not strays:
            return
        chain = {"facility": run.end.facility, "terminal": run.end.terminal, "incarnation": run.end.incarnation}
        rows = [
            chain | {"n": frame.n, "hash": frame.hash, "raw": frame.raw, "received_at": transaction.now}
            for frame in strays
        ]
        transaction.put(self._forks, rows)
        first = strays[0].n
        facts = {
            "terminal": run.end.terminal,
            "incarnation": run.end.incarnation,
            "n": at,
            "hash": b64(run.hash(at)),
            "count": len(strays),
            "first": first,
            "prior": b64(run.before(first)),
            "to": {"n": strays[-1].n, "hash": b64(strays[-1].hash)},
        }
        append(transaction, "chain.forked", facts)

    # Moving on

    def _advance(self, transaction: Transaction, job: Job, part: Part, moved: list[Row]) -> Standing:
        end, held = part.end, part.segments
        n, hash_, top = end.last_n, end.last_hash, end.top_n
        if part.fresh:
            last = part.fresh[-1].frame
            n, hash_, top = last.n, last.hash, max(top, last.n)
            if part.gap or held:
                n, hash_, held = self._mend(transaction, job, part)
        if part.cut:
            held = self._segments.lowest(transaction.connection, _chain(end))
        captured = max(end.captured, job.captured, top)
        if part.fresh or captured != end.captured:
            moved.append(_row(end, last_n=n, last_hash=hash_, top_n=top, captured=captured))
        if not part.fresh and captured != end.captured:
            facts = {"terminal": end.terminal, "incarnation": end.incarnation, "captured": captured}
            append(transaction, "terminal.reported", facts)
        lacks = lacking(n, held, captured)
        word = leaving.order(transaction, end, lacks) if part.evacuated and not part.cut else None
        told = [each for each in lacks if each[0] <= top][:MOST_RANGES]
        return Standing(n + 1, told, end.safe_n, word)

    def _mend(self, transaction: Transaction, job: Job, part: Part) -> tuple[int, bytes, list[Segment]]:
        """Joins what is new with what it touches: last number and hash of the run from 1, and the segments then."""
        end, first, last = part.end, part.fresh[0].frame.n, part.fresh[-1].frame
        # A run that begins a segment begins where its push does; elsewhere its prior is not looked at.
        run = Segment(first, job.prior or end.last_hash, last.n, last.hash)
        touched = [each for each in part.segments if each.first <= run.last + 1 and each.last >= run.first - 1]
        low, high = min([run, *touched], key=lambda each: each.first), max([run, *touched], key=lambda each: each.last)
        joined = Segment(low.first, low.prior, high.last, high.last_hash)
        transaction.put(self._join, [_key(end) | {"n": each.first} for each in touched])
        rest = [each for each in part.segments if each not in touched]
        if joined.first <= end.last_n + 1:
            return joined.last, joined.last_hash, rest
        chain = {"facility": end.facility, "terminal": end.terminal, "incarnation": end.incarnation}
        transaction.put(self._new_segments, [chain | asdict(joined)])
        return end.last_n, end.last_hash, sorted([*rest, joined], key=lambda each: each.first)


def _refused(job: Job, end: Terminal) -> Problem | None:
    """Why a chain takes nothing of a job, whatever it brings."""
    if not (job.evacuation and end.state in _LEAVING) and (problem := barred(end.state)) is not None:
        return problem
    if job.evacuation and end.state not in _LEAVING:
        return Problem("evacuation.not_ordered")
    if job.incarnation != end.incarnation:
        return Problem("incarnation.frozen", incarnation=end.incarnation)
    return Problem("incarnation.frozen", incarnation=None) if end.state == FROZEN else None


def _unsupported(operations: list[Operation]) -> Problem | None:
    """What is answered to a push with an operation of a schema that is not taken; what is known already, was taken."""
    return next((each.problem for each in operations if each.status == UNSUPPORTED), None)


def _stray(operation: Operation) -> bytes:
    """The outcome of an operation off its chain, the same each time: no row of ``operations`` has it."""
    problem = Problem("chain.fork", n=operation.frame.n).sentence()
    outcome = {"n": operation.frame.n, "op": operation.op, "status": "quarantined", "problem": problem}
    return orjson.dumps(outcome)


def _chain(end: Terminal) -> Chain:
    return end.facility, end.terminal, end.incarnation


def _key(end: Terminal) -> dict[str, Any]:
    return {"f": end.facility, "t": end.terminal, "i": end.incarnation}


def _row(end: Terminal, **changed: Any) -> Row:
    """A terminal's end as ``_MOVE`` wants it."""
    row = {name: getattr(end, name) for name in _END}
    return {**row, **changed, "of_facility": end.facility, "of_terminal": end.terminal}
