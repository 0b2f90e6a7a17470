"""A terminal's life: its incarnations, its numbers, what waits, who was on it, what it says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Select, and_, func, or_, select

from backend.audit.views import backlog, names, pages
from backend.audit.views.names import moment
from backend.kernel.clock import from_text
from backend.storage import tables

WIPED = "wiped"
"""The state of a terminal that claims to have destroyed store and key: a claim, and kept as one."""
MOST_RANGES = 100
OUTCOMES_BACK = 5_000
"""How many of an incarnation's highest numbers are counted by status: a history is not read to count it."""
SESSIONS_BACK = 5_000
"""Among how many of the facility's newest sessions a terminal's own are looked for: they are filed by id alone."""
MOST_SESSIONS = 20
MOST_COUNTED = 5_000
MOST_INCARNATIONS = 50

_T, _I, _G, _H, _K = (table.c for table in (
    tables.terminals, tables.incarnations, tables.segments, tables.holds, tables.forks,
))  # fmt: skip
_O, _R, _S, _P, _F = (table.c for table in (
    tables.operations, tables.reports, tables.sessions, tables.pulls, tables.facilities,
))  # fmt: skip
Range = tuple[int, int]


def page(connection: Connection, facility: str, after: str | None, limit: int) -> dict[str, Any]:
    """``{terminals, after}``: each with its state, the end of its chain and its newest report, by id."""
    key = pages.opened(after, (str,))
    wanted = (
        select(tables.terminals, _R.at.label("reported_at"), _F.server)
        .join(tables.facilities, _F.facility == _T.facility)
        .outerjoin(tables.reports, and_(_R.facility == _T.facility, _R.terminal == _T.terminal))
        .where(_T.facility == facility, pages.beyond((_T.terminal,), key))
        .order_by(_T.terminal)
        .limit(limit + 1)
    )
    rows, then = pages.cut(connection.execute(wanted).all(), limit, lambda row: (row.terminal,))
    held = _held(connection, facility, [row.terminal for row in rows])
    segments = _segments(connection, facility, [row.terminal for row in rows])
    found = [
        _enrolled(row)
        | {"held": held.get(row.terminal, 0), "reported_at": moment(row.reported_at)}
        | {"numbers": numbers(row, segments.get((row.terminal, row.incarnation), []))}
        for row in rows
    ]
    return {"terminals": found, "after": then}


def life(connection: Connection, facility: str, terminal: str) -> dict[str, Any] | None:
    """Everything that is kept of one terminal; None if the facility has no such."""
    wanted = select(tables.terminals, _F.server).join(tables.facilities, _F.facility == _T.facility)
    row = connection.execute(wanted.where(_T.facility == facility, _T.terminal == terminal)).one_or_none()
    if row is None:
        return None
    segments = _segments(connection, facility, [terminal])
    sessions = _sessions(connection, facility, terminal)
    report = _report(connection, facility, terminal)
    return _enrolled(row) | {
        "thumbprint": row.thumbprint,
        "wiped_by_its_own_word": row.state == WIPED,
        "safe_n": row.safe_n,
        "last_seen": moment(_last_seen(connection, facility, row, sessions, report)),
        "numbers": numbers(row, segments.get((terminal, row.incarnation), [])),
        "incarnations": _ended(connection, facility, terminal, segments),
        "outcomes": _outcomes(connection, facility, row),
        "holds": _holds(connection, facility, terminal),
        "forks": _count(connection, select(_K.n).where(_K.facility == facility, _K.terminal == terminal)),
        "sessions": _told_sessions(connection, facility, sessions),
        "report": None if report is None else _reported(report),
    }


def _enrolled(row: Any) -> dict[str, Any]:
    return {
        "terminal": row.terminal,
        "label": row.label,
        "asset": row.asset,
        "state": row.state,
        "server": row.terminal == row.server,
        "enrolled_at": moment(row.enrolled_at),
        "incarnation": row.incarnation,
    }


def numbers(end: Any, segments: Sequence[Range]) -> dict[str, Any]:
    """What of an incarnation's numbers came. ``end``: a row with last_n, top_n, captured; ``segments`` ascending.

    ``outstanding``: ranges that the terminal says it has captured and the server never got, at most MOST_RANGES of
    them; of an incarnation that has ended, or a terminal that was closed, they are what is lost.
    """
    missing = gaps(end.last_n, segments)
    top = max([end.last_n, end.top_n, *(last for _, last in segments)])
    outstanding = [*missing, (top + 1, end.captured)] if end.captured > top else missing
    received = end.last_n + sum(last - first + 1 for first, last in segments)
    told: dict[str, Any] = {"last_n": end.last_n, "top_n": top, "captured": end.captured, "received": received}
    told["missing"] = [list(each) for each in missing[:MOST_RANGES]]
    told["outstanding"] = [list(each) for each in outstanding[:MOST_RANGES]]
    return told | {"outstanding_count": sum(last - first + 1 for first, last in outstanding)}


def gaps(last_n: int, segments: Iterable[Range]) -> list[Range]:
    """The ranges that lie between the end of a chain and the segments beyond it."""
    found, end = [], last_n
    for first, last in segments:
        if first > end + 1:
            found.append((end + 1, first - 1))
        end = max(end, last)
    return found


