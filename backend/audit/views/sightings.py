"""The terminals that saw a row: when each was first given all of a scope up to the row's sequence number or further."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection, select, tuple_

from backend.audit.views import names
from backend.kernel.clock import to_text
from backend.storage import tables

_P = tables.pulls.c
MOST_PAIRS = 500
"""So many pairs of terminal and officer are looked at; whatever lies behind is said to be left out."""
Pair = tuple[str, str]
Holding = Callable[[Connection, Iterable[str]], set[str]]
"""Officers → those of them whose scope holds the row's partition."""


def of_row(connection: Connection, facility: str, seq: int, holding: Holding) -> dict[str, Any]:
    """``{terminals, complete}``: terminals by the moment at which each was first given the row.

    ``holding`` asks about scopes as they are at present: who has lost a ward since is not found, and who has gained one
    counts from his first pull that went so far.
    """
    pairs = _pairs(connection, facility)
    allowed = holding(connection, {officer for _, officer in pairs})
    first: dict[str, tuple[int, str]] = {}
    for terminal, officer in pairs[:MOST_PAIRS]:
        if officer not in allowed:
            continue
        at = _first(connection, facility, terminal, officer, seq)
        if at is not None and (terminal not in first or at < first[terminal][0]):
            first[terminal] = (at, officer)
    return {"terminals": _named(connection, facility, first), "complete": len(pairs) <= MOST_PAIRS}


def _pairs(connection: Connection, facility: str) -> list[Pair]:
    """Every terminal with every officer who ever pulled on it: a seek for each, however many pulls there were."""
    found: list[Pair] = []
    wanted = select(_P.terminal, _P.officer).where(_P.facility == facility).order_by(_P.terminal, _P.officer).limit(1)
    while len(found) <= MOST_PAIRS:
        beyond = wanted.where(tuple_(_P.terminal, _P.officer) > tuple_(*found[-1])) if found else wanted
        row = connection.execute(beyond).one_or_none()
        if row is None:
            break
        found.append((row.terminal, row.officer))
    return found


def _first(connection: Connection, facility: str, terminal: str, officer: str, seq: int) -> int | None:
    key = (_P.facility == facility, _P.terminal == terminal, _P.officer == officer, _P.seq >= seq)
    found: int | None = connection.execute(select(_P.at).where(*key).order_by(_P.seq).limit(1)).scalar_one_or_none()
    return found


def _named(connection: Connection, facility: str, first: dict[str, tuple[int, str]]) -> list[dict[str, Any]]:
    terminals = names.of_terminals(connection, facility, first)
    officers = names.of_officers(connection, facility, [officer for _, officer in first.values()])
    ordered = sorted(first.items(), key=lambda each: each[1])
    return [
        {"terminal": terminals.get(terminal), "officer": officers.get(officer), "at": to_text(at)}
        for terminal, (at, officer) in ordered
    ]
