"""Disputes: open, passed on, settled; how old, and who settled them. The documents are docs/protocol.md §10's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, and_, select

from backend.audit.views import kept, pages
from backend.audit.views.operations import of_records
from backend.kernel.clock import from_text
from backend.kernel.ids import derived
from backend.storage import tables

_D, _R, _V = (table.c for table in (tables.disputes, tables.records, tables.versions))
OPEN, ROUTED, SETTLED = "open", "routed", "settled"
STATES = (OPEN, ROUTED, SETTLED)
CONFLICT = "conflict"
OPENING = (CONFLICT, kept.ESCROWED)
"""Statuses of operations that may have opened one: at once, or when they were released from escrow."""
Row = Mapping[str, Any]


def unsettled(
    connection: Connection, facility: str, now: int, state: str, after: str | None, limit: int
) -> dict[str, Any]:
    """``{conflicts, after}``: those that are open, or routed, by the record that they are about."""
    key = pages.opened(after, (str,))
    wanted = (
        select(_D.record, _D.conflict)
        .join(tables.records, and_(_R.facility == _D.facility, _R.id == _D.conflict))
        .where(_D.facility == facility, _R.state == state, pages.beyond((_D.record,), key))
        .order_by(_D.record)
        .limit(limit + 1)
    )
    rows, then = pages.cut(connection.execute(wanted).all(), limit, lambda row: (row.record,))
    found = of_records(connection, facility, [row.conflict for row in rows])
    return {"conflicts": _told(connection, facility, now, found), "after": then}


def every(
    connection: Connection, facility: str, now: int, state: str | None, after: str | None, limit: int
) -> dict[str, Any]:
    """``{conflicts, after}``: those of any state, or one, by the operations that opened them, the last received first.

    ``limit`` operations that may have opened one are looked at, so that a page may hold fewer conflicts; it is the last
    one when ``after`` is null. Who joined a conflict, or settled it wrongly, ends as ``conflict`` too and opened none.
    """
    rows, then = kept.remarkable(connection, facility, OPENING, after, limit)
    found = of_records(connection, facility, [derived(row.op, CONFLICT) for row in rows if row.op is not None])
    shown = [body for body in found if state is None or body["state"] == state]
    return {"conflicts": _told(connection, facility, now, shown), "after": then}


def _told(connection: Connection, facility: str, now: int, bodies: Sequence[Row]) -> list[dict[str, Any]]:
    opened = _opened(connection, facility, bodies)
    return [
        {
            "conflict": body["id"],
            "partition": body["partition"],
            "version": body["version"],
            "state": body["state"],
            "opened_at": opened[body["id"]],
            "changed_at": body["received_at"],
            "age": (from_text(body["received_at"]) if body["state"] == SETTLED else now)
            - from_text(opened[body["id"]]),
            "settled_by": _settler(body),
            "doc": body["doc"],
        }
        for body in bodies
    ]


def _opened(connection: Connection, facility: str, bodies: Sequence[Row]) -> dict[str, str]:
    """When each was opened: the receipt of its first version."""
    found = {body["id"]: body["received_at"] for body in bodies}
    later = [body["id"] for body in bodies if body["version"] > 1]
    wanted = select(_V.id, _V.body).where(_V.facility == facility, _V.id.in_(later), _V.version == 1)
    return found | {row.id: orjson.loads(row.body)["received_at"] for row in connection.execute(wanted)}


def _settler(body: Row) -> dict[str, Any] | None:
    """Who settled it last, when, and why."""
    accepted = [each for each in body["doc"]["settlements"] if each["accepted"]]
    if body["state"] != SETTLED or not accepted:
        return None
    last = accepted[-1]
    return {"officer": last["officer"], "op": last["op"], "reason": last["reason"], "at": body["received_at"]}
