"""Duties that are not done, as they stand now: what the board, the receipts and an officer's list are made of.

They are read once for each process and after that those alone that have changed, by their sequence numbers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, select, text

from backend.kernel.clock import from_text
from backend.storage import tables
from backend.storage.engine import Store

MISSED = "missed"
CLOSED = ("completed", "cancelled")
SHOWN_MS = 48 * 3_600_000
"""How long after it was due a missed duty is shown."""
MOST_MISSED = 2000
_R, _F = tables.records.c, tables.facilities.c
_OPEN = text("kind = 'duty' AND state IN ('issued', 'acknowledged', 'unconfirmed')")
_MISSED = text("kind = 'duty' AND state = 'missed'")
_ANY = text("kind = 'duty' AND state IN ('issued', 'acknowledged', 'unconfirmed', 'missed', 'completed', 'cancelled')")
"""All of its states by their names: then its index is read from a sequence number on, and not from the beginning."""


@dataclass(frozen=True, slots=True)
class Duty:
    """A duty that is not done. ``moved``: when it was last asked of somebody: issued, handed on or told up its chain. Times
    are milliseconds; ``doc`` as in its row."""

    id: str
    seq: int
    version: int
    partition: str
    place: str | None
    state: str
    opens: int
    due: int
    moved: int
    doc: Mapping[str, Any]

    @property
    def posts(self) -> frozenset[str]:
        """Posts that may answer: those asked (unless an officer is named), and those told since."""
        asked = self.doc["posts"] if self.doc["officer"] is None else []
        return frozenset([*asked, *self.doc["raised"]])

    def asks(self, officer: str, posts: Iterable[str]) -> bool:
        """Whether it is asked of an officer in these posts."""
        return self.doc["officer"] == officer or not self.posts.isdisjoint(posts)

    @property
    def answered(self) -> bool:
        """Somebody who was asked last has seen it."""
        steps = [step["step"] for step in self.doc["steps"]]
        last = max(at for at, step in enumerate(steps) if step in _ASKING)
        return not _ANSWERS.isdisjoint(steps[last:])

    @property
    def delivered(self) -> bool:
        """A terminal of one who was asked last has it."""
        steps = [step["step"] for step in self.doc["steps"]]
        last = max(at for at, step in enumerate(steps) if step in _ASKING)
        return "delivered" in steps[last:] or self.answered


_ASKING = frozenset({"issued", "delegated", "escalated"})
_ANSWERS = frozenset({"acknowledged", "snoozed", "completed"})


@dataclass(slots=True)
class _Kept:
    seq: int
    epoch: int
    duties: dict[str, Duty] = field(default_factory=dict)


class Duties:
    """Reads what is open; shared by threads."""

    def __init__(self, store: Store) -> None:
        here = (_R.facility == bindparam("f"), tables.ASKED)
        rows = select(_R.id, _R.seq, _R.version, _R.partition, _R.place, _R.state, _R.body)
        self._open = store.prepare(rows.where(*here, _OPEN))
        missed = rows.where(*here, _MISSED).order_by(_R.seq.desc()).limit(MOST_MISSED)
        changed = rows.where(*here, _ANY, _R.seq > bindparam("after"))
        self._missed, self._changed = store.prepare(missed), store.prepare(changed)
        self._at = store.prepare(select(_F.seq, _F.epoch).where(_F.facility == bindparam("f")))
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def read(self, connection: Connection, facility: str, now: int) -> list[Duty]:
        """All duties that are not done and were not missed more than SHOWN_MS ago, the earliest due first."""
        return sorted(self.every(connection, facility, now), key=lambda duty: (duty.due, duty.id))

    def every(self, connection: Connection, facility: str, now: int) -> list[Duty]:
        """The same in no order."""
        with self._lock:
            return self._fresh(connection, facility, now)

    def _fresh(self, connection: Connection, facility: str, now: int) -> list[Duty]:
        (at, epoch), *_ = self._at.tuples(connection, {"f": facility})
        kept = self._kept.get(facility)
        if kept is None or kept.epoch != epoch or kept.seq > at:
            rows = [*self._open.all(connection, {"f": facility}), *self._missed.all(connection, {"f": facility})]
            kept = _Kept(at, epoch)
        else:
            rows = self._changed.all(connection, {"f": facility, "after": kept.seq})
        for row in rows:
            kept.duties.pop(row.id, None)
            if row.state not in CLOSED:
                kept.duties[row.id] = _duty(row)
        kept.seq = at
        over = [each.id for each in kept.duties.values() if each.state == MISSED and each.due < now - SHOWN_MS]
        for duty in over:
            del kept.duties[duty]
        self._kept[facility] = kept
        return list(kept.duties.values())


def _duty(row: Any) -> Duty:
    doc = orjson.loads(row.body)["doc"]
    moved = max(from_text(step["at"]) for step in doc["steps"] if step["step"] in _ASKING)
    opens, due = from_text(doc["opens_at"]), from_text(doc["due_at"])
    return Duty(row.id, row.seq, row.version, row.partition, row.place, row.state, opens, due, moved, doc)
