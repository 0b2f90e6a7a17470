"""Operations in custody: what each waits for, until when, since when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Subquery, and_, func, select, tuple_

from backend.audit.views import names, pages
from backend.audit.views.names import moment
from backend.storage import tables

_H, _W, _O, _F = (table.c for table in (tables.holds, tables.waits, tables.operations, tables.facilities))
MOST_COUNTED = 50_000
Number = tuple[str, int, int]
"""Terminal, incarnation, n."""


def page(
    connection: Connection,
    facility: str,
    now: int,
    after: str | None,
    limit: int,
    *,
    terminal: str | None = None,
    need: str | None = None,
) -> dict[str, Any]:
    """``{held, operations, after}``: what waits, the nearest deadline first; of one terminal, or for one id.

    ``held`` counts the whole facility's.
    """
    order = (_H.deadline, _H.terminal, _H.incarnation, _H.n)
    wanted = select(tables.holds, _O.op).join(
        tables.operations,
        and_(_O.facility == _H.facility, _O.terminal == _H.terminal, _O.incarnation == _H.incarnation, _O.n == _H.n),
    )
    if need is not None:
        of_wait = and_(_W.terminal == _H.terminal, _W.incarnation == _H.incarnation, _W.n == _H.n)
        wanted = wanted.join(tables.waits, and_(_W.facility == _H.facility, _W.needs == need, of_wait))
    if terminal is not None:
        wanted = wanted.where(_H.terminal == terminal)
    key = pages.opened(after, (int, str, int, int))
    wanted = wanted.where(_H.facility == facility, tables.WAITING, pages.beyond(order, key))
    rows = connection.execute(wanted.order_by(*order).limit(limit + 1)).all()
    kept, then = pages.cut(rows, limit, lambda row: (row.deadline, row.terminal, row.incarnation, row.n))
    labels = names.of_terminals(connection, facility, [row.terminal for row in kept])
    needs = waits(connection, facility, kept)
    found = [_held(row, now, labels, needs[row.terminal, row.incarnation, row.n]) for row in kept]
    total = connection.execute(select(_F.held).where(_F.facility == facility)).scalar_one()
    return {"held": total, "operations": found, "after": then}


def _held(row: Any, now: int, labels: dict[str, Any], needs: list[str]) -> dict[str, Any]:
    return {
        "op": row.op,
        "terminal": labels.get(row.terminal),
        "incarnation": row.incarnation,
        "n": row.n,
        "received_at": moment(row.received_at),
        "age": max(0, now - row.received_at),
        "deadline": moment(row.deadline),
        "overdue": now > row.deadline,
        "waits_for": needs,
    }


def waits(connection: Connection, facility: str, holds: Sequence[Any]) -> dict[Number, list[str]]:
    """What each of these rows of ``holds`` still waits for: ids of operations and records."""
    found: dict[Number, list[str]] = {(hold.terminal, hold.incarnation, hold.n): [] for hold in holds}
    numbers = tuple_(_W.terminal, _W.incarnation, _W.n)
    wanted = select(tables.waits).where(_W.facility == facility, numbers.in_(list(found))).order_by(_W.needs)
    for row in connection.execute(wanted) if found else ():
        found[row.terminal, row.incarnation, row.n].append(row.needs)
    return found


def waiting(facility: str) -> Subquery:
    """Open rows of ``holds``, MOST_COUNTED of the nearest deadline: the limit keeps to the index of those alone."""
    wanted = select(_H.terminal, _H.received_at, _H.deadline).where(_H.facility == facility, tables.WAITING)
    return wanted.order_by(_H.deadline).limit(MOST_COUNTED).subquery()


def by_terminal(connection: Connection, facility: str, after: str | None, limit: int) -> dict[str, Any]:
    """``{terminals, after}``: how many operations of each wait, with the oldest receipt and the nearest deadline."""
    key, of = pages.opened(after, (str,)), waiting(facility).c
    oldest, deadline = func.min(of.received_at).label("oldest"), func.min(of.deadline).label("deadline")
    wanted = (
        select(of.terminal, func.count().label("held"), oldest, deadline)
        .where(pages.beyond((of.terminal,), key))
        .group_by(of.terminal)
        .order_by(of.terminal)
        .limit(limit + 1)
    )
    rows, then = pages.cut(connection.execute(wanted).all(), limit, lambda row: (row.terminal,))
    labels = names.of_terminals(connection, facility, [row.terminal for row in rows])
    found = [
        {
            "terminal": labels.get(row.terminal),
            "held": row.held,
            "oldest": moment(row.oldest),
            "deadline": moment(row.deadline),
        }
        for row in rows
    ]
    return {"terminals": found, "after": then}


def by_need(connection: Connection, facility: str, after: str | None, limit: int) -> dict[str, Any]:
    """``{needs, after}``: ids that have not come, of operations or records, each with how many operations it keeps."""
    key = pages.opened(after, (str,))
    wanted = (
        select(_W.needs, func.count().label("held"))
        .where(_W.facility == facility, pages.beyond((_W.needs,), key))
        .group_by(_W.needs)
        .order_by(_W.needs)
        .limit(limit + 1)
    )
    rows, then = pages.cut(connection.execute(wanted).all(), limit, lambda row: (row.needs,))
    return {"needs": [{"id": row.needs, "held": row.held} for row in rows], "after": then}
