"""The engine's clock and what it does, as all its parts share them while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from backend.domain.calendars import DAY_MS, day_start, month_start, next_month, week_start
from backend.domain.rules.model import End, Pack, Period
from backend.duty.engine.family import Act, Presence, Rota
from backend.duty.engine.memory import Memory
from backend.duty.engine.register import Residents


@dataclass(frozen=True, slots=True)
class Ports:
    """What the engine is told from outside. ``key``: the facility's secret; ``system``: the officer in whose name it acts."""

    facility: str
    pack: Pack
    rota: Rota
    presence: Presence
    key: bytes
    system: str


@dataclass(slots=True)
class Course:
    """One run. ``now``: the engine's clock; ``began``: since when duties are asked for in this facility; ``acts``: what is to
    be done, in order; ``halted``: one of them must be heard before the clock goes on, or there are enough for one go."""

    ports: Ports
    memory: Memory
    register: Residents
    now: int
    began: int
    acts: list[Act] = field(default_factory=list)
    halted: bool = False

    def act(self, act: Act) -> None:
        self.acts.append(act)
        self.halted = self.halted or act.kind not in _SILENT or len(self.acts) >= MOST_ACTS


MOST_ACTS = 500
"""Acts of one run, after which it stops until they are written: others wait for their turn to write meanwhile."""
_SILENT = frozenset({"duty", "patrol.plan"})
"""Kinds whose versions, where the server makes them, raise nothing that another duty must wait for."""


def period_at(rota: Rota, period: Period, at: int) -> tuple[int, int]:
    """The period in which a moment lies: from when, and until when (not included)."""
    if period is Period.SHIFT:
        shift = rota.shift_at(at)
        return shift.since, shift.until
    if period is Period.MONTH:
        return month_start(at), next_month(at)
    if period is Period.WEEK:
        start = week_start(at)
        return start, start + 7 * DAY_MS
    start = day_start(at)
    return start, start + DAY_MS


_ENDS = {End.DAY: Period.DAY, End.SHIFT: Period.SHIFT, End.WEEK: Period.WEEK, End.MONTH: Period.MONTH}


def end_of(rota: Rota, end: End, at: int) -> int:
    """When the period ends in which a moment lies."""
    return period_at(rota, _ENDS[end], at)[1]
