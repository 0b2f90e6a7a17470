"""A push, or the server's own act, as a job for the end of one terminal's chain; and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from backend.identity.segments import Range, Segment
from backend.identity.terminals import Terminal
from backend.kernel.problems import Problem
from backend.storage.door import Transaction
from sync.judging.accept import Operation


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a chain stands after a job.

    ``next``: the first number that the server lacks. ``missing``: the ranges that it lacks below the highest it has, at
    most 100. ``safe_upto``: up to which a verified backup has the chain. ``order``: ``keep`` when a revoked terminal has
    handed in all that it captured, ``wipe`` when verified backups have it too.
    """

    next: int
    missing: list[Range]
    safe_upto: int
    order: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Outcomes in order, the standing of the chain, and the log's epoch and signed head after it all."""

    outcomes: list[bytes]
    standing: Standing
    incarnation: int
    epoch: int
    head: str
    now: int


@dataclass(slots=True, eq=False)
class Job:
    """Operations for one chain. ``build`` gets the chain's end as the transaction finds it and returns them in order.

    Their numbers follow each other, and their hashes follow from ``prior``, the hash before the first one; it is None
    when the server builds on the end itself. ``evacuation``: a revoked terminal hands them in. After its turn a job has
    ``answer`` or ``error``. ``upto`` and ``faulty`` serve the repair of a group that failed: commit only so many
    operations; set those aside, by their place in the job from 1, that failed alone. ``whole``: all of its operations are
    applied or nothing is written; it is called before any of them is judged, under the facility's lock, and what it
    raises stops the job. ``lenient``: what ``whole`` writes stands also where some of them are not applied.
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
    evacuation: bool = False
    whole: Callable[[Transaction], None] | None = None
    lenient: bool = False

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
    """A job against its chain: outcomes that were given before, and the operations that are new, both by number.

    ``gap``: numbers before the new ones are missing; it is so for all of them or for none. ``evacuated``: a revoked
    terminal hands them in. ``turns``: for each operation of the job whether it is new; empty when all are.
    ``segments``: those of the chain that matter; ``cut``: there are more of them.
    """

    end: Terminal
    known: list[bytes]
    fresh: list[Operation]
    gap: bool = False
    evacuated: bool = False
    turns: Sequence[bool] = ()
    segments: Sequence[Segment] = ()
    cut: bool = False

    def arrange(self, new: list[bytes]) -> list[bytes]:
        """All outcomes in the job's order; ``new`` are those of ``fresh``."""
        if not self.turns:
            return new
        known, made = iter(self.known), iter(new)
        return [next(made) if fresh else next(known) for fresh in self.turns]
