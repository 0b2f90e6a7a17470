"""What a record kind is: the contract between one folder of ``backend/records`` and everything else.

A kind says what its documents look like, who may write them, where they live, how two edits meet and what its own
rules find remarkable. It never touches a database: the planner gives it what it asked for in ``needs``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from marshmallow import Schema

from backend.kernel.problems import Problem


class Policy(StrEnum):
    """How two edits of one record meet."""

    FACT = "fact"
    """Append-only: made once, never edited; a correction is a new record."""
    OWNED = "owned"
    """Edited only by the terminal that made it, along its own chain."""
    SHARED = "shared"
    """Edited by several; an edit of an outdated version is a conflict."""


class Compartment(StrEnum):
    """The second half of a partition: who is given a subject is given some of these."""

    BASE = "base"


@dataclass(frozen=True, slots=True)
class Text:
    """A word or sentence in the product's two languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Something remarkable about a thing that happened. It is recorded all the same.

    ``rule`` is the row of the duty rules behind it, if there is one.
    """

    code: str
    rule: str | None = None

    def document(self) -> dict[str, Any]:
        return {"code": self.code, "rule": self.rule}


@dataclass(frozen=True, slots=True)
class Head:
    """The present version of a record."""

    id: str
    kind: str
    version: int
    seq: int
    partition: str
    place: str | None
    state: str
    terminal: str
    body: bytes
    doc: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Needs:
    """What a kind's rules want to know before they judge: other records, and head counts of cells by the register."""

    records: tuple[str, ...] = ()
    headcounts: tuple[str, ...] = ()


class Known(Protocol):
    """What is known at the moment at which an operation is judged: the answers to its ``Needs``."""

    def record(self, record: str) -> Head | None: ...

    def headcount(self, cell: str) -> int: ...

    def posts(self) -> frozenset[str]:
        """Posts of the officer who made the operation, as strings of identity's ``Post``."""
        ...


@dataclass(frozen=True, slots=True)
class Deed:
    """An operation as a kind sees it: already read, addressed and authorised.

    Times are milliseconds. ``base`` is the version the officer worked on (0: none).
    """

    op: str
    terminal: str
    record: str
    verb: str
    base: int
    officer: str
    observed_at: int
    recorded_at: int
    received_at: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a kind makes of a deed: the document and the columns by which it is found, with what is remarkable."""

    doc: Mapping[str, Any]
    partition: str
    state: str
    place: str | None = None
    marks: tuple[Mark, ...] = ()


Judge = Callable[[Deed, Head | None, Known], "Ruling | Problem"]


def needs_nothing(_fields: Mapping[str, Any], _head: Head | None) -> Needs:
    """For verbs that are judged by the operation and its record alone."""
    return Needs()


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that may be done to a record of a kind."""

    schema: type[Schema]
    judge: Judge
    text: Text
    creates: bool = False
    signoff: bool = False
    needs: Callable[[Mapping[str, Any], Head | None], Needs] = needs_nothing


@dataclass(frozen=True, slots=True)
class Kind:
    """A record kind. ``writers`` are posts; who reads follows from the partition alone."""

    name: str
    version: int
    policy: Policy
    compartment: Compartment
    writers: frozenset[str]
    verbs: Mapping[str, Verb]
    text: Text
    labels: Mapping[str, Text]
    """Field path (``cell.headcount``) or dictionary value (``response.spoke``) → its name."""
    marks: Mapping[str, Text] = field(default_factory=dict)
    """Every mark that the kind's own rules may give → what it says; COMMON_MARKS come on top."""

    def __post_init__(self) -> None:
        if self.policy is Policy.FACT and not all(verb.creates for verb in self.verbs.values()):
            raise ValueError(f"{self.name}: a fact is never edited")


LATE_AFTER = 30 * 60 * 1000
"""Rule Y03: a record entered more than 30 minutes after what it tells. Transport never counts: a server that hears
of it hours later changes nothing."""

COMMON_MARKS: Mapping[str, Text] = {
    "record.late": Text("录入时间晚于观察时间三十分钟以上", "entered more than 30 minutes after it was seen"),
    "anchor.unknown": Text("所引用的服务器时间凭据无法核对", "the server's anchor that it names is not known"),
}
"""Marks that any kind may give."""


def lateness(deed: Deed) -> tuple[Mark, ...]:
    """The mark for a record entered late, for every kind that tells what an officer saw."""
    return (Mark("record.late", "Y03"),) if deed.recorded_at - deed.observed_at > LATE_AFTER else ()