def _segments(connection: Connection, facility: str, terminals: Sequence[str]) -> dict[tuple[str, int], list[Range]]:
    wanted = (
        select(_G.terminal, _G.incarnation, _G.first, _G.last)
        .where(_G.facility == facility, _G.terminal.in_(terminals))
        .order_by(_G.terminal, _G.incarnation, _G.first)
    )
    found: dict[tuple[str, int], list[Range]] = {}
    for row in connection.execute(wanted):
        found.setdefault((row.terminal, row.incarnation), []).append((row.first, row.last))
    return found


def _held(connection: Connection, facility: str, terminals: Sequence[str]) -> dict[str, int]:
    of = backlog.waiting(facility).c
    wanted = select(of.terminal, func.count().label("held")).where(of.terminal.in_(terminals)).group_by(of.terminal)
    return {row.terminal: row.held for row in connection.execute(wanted)}


def _ended(
    connection: Connection, facility: str, terminal: str, segments: Mapping[tuple[str, int], list[Range]]
) -> list[dict[str, Any]]:
    wanted = select(tables.incarnations).where(_I.facility == facility, _I.terminal == terminal)
    rows = connection.execute(wanted.order_by(_I.incarnation.desc()).limit(MOST_INCARNATIONS))
    return [
        {
            "incarnation": row.incarnation,
            "thumbprint": row.thumbprint,
            "why": row.why,
            "ended_at": moment(row.ended_at),
            "numbers": numbers(row, segments.get((terminal, row.incarnation), [])),
        }
        for row in rows
    ]


def _outcomes(connection: Connection, facility: str, end: Any) -> dict[str, Any]:
    """Counts by status of the present incarnation's highest numbers."""
    top = max(end.last_n, end.top_n)
    first = max(1, top - OUTCOMES_BACK + 1)
    wanted = (
        select(_O.status, func.count().label("count"))
        .where(_O.facility == facility, _O.terminal == end.terminal, _O.incarnation == end.incarnation, _O.n >= first)
        .group_by(_O.status)
        .order_by(_O.status)
    )
    return {"first": first, "last": top, "count": {row.status: row.count for row in connection.execute(wanted)}}


def _holds(connection: Connection, facility: str, terminal: str) -> dict[str, int]:
    """Of its last MOST_COUNTED receipts, how many wait and how many have waited."""
    mine = select(_H.settled_at).where(_H.facility == facility, _H.terminal == terminal)
    last = mine.order_by(_H.incarnation.desc(), _H.n.desc()).limit(MOST_COUNTED).subquery()
    row = connection.execute(
        select(func.count().label("every"), func.count(last.c.settled_at).label("settled")).select_from(last)
    ).one()
    return {"open": row.every - row.settled, "settled": row.settled}


def _count(connection: Connection, wanted: Select[Any]) -> int:
    """How many, up to MOST_COUNTED."""
    found = connection.execute(select(func.count()).select_from(wanted.limit(MOST_COUNTED).subquery()))
    return int(found.scalar_one())


def _sessions(connection: Connection, facility: str, terminal: str) -> Sequence[Any]:
    newest = select(tables.sessions).where(_S.facility == facility).order_by(_S.session.desc()).limit(SESSIONS_BACK)
    found = newest.subquery()
    wanted = select(found).where(found.c.terminal == terminal).order_by(found.c.session.desc()).limit(MOST_SESSIONS)
    return connection.execute(wanted).all()


def _told_sessions(connection: Connection, facility: str, rows: Sequence[Any]) -> list[dict[str, Any]]:
    officers = names.of_officers(connection, facility, [row.officer for row in rows])
    return [
        {
            "session": row.session,
            "officer": officers.get(row.officer),
            "started_at": moment(row.started_at),
            "expires_at": moment(row.expires_at),
            "ended_at": moment(row.ended_at),
        }
        for row in rows
    ]


def _report(connection: Connection, facility: str, terminal: str) -> Any | None:
    wanted = select(_R.at, _R.body).where(_R.facility == facility, _R.terminal == terminal)
    return connection.execute(wanted).one_or_none()


def _reported(row: Any) -> dict[str, Any]:
    """``ahead``: by how many milliseconds its clock was ahead of the server's when the report came."""
    said = orjson.loads(row.body)
    return {"at": moment(row.at), "ahead": from_text(said["clock"]) - int(row.at), "said": said}


def _last_seen(connection: Connection, facility: str, end: Any, sessions: Sequence[Any], report: Any | None) -> int:
    """The latest of: enrolment, receipt of its last numbers, sign-in, report, pull."""
    ends = or_(_O.n == end.last_n, _O.n == end.top_n)
    mine = and_(_O.facility == facility, _O.terminal == end.terminal, _O.incarnation == end.incarnation)
    received = connection.execute(select(func.max(_O.received_at)).where(mine, ends)).scalar_one()
    pulled = [_pulled(connection, facility, end.terminal, officer) for officer in {row.officer for row in sessions}]
    started = sessions[0].started_at if sessions else None
    moments = (end.enrolled_at, received, started, None if report is None else report.at, *pulled)
    latest: int = max(at for at in moments if at is not None)
    return latest


def _pulled(connection: Connection, facility: str, terminal: str, officer: str) -> int | None:
    mine = select(_P.at).where(_P.facility == facility, _P.terminal == terminal, _P.officer == officer)
    return connection.execute(mine.order_by(_P.seq.desc()).limit(1)).scalar_one_or_none()
