"""Ids with the names that people know them by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from backend.kernel.clock import to_text
from backend.storage import tables

_O, _T = tables.officers.c, tables.terminals.c


def moment(at: int | None) -> str | None:
    """Milliseconds → RFC 3339, and nothing for nothing."""
    return None if at is None else to_text(at)


def of_officers(connection: Connection, facility: str, officers: Iterable[str]) -> dict[str, dict[str, Any]]:
    """``{id, number, name}`` by id; whoever is not known is left out. At most a page's worth of ids."""
    wanted = select(_O.officer, _O.number, _O.name).where(
        _O.facility == facility, _O.officer.in_(sorted(set(officers)))
    )
    return {
        row.officer: {"id": row.officer, "number": row.number, "name": row.name} for row in connection.execute(wanted)
    }


def of_terminals(connection: Connection, facility: str, terminals: Iterable[str]) -> dict[str, dict[str, Any]]:
    """``{id, label, asset}`` by id."""
    ids = sorted(set(terminals))
    wanted = select(_T.terminal, _T.label, _T.asset).where(_T.facility == facility, _T.terminal.in_(ids))
    rows = connection.execute(wanted)
    return {row.terminal: {"id": row.terminal, "label": row.label, "asset": row.asset} for row in rows}
