"""What rows come to: records and officers to be made, and what the answer says of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from backend.identity.officers import NewOfficer
from backend.imports.columns import Reader, Row
from backend.imports.draft import Draft
from backend.imports.findings import of_mark
from backend.imports.known import Known
from backend.imports.rehearsal import Rehearsal
from backend.imports.table import Table
from backend.kernel.kind import Head
from backend.kernel.problems import Problem
from backend.records.registry import kinds


@dataclass(slots=True)
class Plan:
    """``made``: for each row that is good ``{row, id, number}``; in their order ``drafts`` or ``officers``."""

    drafts: list[Draft] = field(default_factory=list)
    officers: list[NewOfficer] = field(default_factory=list)
    made: list[dict[str, Any]] = field(default_factory=list)


Planner = Callable[[Reader, Table, Known, int], Plan]
"""(reader, table, what is there, now) → plan; what is wrong goes to the reader's findings."""


def unique(reader: Reader, rows: Iterable[Row], key: str, taken: Collection[str]) -> Iterator[Row]:
    """Rows whose number nobody has: neither a row before nor what is there."""
    seen: dict[str, int] = {}
    for row in rows:
        number = row.said[key]
        if number in seen:
            reader.blame(row.number, key, Problem("row.repeated", row=seen[number]), number)
        elif number in taken:
            reader.blame(row.number, key, Problem("number.taken"), number)
        else:
            yield row
        seen.setdefault(number, row.number)


def place(reader: Reader, row: Row, key: str, code: str, of: dict[str, list[Head]], type_: str) -> str | None:
    """The id of the place of a code and type; None and an error when there is none, or several."""
    found = [head.id for head in of.get(code, []) if head.doc["type"] == type_]
    if len(found) == 1:
        return found[0]
    reader.blame(row.number, key, Problem("number.several" if found else "reference.unknown"), code)
    return None


def rehearse(reader: Reader, rehearsal: Rehearsal, row: Row, draft: Draft, names: dict[str, str] | None = None) -> bool:
    """Whether a record is right; what is not goes to the columns of its fields (``names``: where they are called else)."""
    told = rehearsal.play(draft)
    if isinstance(told, list):
        for problem in told:
            field_ = (problem.field or "").partition(".")[0]
            reader.blame(row.number, (names or {}).get(field_, field_) or None, problem)
        return False
    for mark in told:
        reader.findings.warn(of_mark(row.number, None, mark, kinds()[draft.kind].marks[mark.code]))
    return True
