"""The imports. A preview says all that is wrong and writes nothing; the same file is then written whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from backend.audit.log import append
from backend.domain.posts import Post
from backend.identity import officers as identity
from backend.identity.officers import Officer
from backend.imports import known, officers, persons, places, rosters
from backend.imports.columns import Column, Reader
from backend.imports.draft import First, Make
from backend.imports.findings import Findings, of_problem
from backend.imports.known import Known
from backend.imports.plan import Plan, Planner
from backend.imports.reading import read
from backend.imports.table import MOST_ROWS, too_large
from backend.kernel.ids import b64, sha256
from backend.kernel.problems import Problem
from backend.storage.door import Door, Transaction

_RETRY_AFTER = 5


@dataclass(frozen=True, slots=True)
class Sort:
    """One of the imports: who may do it, what its columns are, and which numbers it must know."""

    post: Post
    columns: Sequence[Column]
    plan: Planner
    most: int = MOST_ROWS
    persons: bool = False
    officers: bool = False
    roster: bool = False


SORTS = {
    "officers": Sort(Post.ADM, officers.COLUMNS, officers.plan, officers.MOST_OFFICERS, officers=True),
    "places": Sort(Post.ADM, places.COLUMNS, places.plan),
    "persons": Sort(Post.INT, persons.COLUMNS, persons.plan, persons=True),
    "rosters": Sort(Post.LEAD, rosters.COLUMNS, rosters.plan, rosters.MOST_OFFICERS, roster=True),
}


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was sent: its bytes, content type, and what the sender says it is in (CSV)."""

    raw: bytes
    type: str
    charset: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, base64url."""
        return b64(sha256(self.raw))


@dataclass(slots=True)
class Preview:
    """What a file would come to. ``rest``: what it rests on."""

    digest: str
    rows: int
    findings: Findings
    plan: Plan
    rest: Known
    applied: bool = False
    secrets: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """``{digest, rows, good, applied, error_count, errors, warning_count, warnings, made}``."""
        found = self.findings
        made = [entry | self._secret(entry["id"]) for entry in self.plan.made] if self.applied else []
        return {
            "digest": self.digest,
            "rows": self.rows,
            "good": len({entry["row"] for entry in self.plan.made} - found.bad),
            "applied": self.applied,
            "error_count": found.error_count,
            "errors": [each.document() for each in found.errors],
            "warning_count": found.warning_count,
            "warnings": [each.document() for each in found.warnings],
            "made": made,
        }

    def _secret(self, officer: str) -> dict[str, str]:
        return {"secret": self.secrets[officer]} if officer in self.secrets else {}


class Importer:
    """Previews and applies files, one at a time: reading one costs seconds of a processor."""

    def __init__(self, door: Door, make: Make) -> None:
        self._door = door
        self._make = make
        self._turn = threading.Lock()

    def preview(self, sort: str, facility: str, file: File) -> Preview:
        """What a file would come to.

        Raises Problem ``server.busy``, ``type.unsupported``, ``import.unreadable``, ``import.too_large``.
        """
        if not self._turn.acquire(blocking=False):
            raise Problem("server.busy", retry_after=_RETRY_AFTER)
        try:
            return self._look(SORTS[sort], facility, file)
        finally:
            self._turn.release()

    def apply(self, sort: str, by: Officer, file: File, digest: str) -> Preview:
        """Writes a file that was previewed, whole; ``digest`` is that of the preview.

        Raises Problem as ``preview``, ``import.changed`` (another file), ``import.refused`` (it has errors), and
        ``state.changed`` when what it rests on changed before it could be written; nothing is written then.
        """
        if file.digest != digest:
            raise Problem("import.changed")
        found = self.preview(sort, by.facility, file)
        if found.findings.errors or not found.plan.made:
            raise Problem("import.refused")
        first = self._first(sort, by, found)
        if found.plan.officers:
            identity.add(self._door, by.facility, found.plan.officers, first=first)
            found.secrets = {officer.officer: officer.secret for officer in found.plan.officers}
        else:
            self._make(by, found.plan.drafts, first)
        found.applied = True
        return found

    def _look(self, sort: Sort, facility: str, file: File) -> Preview:
        table = read(file.raw, file.type, file.charset)
        if len(table.lines) > sort.most:
            raise too_large("rows", sort.most)
        with self._door.store.reading() as connection:
            rest = _known(connection, facility, sort)
        reader = Reader(sort.columns, Findings())
        if table.rest:
            reader.findings.warn(of_problem(table.at, None, Problem("sheet.ignored")))
        plan = sort.plan(reader, table, rest, self._door.clock.now())
        return Preview(file.digest, len(table.lines), reader.findings, plan, rest)

    @staticmethod
    def _first(sort: str, by: Officer, found: Preview) -> First:
        """Under the facility's lock: what was looked at must be as it was; then the leaf."""

        def first(transaction: Transaction) -> None:
            if _known(transaction.connection, by.facility, SORTS[sort]) != found.rest:
                raise Problem("state.changed")
            facts = {"import": sort, "digest": found.digest, "rows": len(found.plan.made), "by": by.officer}
            append(transaction, "import.applied", facts)

        return first


def _known(connection: Connection, facility: str, sort: Sort) -> Known:
    return known.read(connection, facility, persons=sort.persons, officers=sort.officers, roster=sort.roster)
