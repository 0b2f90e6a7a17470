"""The roster of the synthetic facility: who serves when, and for which ward. Pure, as demo.facility is.

Patrols: four teams in three shifts a day (四班三运转), one officer of each ward at a time; their changes of shift are the
facility's. Medics: two shifts of twelve hours, the night one across midnight. Leaders: a day and a night each, in turn. Desk
and cell officers: on workdays, and one of the desk and of each ward on days off, in turn. Who is on no roster (the director,
auxiliaries) is on duty whenever he is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from demo.facility import Facility, Officer, made_id

_FREE = "-"
_ONE = timedelta(days=1)


@dataclass(frozen=True)
class Pattern:
    """A pattern as the kind `shift.pattern` has it. `shifts`: code, name, begin and end of each; `cycle`: a code or `-` for
    each day from `anchor` on; `main`: its changes of shift are the facility's."""

    id: str
    name: str
    shifts: tuple[tuple[str, str, str, str], ...]
    cycle: tuple[str, ...]
    worked: str = "all"
    anchor: str = "2026-01-01"
    main: bool = False


@dataclass(frozen=True)
class Row:
    """An officer's place on a pattern, as the kind `shift.roster` has it. `places`: his area of responsibility."""

    id: str
    officer: str
    post: str
    pattern: str
    offset: int
    places: tuple[str, ...]


_DAY = (("D", "白班", "08:30", "17:30"),)
_WEEKLY = ("D",) * 7 + (_FREE,) * 7
# demo.rounds.on_shift counts the turns of patrols from the same day. Weeks are counted from a Monday.
_PATTERNS = {
    "patrol": ("巡控四班三运转",
               (("N", "夜班", "00:00", "08:00"), ("D", "白班", "08:00", "16:00"), ("E", "中班", "16:00", "00:00")),
               ("N", "D", "E", _FREE), "all", "2026-01-01"),
    "medic": ("医务两班倒", (("D", "白班", "08:00", "20:00"), ("N", "夜班", "20:00", "08:00")),
              ("D", "N", _FREE, _FREE), "all", "2026-01-01"),
    "leader": ("领导值班", (("L", "值班", "08:00", "08:00"),), ("L", _FREE), "all", "2026-01-02"),
    "office": ("工作日", _DAY, ("D",), "workdays", "2026-01-01"),
    "desk": ("收押休息日轮值", _DAY, ("D", _FREE, _FREE), "free_days", "2026-01-01"),
    "cells": ("管教休息日轮值", _DAY, _WEEKLY, "free_days", "2026-01-12"),
}  # fmt: skip


def patterns(seed: int) -> tuple[Pattern, ...]:
    """All patterns that somebody is on."""
    return tuple(Pattern(_id(seed, name), *said, main=name == "patrol") for name, said in _PATTERNS.items())


def rows(facility: Facility, seed: int) -> tuple[Row, ...]:
    """Everybody who is on a roster."""
    found = []
    for officer, pattern, offset in _placed(facility):
        row = made_id(seed, f"roster/{officer.number}/{pattern}")
        found.append(Row(row, officer.id, officer.posts[0], _id(seed, pattern), offset, officer.wards))
    return tuple(found)


def serving(facility: Facility, seed: int, post: str, at: datetime) -> Officer:
    """Who serves a post at a moment (local time), of those who do so every day of a cycle; LookupError if nobody does."""
    made = {pattern.id: pattern for pattern in patterns(seed) if pattern.worked == "all"}
    placed = [row for row in rows(facility, seed) if row.post == post and row.pattern in made]
    for row in placed:
        if any(begins <= at < ends for begins, ends in _stints(made[row.pattern], row.offset, at)):
            return next(officer for officer in facility.officers if officer.id == row.officer)
    raise LookupError(f"nobody serves {post} at {at}")


def _stints(pattern: Pattern, offset: int, at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The shifts of a day and the one before it, of somebody so many days into the cycle."""
    spans = {code: (time.fromisoformat(begins), time.fromisoformat(ends)) for code, _, begins, ends in pattern.shifts}
    for day in (at.date() - _ONE, at.date()):
        turn = ((day - date.fromisoformat(pattern.anchor)).days + offset) % len(pattern.cycle)
        if pattern.cycle[turn] in spans:
            begins, ends = spans[pattern.cycle[turn]]
            over = day + _ONE if ends <= begins else day
            yield datetime.combine(day, begins, at.tzinfo), datetime.combine(over, ends, at.tzinfo)


def _id(seed: int, pattern: str) -> str:
    return made_id(seed, f"pattern/{pattern}")


def _placed(facility: Facility) -> Iterator[tuple[Officer, str, int]]:
    """Officer, pattern, and how many days into its cycle he is."""
    for ward in facility.wards():
        yield from _turns(facility.staff("PAT", ward), "patrol")
        cell_officers = facility.staff("DISC", ward)
        yield from ((officer, "office", 0) for officer in cell_officers)
        yield from _turns(cell_officers[:2], "cells", 7)
    everywhere = facility.wards()[0]
    yield from _turns(facility.staff("MED", everywhere), "medic")
    yield from _turns(facility.staff("LEAD", everywhere), "leader")
    desk = facility.staff("INT", everywhere)
    yield from ((officer, "office", 0) for officer in desk)
    yield from _turns(desk, "desk")


def _turns(officers: Sequence[Officer], pattern: str, days: int = 1) -> Iterator[tuple[Officer, str, int]]:
    """Officers who follow each other: the first is the furthest behind in the cycle that the others have begun."""
    return ((officer, pattern, n * days) for n, officer in enumerate(officers))
