"""Alerts: what of the last days was urgent or important, told as coarsely as the city's duty may know it.

The ward, the category and the state are told; no person, no cell, no text. Where exactly it is, is told on demand and
with a reason, and stands in the log before it is answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from sqlalchemy import Connection, select

from backend.audit.log import append
from backend.audit.views import pages
from backend.audit.views.readings import Reader
from backend.facts.stays import Stays
from backend.kernel.clock import from_text
from backend.kernel.ids import b64, sha256
from backend.kernel.kind import REMOVED
from backend.storage import tables
from backend.storage.door import Door, Transaction
from backend.storage.engine import Store

DAYS = 7
SEVERITIES = frozenset({"urgent", "important"})
_DAY_MS = 24 * 3_600_000
_DEEPEST = 8
"""Places within places; more is a ring."""
_R = tables.records.c


class Alerts:
    """Answers over one consistent view each."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stays = Stays(store)

    def page(self, facility: str, now: int, after: str | None, limit: int) -> dict[str, Any]:
        """``{alerts, after}``, the last changed first: those whose last version came within DAYS.

        ``limit`` reports are looked at, so that a page may hold fewer alerts. Raises Problem ``field.invalid``.
        """
        key = pages.opened(after, (int,))
        wanted = (
            select(_R.id, _R.seq, _R.body)
            .where(_R.facility == facility, tables.REPORTED, pages.beyond((_R.seq,), key, falling=True))
            .order_by(_R.seq.desc())
            .limit(limit + 1)
        )
        with self._store.reading() as connection:
            rows, then = pages.cut(connection.execute(wanted).all(), limit, lambda row: (row.seq,))
            read = [orjson.loads(row.body) for row in rows]
            found = [body for body in read if _is_alert(body, now)]
            ways = self._ways(connection, facility, found)
        over = bool(read) and not _is_recent(read[-1], now)
        return {"alerts": [_told(body, ways[body["id"]]) for body in found], "after": None if over else then}

    def place(self, facility: str, now: int, record: str) -> dict[str, Any] | None:
        """An alert as ``page`` tells it, with ``place``, and ``within``: what the place lies in, the ward first.

        None when there is no such alert.
        """
        wanted = select(_R.body).where(_R.facility == facility, _R.id == record, tables.REPORTED)
        with self._store.reading() as connection:
            row = connection.execute(wanted).one_or_none()
            body = None if row is None else orjson.loads(row.body)
            if body is None or not _is_alert(body, now):
                return None
            way = self._ways(connection, facility, [body])[record]
        return _told(body, way) | {"place": way[-1] if way else None, "within": way[:-1]}

    def _ways(
        self, connection: Connection, facility: str, alerts: Iterable[Mapping[str, Any]]
    ) -> dict[str, list[dict[str, Any]]]:
        """Alert → the places from its ward down to where it is; of one about a person, where he was by the register."""
        persons = {body["doc"]["person"] for body in alerts if body["doc"]["place"] is None}
        stays = self._stays.read(connection, facility, persons)
        at = {body["id"]: body["doc"]["place"] or _stay(stays, body["doc"]) for body in alerts}
        known = _places(connection, facility, {place for place in at.values() if place})
        return {record: _way(known, place) for record, place in at.items()}


def _is_recent(body: Mapping[str, Any], now: int) -> bool:
    return from_text(body["received_at"]) >= now - DAYS * _DAY_MS


def _is_alert(body: Mapping[str, Any], now: int) -> bool:
    return body["state"] != REMOVED and body["doc"]["severity"] in SEVERITIES and _is_recent(body, now)


def _stay(stays: Mapping[str, list[tuple[int, str | None]]], doc: Mapping[str, Any]) -> str | None:
    moment = from_text(doc["reported"]["at"])
    his = stays.get(doc["person"], [])
    before = [place for since, place in his if since <= moment]
    return before[-1] if before else (his[0][1] if his else None)


def _places(connection: Connection, facility: str, ids: set[str]) -> dict[str, tuple[str | None, dict[str, Any]]]:
    """Place → what it lies in and what is told of it, for these and all that they lie in."""
    known: dict[str, tuple[str | None, dict[str, Any]]] = {}
    for _ in range(_DEEPEST):
        ids = ids - known.keys()
        if not ids:
            break
        wanted = select(_R.id, _R.place, _R.body).where(
            _R.facility == facility, _R.id.in_(sorted(ids)), _R.kind == "place"
        )
        rows = connection.execute(wanted).all()
        for row in rows:
            doc = orjson.loads(row.body)["doc"] or {}  # of a place that was closed nothing is left but where it was
            known[row.id] = (row.place, {"id": row.id} | {name: doc.get(name) for name in ("type", "code", "name")})
        ids = {row.place for row in rows if row.place is not None}
    return known


def _way(known: Mapping[str, tuple[str | None, dict[str, Any]]], place: str | None) -> list[dict[str, Any]]:
    way: list[dict[str, Any]] = []
    while place is not None and place in known and len(way) < _DEEPEST:
        place, told = known[place]
        way.insert(0, told)
    return way


def _told(body: Mapping[str, Any], way: list[dict[str, Any]]) -> dict[str, Any]:
    doc = body["doc"]
    return {
        "record": body["id"],
        "category": doc["category"],
        "severity": doc["severity"],
        "state": body["state"],
        "reported_at": doc["reported"]["at"],
        "changed_at": body["received_at"],
        "ward": way[0] if way else None,
    }


def unmask(door: Door, alerts: Alerts, reader: Reader, record: str, reason: str) -> dict[str, Any] | None:
    """Where an alert is, once a leaf ``place.unmasked`` says who is told and why. None when there is no such alert.

    Raises Problem ``server.busy`` or ``server.behind``: then nothing may be told.
    """
    found = alerts.place(reader.facility, door.clock.now(), record)
    if found is None:
        return None
    place = found["place"] and found["place"]["id"]

    def work(transaction: Transaction) -> None:
        digest = b64(sha256(reason.encode()))
        facts = reader.facts() | {"record": record, "place": place, "reason": reason, "digest": digest}
        append(transaction, "place.unmasked", facts)

    door.write(reader.facility, work)
    return found
