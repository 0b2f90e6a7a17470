"""The roster as it is told to people: who serves when, by name, and what its days are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection

from backend.domain.calendars import days, start_of
from backend.domain.shifts import Roster, Shift, Stint
from backend.facts.rosters import Rosters
from backend.identity import officers
from backend.identity.officers import Officer
from backend.kernel.clock import to_text
from backend.kernel.problems import Problem
from backend.storage.engine import Store

MOST_DAYS = 62


class Rota:
    """Answers over one consistent view each."""

    def __init__(self, store: Store, rosters: Rosters) -> None:
        self._store = store
        self._rosters = rosters

    def page(self, facility: str, first: date, last: date) -> dict[str, Any]:
        """``{known, days, shifts, stints}`` of some days in Beijing, both included.

        Raises Problem ``request.invalid`` for more than MOST_DAYS of them, or none.
        """
        if not 0 <= (last - first).days < MOST_DAYS:
            raise Problem("request.invalid", "to", errors=(Problem("field.invalid", "to"),))
        since, until = start_of(first), start_of(last + timedelta(days=1))
        with self._store.reading() as connection:
            roster, names = self._read(connection, facility)
        return {
            "known": roster.known,
            "days": [_day(roster, day) for day in days(first, last)],
            "shifts": [_shift(each) for each in roster.shifts(since, until)],
            "stints": _stints(roster.stints(since, until), names),
        }

    def present(self, facility: str, now: int) -> dict[str, Any]:
        """``{at, known, shift, on_duty}``: who is on duty at a moment."""
        with self._store.reading() as connection:
            roster, names = self._read(connection, facility)
        return {
            "at": to_text(now),
            "known": roster.known,
            "shift": _shift(roster.shift_at(now)),
            "on_duty": _stints(roster.on_duty(now), names),
        }

    def _read(self, connection: Connection, facility: str) -> tuple[Roster, dict[str, Officer]]:
        names = {each.officer: each for each, _ in officers.everyone(connection, facility)}
        return self._rosters.read(connection, facility), names


def _day(roster: Roster, day: date) -> dict[str, Any]:
    return {"day": day.isoformat(), "sort": roster.calendar.kind(day).value, "known": roster.calendar.knows(day)}


def _shift(shift: Shift) -> dict[str, Any]:
    return {"name": shift.name, "since": to_text(shift.since), "until": to_text(shift.until)}


def _stints(stints: Iterable[Stint], names: Mapping[str, Officer]) -> list[dict[str, Any]]:
    """Stints with their officers' numbers and names; null for one whom nobody knows."""
    return [
        {
            "officer": each.officer,
            "number": names[each.officer].number if each.officer in names else None,
            "name": names[each.officer].name if each.officer in names else None,
            "post": each.post,
            "places": list(each.places),
            "since": to_text(each.since),
            "until": to_text(each.until),
            "shift": each.shift,
            "acting": each.acting,
            "instead": each.instead,
        }
        for each in stints
    ]
