"""What is decided of an operation before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.kernel.kind import Mark, Ruling
from backend.kernel.problems import Problem
from sync.judging.accept import Operation


@dataclass(slots=True)
class Effect:
    """A version of one record that an operation makes. ``source``: the operation that it tells of, if it is another."""

    record: str
    kind: str
    ruling: Ruling
    marks: tuple[Mark, ...] = ()
    source: Operation | None = None


@dataclass(slots=True)
class Verdict:
    """``effects``: versions in their order. ``own``: the record that the operation itself made or changed; its effect, if
    it has one, is the first. ``missing``: what a held operation waits for. ``repeats``: the outcome that the same
    operation got in another incarnation, with where that was.
    """

    status: str
    problem: Problem | None = None
    effects: tuple[Effect, ...] = ()
    own: str | None = None
    conflict: str | None = None
    marks: tuple[Mark, ...] = ()
    missing: tuple[Mapping[str, str], ...] = ()
    repeats: Mapping[str, Any] | None = None


def refused(problem: Problem, status: str = "rejected") -> Verdict:
    """Nothing is done, for this reason."""
    return Verdict(status, problem)


def held(*missing: Mapping[str, str]) -> Verdict:
    """In custody until these have come."""
    return Verdict("held", Problem("operation.held"), missing=missing)
