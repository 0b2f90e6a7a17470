"""What happens, as the rules of duty see it: a version of a record, and the events that its kind finds in it.

A kind says which events it raises (``Kind.raises``) and finds them in a version and the one before it. That is pure: the
same versions give the same events, whoever asks and however often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from backend.kernel.clock import from_text

Scalar = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a record as its row tells it. Times are milliseconds; ``marks``: (code, rule); ``doc`` is empty where it
    was taken away."""

    id: str
    kind: str
    version: int
    seq: int
    partition: str
    state: str
    officer: str
    terminal: str
    op: str
    observed_at: int
    received_at: int
    marks: tuple[tuple[str, str | None], ...]
    doc: Mapping[str, Any]


def version_of(body: bytes) -> Version:
    """The version that a row's bytes tell of."""
    row = orjson.loads(body)
    return Version(
        row["id"], row["kind"], row["version"], row["seq"], row["partition"], row["state"], row["author"]["officer"],
        row["terminal"], row["op"], from_text(row["observed_at"]), from_text(row["received_at"]),
        tuple((mark["code"], mark["rule"]) for mark in row["marks"]), row["doc"] or {},
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a moment (milliseconds, as its officer saw it) to a person, at a place, or to the facility.

    ``facts`` are what rules compare: dictionary words, counts, ids; never free text.
    """

    name: str
    at: int
    person: str | None = None
    place: str | None = None
    facts: Mapping[str, Scalar] = field(default_factory=dict)


Finder = Callable[[Version | None, Version], Iterable[Event]]
"""(version before, version) → the events between them, in their order."""


def no_events(_before: Version | None, _after: Version) -> Iterable[Event]:
    """For kinds of which no rule wants to know."""
    return ()


MARKED = "record.marked"
"""Raised for every mark that names a rule, of whatever kind: facts ``code``, ``rule``, ``kind``."""
