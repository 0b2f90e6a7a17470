"""What is due for an officer at a moment, past or to come, and why: the duties of then, with the rule and the article behind
each. What is to come is what the engine would do if nothing more happened; nothing of it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, select, text

from backend.domain.shifts import Roster
from backend.duty.clockwork import Clockwork
from backend.facts.rosters import Rosters
from backend.identity.officers import Officer
from backend.kernel.clock import from_text
from backend.storage import tables
from backend.storage.engine import Store

_R = tables.records.c
_DUTIES = text("kind = 'duty'")
_BECOMES = {
    "issued": "issued", "delegated": "issued", "acknowledged": "acknowledged", "unconfirmed": "unconfirmed",
    "missed": "missed", "completed": "completed", "cancelled": "cancelled",
}  # fmt: skip
_OVER = frozenset({"completed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Due:
    """A duty as it is at a moment. ``said``: as it was issued."""

    id: str
    state: str
    said: Mapping[str, Any]

    @property
    def due(self) -> int:
        """When it is due, in milliseconds."""
        return from_text(self.said["due_at"])


class Foresight:
    """Answers for any moment."""

    def __init__(self, store: Store, rosters: Rosters, clockwork: Clockwork) -> None:
        self._store, self._rosters, self._clockwork = store, rosters, clockwork
        self._duties = store.prepare(select(_R.id, _R.body).where(_R.facility == bindparam("f"), _DUTIES))

    def due(self, facility: str, at: int, officer: Officer, now: int) -> list[Due]:
        """What is open for an officer at a moment: named for him, or for a post at which he then serves; the earliest first.

        Raises UnknownFacility.
        """
        with self._store.reading() as connection:
            kept = list(self._then(connection, facility, min(at, now)))
            roster = self._rosters.read(connection, facility)
        found = {each.id: each for each in kept}
        if at > now:
            for act, state in self._clockwork.foresee(facility, at):
                known = found.get(act.record)
                if act.creates and act.kind == "duty":
                    found[act.record] = Due(act.record, state, act.fields)
                elif known is not None and act.becomes is not None:
                    found[act.record] = Due(known.id, state, known.said)
        mine = (each for each in found.values() if each.state not in _OVER and _asks(each, officer, roster, at))
        return sorted(mine, key=lambda each: (each.due, each.id))

    def _then(self, connection: Connection, facility: str, at: int) -> Iterable[Due]:
        """All duties that were issued by a moment, as they were then."""
        for id_, body in self._duties.tuples(connection, {"f": facility}):
            doc = orjson.loads(body)["doc"] or {"steps": ()}
            steps = [each["step"] for each in doc["steps"] if from_text(each["at"]) <= at]
            states = [_BECOMES[step] for step in steps if step in _BECOMES]
            if states:
                yield Due(id_, states[-1], doc)


def _asks(due: Due, officer: Officer, roster: Roster, at: int) -> bool:
    """Whether it is asked of an officer, who serves at its post then and answers for its place."""
    if due.said["officer"] is not None or from_text(due.said["opens_at"]) > at:
        return bool(due.said["officer"] == officer.officer and from_text(due.said["opens_at"]) <= at)
    serving = roster.on_duty(at, due.said["posts"], due.said["place"])
    return any(each.officer == officer.officer for each in serving)
