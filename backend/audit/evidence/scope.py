"""What a bundle is of: everything, one person, one terminal, or a period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from backend.kernel.clock import from_text, to_text
from backend.storage import tables

ALL, PERSON, TERMINAL, PERIOD = "all", "person", "terminal", "period"
_R, _T = tables.records.c, tables.terminals.c


@dataclass(frozen=True, slots=True)
class Scope:
    """``kind``: one of the four; ``subject``: the person's or terminal's id; ``since``, ``until``: milliseconds, the end
    not included. A period may be open at the end."""

    kind: str
    subject: str | None = None
    since: int | None = None
    until: int | None = None

    def facts(self) -> dict[str, Any]:
        """How the leaf and the bundle name it."""
        if self.kind == PERIOD:
            assert self.since is not None
            until = None if self.until is None else to_text(self.until)
            return {"kind": PERIOD, "since": to_text(self.since), "until": until}
        return {"kind": self.kind} | ({} if self.subject is None else {self.kind: self.subject})


def chosen(
    *, all_: bool = False, person: str | None = None, terminal: str | None = None, since: str | None = None,
    until: str | None = None,
) -> Scope:  # fmt: skip
    """The one scope that these name. Raises ValueError when they name none, several, or a period that is none."""
    period = since is not None or until is not None
    if sum((all_, person is not None, terminal is not None, period)) != 1:
        raise ValueError("name one: everything, a person, a terminal, or a period")
    if not period:
        subject = person or terminal
        return Scope(ALL if all_ else PERSON if person is not None else TERMINAL, subject)
    begin = 0 if since is None else from_text(since)
    end = None if until is None else from_text(until)
    if end is not None and end <= begin:
        raise ValueError("the period ends before it begins")
    return Scope(PERIOD, since=begin, until=end)


def exists(connection: Connection, facility: str, scope: Scope) -> bool:
    """Whether the facility has what the scope is about."""
    if scope.kind == PERSON:
        wanted = select(_R.id).where(_R.facility == facility, _R.id == scope.subject, _R.kind == PERSON)
        return connection.execute(wanted).first() is not None
    if scope.kind == TERMINAL:
        wanted = select(_T.terminal).where(_T.facility == facility, _T.terminal == scope.subject)
        return connection.execute(wanted).first() is not None
    return True
