"""The roster as it is told to people: who serves when, by name, and what its days are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection

from backend.domain.calendars import days, start_of
from backend.domain.shifts import Roster, Shift, Stint, clashes
from backend.facts.nearest import Near, Nearest
from backend.facts.rosters import Rosters
from backend.identity import officers
from backend.identity.officers import Officer
from backend.kernel.clock import to_text
from backend.kernel.problems import Problem
from backend.storage.engine import Store

MOST_DAYS = 62
RANKS = ("same_place", "same_ward", "other_ward", "unknown")
"""Words for the ranks of ``backend.facts.nearest``."""


class Rota:
    """Answers over one consistent view each."""

    def __init__(self, store: Store, rosters: Rosters, nearest: Nearest) -> None:
        self._store = store
        self._rosters = rosters
        self._nearest = nearest

    def page(self, facility: str, first: date, last: date) -> dict[str, Any]:
        """``{known, days, shifts, stints, clashes}`` of some days in Beijing, both included.

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
            "clashes": [_clash(each, names) for each in clashes(roster.plan, first, last)],
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

    def near(self, facility: str, now: int, posts: Iterable[str], place: str) -> dict[str, Any]:
        """``{at, officers}``: who serves one of the posts at a moment (none named: any), the nearest to a place first."""
        with self._store.reading() as connection:
            names = _names(connection, facility)
            found = self._nearest.read(connection, facility, now, posts, place)
        return {"at": to_text(now), "officers": [_near(each, names) for each in found]}

    def _read(self, connection: Connection, facility: str) -> tuple[Roster, dict[str, Officer]]:
        return self._rosters.read(connection, facility), _names(connection, facility)


def _names(connection: Connection, facility: str) -> dict[str, Officer]:
    return {each.officer: each for each, _ in officers.everyone(connection, facility)}


def _day(roster: Roster, day: date) -> dict[str, Any]:
    return {"day": day.isoformat(), "sort": roster.calendar.kind(day).value, "known": roster.calendar.knows(day)}


def _shift(shift: Shift) -> dict[str, Any]:
    return {"name": shift.name, "since": to_text(shift.since), "until": to_text(shift.until)}


def _stints(stints: Iterable[Stint], names: Mapping[str, Officer]) -> list[dict[str, Any]]:
    return [
        _named(each.officer, names)
        | {
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


def _clash(pair: tuple[Stint, Stint], names: Mapping[str, Officer]) -> dict[str, Any]:
    stands, yields = pair
    return _named(stands.officer, names) | {
        "stands": stands.shift,
        "yields": yields.shift,
        "since": to_text(yields.since),
        "until": to_text(min(stands.until, yields.until)),
    }


def _near(near: Near, names: Mapping[str, Officer]) -> dict[str, Any]:
    return _named(near.stint.officer, names) | {
        "post": near.stint.post,
        "near": RANKS[near.rank],
        "steps": near.steps,
        "scanned_at": None if near.scan is None else to_text(near.scan.at),
        "scanned": None if near.scan is None else near.scan.place,
    }


def _named(officer: str, names: Mapping[str, Officer]) -> dict[str, Any]:
    """An officer with his number and name; null for one whom nobody knows."""
    known = names.get(officer)
    number, name = (None, None) if known is None else (known.number, known.name)
    return {"officer": officer, "number": number, "name": name}
