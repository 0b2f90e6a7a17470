"""What the engine has not heard yet, read by sequence number: from partitions that have news, then from their records, then
from older versions of those that were changed more than once. Nothing is written for it when records are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, select

from backend.duty.engine.family import Input
from backend.kernel.events import MARKED, Event, Version, version_of
from backend.records.registry import kinds
from backend.storage import tables
from backend.storage.engine import Store

_P, _R, _V, _F = tables.partitions.c, tables.records.c, tables.versions.c, tables.facilities.c
_log = structlog.get_logger(__name__)


class Inputs:
    """Reads versions of a facility beyond a sequence number, with the events in them."""

    def __init__(self, store: Store) -> None:
        here: Any = bindparam("f")
        after: Any = bindparam("after")
        newest = select(_F.epoch, _F.seq).where(_F.facility == here)
        fresh = select(_P.partition).where(_P.facility == here, _P.seq > after)
        changed = select(_R.version, _R.body).where(
            _R.facility == here, store.among(_R.partition, "names"), _R.seq > after
        )
        older = select(_V.body).where(_V.facility == here, _V.id == bindparam("id"), _V.version == bindparam("v"))
        present = select(_R.body).where(_R.facility == here, _R.seq > after).order_by(_R.seq)
        self._store = store
        self._newest, self._fresh, self._changed, self._older, self._present = map(
            store.prepare, (newest, fresh, changed, older, present)
        )

    def reach(self, connection: Connection, facility: str) -> tuple[int, int]:
        """Epoch and newest sequence number."""
        row = self._newest.first(connection, {"f": facility})
        return (1, 0) if row is None else (row.epoch, row.seq)

    def since(self, connection: Connection, facility: str, after: int) -> list[Input]:
        """All versions beyond ``after``, in their order."""
        if self.reach(connection, facility)[1] <= after:
            return []
        names = [name for (name,) in self._fresh.tuples(connection, {"f": facility, "after": after})]
        if not names:
            return []
        asked = {"f": facility, "names": self._store.listed(names), "after": after}
        found: list[tuple[Version | None, Version]] = []
        for version, body in self._changed.tuples(connection, asked):
            found += self._steps(connection, facility, after, (version, body))
        found.sort(key=lambda pair: pair[1].seq)
        return [Input(before, version, tuple(_events(before, version))) for before, version in found]

    def standing(self, connection: Connection, facility: str) -> Iterator[Input]:
        """All records as they stand, each as if it had just been made: how the engine learns what was before it."""
        for (body,) in self._present.tuples(connection, {"f": facility, "after": 0}):
            version = version_of(body)
            yield Input(None, version, tuple(_events(None, version)))

    def _steps(
        self, connection: Connection, facility: str, after: int, newest: tuple[int, bytes]
    ) -> Iterator[tuple[Version | None, Version]]:
        """A record's versions beyond ``after``, the newest first, each with the one before it."""
        number, body = newest
        version = version_of(body)
        while True:
            number -= 1
            key = {"f": facility, "id": version.id, "v": number}
            row = self._older.first(connection, key) if number else None
            before = None if row is None else version_of(row.body)
            yield before, version
            if before is None or before.seq <= after:
                return
            version = before


def _events(before: Version | None, version: Version) -> Iterator[Event]:
    """What a kind finds, and every mark with a rule that was not there before. A fault in one kind costs its events alone."""
    kind = kinds().get(version.kind)
    if kind is None:
        return
    try:
        yield from list(kind.events(before, version))
    except Exception:  # noqa: BLE001 - the engine must go on
        _log.exception("no events found", kind=version.kind, record=version.id, version=version.version)
    known = () if before is None else before.marks
    subject, _, rest = version.partition.partition("/")
    about = {subject: rest.partition("/")[0]} if subject in {"person", "place"} else {}
    for code, rule in version.marks:
        if rule is not None and (code, rule) not in known:
            facts = {"code": code, "rule": rule, "kind": version.kind}
            yield Event(MARKED, version.observed_at, about.get("person"), about.get("place"), facts)
