"""Operations whose bytes were set aside: quarantined, in escrow, or come on a number that other bytes had taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, and_, bindparam, select

from backend.audit.views import names, pages
from backend.audit.views.names import moment
from backend.audit.views.operations import listed, of_records, readable, text_of
from backend.kernel.framing import MAX_OPERATION
from backend.kernel.ids import b64, derived, unhash
from backend.kernel.problems import Problem
from backend.storage import tables

_O, _K = tables.operations.c, tables.forks.c
QUARANTINED, ESCROWED, ESCROW = "quarantined", "escrowed", "escrow"


def remarkable(
    connection: Connection, facility: str, statuses: Sequence[str], after: str | None, limit: int
) -> tuple[list[Any], str | None]:
    """Rows of ``operations`` of some remarkable statuses, the last received first, with the cursor of the next page."""
    key = pages.opened(after, (int, str, int, int))
    order = (_O.received_at, _O.terminal, _O.incarnation, _O.n)
    wanted = (
        select(tables.operations)
        .where(_O.facility == facility, _O.status == bindparam("status"), tables.REMARKABLE)
        .where(pages.beyond(order, key, falling=True))
        .order_by(*(column.desc() for column in order))
        .limit(limit + 1)
    )
    rows = [row for status in statuses for row in connection.execute(wanted, {"status": status})]
    rows.sort(key=_place, reverse=True)
    return pages.cut(rows, limit, _place)


def _place(row: Any) -> tuple[int, str, int, int]:
    return row.received_at, row.terminal, row.incarnation, row.n


def quarantine(connection: Connection, facility: str, after: str | None, limit: int) -> dict[str, Any]:
    """``{operations, after}``: what could not be read, with its bytes and the reason."""
    rows, then = remarkable(connection, facility, (QUARANTINED,), after, limit)
    return {"operations": [_set_aside(row) for row in rows], "after": then}


def _set_aside(row: Any) -> dict[str, Any]:
    return listed(row) | {"problem": orjson.loads(row.outcome).get("problem"), "raw": shown(row.raw)}


def shown(raw: bytes) -> str | None:
    """Bytes as base64url; longer ones than an operation may be are given by its path alone."""
    return b64(raw) if len(raw) <= MAX_OPERATION else None


def escrow(connection: Connection, facility: str, after: str | None, limit: int) -> dict[str, Any]:
    """``{operations, after}``: whose right had been lost, with officer, bytes, reason, and the leader's word if given."""
    rows, then = remarkable(connection, facility, (ESCROWED,), after, limit)
    words = spoken(connection, facility, [row.op for row in rows if row.op is not None])
    said = [readable(row.raw) or {} for row in rows]
    officers = names.of_officers(connection, facility, [str(each.get("officer")) for each in said])
    found = [
        _set_aside(row)
        | {
            "officer": officers.get(str(each.get("officer"))),
            "observed_at": text_of(each, "observed_at"),
            "word": words.get(row.op),
        }
        for row, each in zip(rows, said, strict=True)
    ]
    return {"operations": found, "after": then}


def spoken(connection: Connection, facility: str, ops: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Operation in escrow → what a leader has decided of it: ``{state, officer, reason, at, op}``; op: his own."""
    named = {derived(op, ESCROW): op for op in ops}
    bodies = of_records(connection, facility, list(named))
    return {
        named[body["id"]]: {
            "state": body["state"],
            "officer": {"id": body["author"]["officer"], "name": body["author"]["name"]},
            "reason": body["doc"]["reason"],
            "at": body["received_at"],
            "op": body["op"],
        }
        for body in bodies
    }


def forks(connection: Connection, facility: str, after: str | None, limit: int) -> dict[str, Any]:
    """``{forks, after}``: bytes that came on a number or link that others had taken, with what stands there."""
    key = pages.opened(after, (str, int, int, str))
    order = (_K.terminal, _K.incarnation, _K.n, _K.hash)
    stands = and_(
        _O.facility == _K.facility, _O.terminal == _K.terminal, _O.incarnation == _K.incarnation, _O.n == _K.n
    )
    wanted = (
        select(tables.forks, _O.op, _O.hash.label("stands"), _O.status)
        .outerjoin(tables.operations, stands)
        .where(_K.facility == facility, pages.beyond(order, None if key is None else (*key[:3], _hash(key[3]))))
        .order_by(*order)
        .limit(limit + 1)
    )
    rows, then = pages.cut(
        connection.execute(wanted).all(), limit, lambda row: (row.terminal, row.incarnation, row.n, b64(row.hash))
    )
    labels = names.of_terminals(connection, facility, [row.terminal for row in rows])
    return {"forks": [_fork(row, labels) for row in rows], "after": then}


def _hash(text: str | int) -> bytes:
    try:
        return unhash(str(text))
    except ValueError:
        raise Problem("field.invalid", pages.FIELD) from None


def _fork(row: Any, labels: dict[str, Any]) -> dict[str, Any]:
    taken = {"op": row.op, "status": row.status, "hash": b64(row.stands)} if row.stands is not None else None
    return {
        "terminal": labels.get(row.terminal),
        "incarnation": row.incarnation,
        "n": row.n,
        "hash": b64(row.hash),
        "op": text_of(readable(row.raw) or {}, "op"),
        "received_at": moment(row.received_at),
        "length": len(row.raw),
        "raw": shown(row.raw),
        "stands": taken,
    }
