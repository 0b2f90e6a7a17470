"""What the server does, laid on records as they stand: on which version each act is based, and what it has seen there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, select

from backend.duty.engine.family import Act as Deed
from backend.kernel.kind import REMOVED
from backend.records.registry import kinds
from backend.storage import tables
from backend.storage.engine import Store

_R = tables.records.c


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to do: a verb of a kind on a record.

    ``base`` is 0 when it creates. ``seen``: what the officer saw in the fields that the verb edits or watches; None: the
    record as it stands. ``at``: when it was done, in milliseconds; None: now.
    """

    kind: str
    verb: str
    record: str
    fields: Mapping[str, Any]
    base: int = 0
    seen: Mapping[str, Any] | None = None
    at: int | None = None


@dataclass(slots=True)
class _Record:
    """A record as it stands, or as it will after the acts before."""

    version: int
    state: str
    doc: Mapping[str, Any]


class Standing:
    """Reads records and lays acts upon them, one after the other."""

    def __init__(self, store: Store) -> None:
        self._store = store
        several = (_R.facility == bindparam("f"), store.among(_R.id, "ids"))
        self._several = store.prepare(select(_R.id, _R.version, _R.state, _R.body).where(*several))

    def rest(self, connection: Connection, facility: str, deeds: Sequence[Deed]) -> list[Act | None]:
        """Each deed as an act on its record as it stands after those before it; None for one that has no sense there: the
        record is there already, or not at all, or in a state that it is not for."""
        ids = self._store.listed(sorted({deed.record for deed in deeds}))
        rows = self._several.all(connection, {"f": facility, "ids": ids}) if deeds else []
        records = {row.id: _Record(row.version, row.state, orjson.loads(row.body)["doc"] or {}) for row in rows}
        return [_laid(deed, records) for deed in deeds]


def _laid(deed: Deed, records: dict[str, _Record]) -> Act | None:
    record = records.get(deed.record)
    if deed.creates:
        if record is not None:
            return None
        records[deed.record] = _Record(1, deed.becomes or "", deed.fields)
        return Act(deed.kind, deed.verb, deed.record, deed.fields, at=deed.at)
    if record is None or record.state == REMOVED or (deed.only and record.state not in deed.only):
        return None
    doc = {"state": record.state} | dict(record.doc)
    seen = {name: doc.get(name) for name in kinds()[deed.kind].verbs[deed.verb].compared(deed.fields)}
    act = Act(deed.kind, deed.verb, deed.record, deed.fields, record.version, seen or None, deed.at)
    state = deed.becomes or record.state
    changed = {"state": state} if "state" in record.doc else {}
    records[deed.record] = _Record(record.version + 1, state, {**record.doc, **changed})
    return act
