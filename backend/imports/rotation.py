"""A table of days read as places on a pattern: as few runs of days as say the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from backend.domain.shifts import Pattern

_ONE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Run:
    """Days on a pattern, ``first`` and ``last`` included, so many days into its cycle."""

    offset: int
    first: str
    last: str


def runs(pattern: Pattern, codes: Mapping[str, str]) -> list[Run]:
    """Runs that give each day its code and no other day any: ``{"2026-12-01": "D"}``, days in their order.

    A free day for which the cycle has no place, and a day that the table leaves out, end a run. Each run goes on for as
    long as one place in the cycle fits, so that no other reading has fewer.
    """
    found: list[Run] = []
    fits: frozenset[int] = frozenset()
    first = last = ""
    for day, code in codes.items():
        places = _places(pattern, date.fromisoformat(day), code)
        if fits & places and date.fromisoformat(last) + _ONE == date.fromisoformat(day):
            fits, last = fits & places, day
            continue
        if fits:
            found.append(Run(min(fits), first, last))
        fits, first, last = places, day, day
    return [*found, Run(min(fits), first, last)] if fits else found


def _places(pattern: Pattern, day: date, code: str) -> frozenset[int]:
    """How many days into the cycle somebody may be whose day has this code."""
    length, step = len(pattern.cycle), (day - pattern.anchor).days
    return frozenset((at - step) % length for at, each in enumerate(pattern.cycle) if each == code)
