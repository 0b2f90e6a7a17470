"""Staggered windows in which a ward is to be walked (rules P01, P02, P05). Pure; times are milliseconds.

Each window is drawn from where the one before it opened: it is due between the interval's ``least`` and ``most`` after
that. So whoever keeps every window never leaves a cell unlooked for longer than ``most``, wherever in a window he came.
The draw rests on a secret of the server's: the same for whoever holds it and works it out again, and no pattern for those
who only see officers pass. No source gives windows; their width and spread are a local default, not law.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

Draw = Callable[[str, int], int]
"""(purpose, n) → a number from 0 to n - 1, the same whenever it is asked for, and not to be guessed."""
WIDTH = 5
"""A window is as long as the interval's longest gap divided by this: four minutes of twenty."""
_COARSE, _FINE = 30_000, 1000
_COARSE_FROM = 10 * 60_000
"""From gaps of ten minutes on, windows begin and end on half minutes, which an officer can read at a glance."""
SHORTEST = 5 * _FINE * WIDTH
"""The shortest ``most`` for which a window has a length at all."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Patrols at most ``most`` apart, and no closer than ``least`` where that leaves enough to stagger; ``rule`` asks for
    them. Raises ValueError for what no window can be drawn from."""

    least: int
    most: int
    rule: str

    def __post_init__(self) -> None:
        if self.most < SHORTEST or not 0 <= self.least <= self.most:
            raise ValueError(f"{self.rule}: no windows in {self.least} to {self.most}")


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when a ward is to be walked, and the rule whose interval was the shortest there."""

    opens: int
    due: int
    rule: str


def shortest(intervals: Iterable[Interval]) -> Interval | None:
    """The interval that holds where several rules do: the shorter always wins; of two alike the first by id."""
    return min(intervals, key=lambda each: (each.most, each.least, each.rule), default=None)


def following(number: Draw, ward: str, opened: int, interval: Interval) -> Window:
    """The window after one that opened at ``opened``."""
    grain = _COARSE if interval.most >= _COARSE_FROM else _FINE
    most = interval.most // grain
    least = min(max(-(-interval.least // grain), most // 2), most * 3 // 4)
    drawn = least + number(f"window\n{ward}\n{opened}", most - least + 1)
    due = opened // grain * grain + drawn * grain
    return Window(due - _width(interval), due, interval.rule)


def _width(interval: Interval) -> int:
    grain = _COARSE if interval.most >= _COARSE_FROM else _FINE
    return interval.most // WIDTH // grain * grain


def draw(number: Draw, ward: str, opened: int, until: int, interval: Interval) -> Iterator[Window]:
    """The windows after one that opened at ``opened`` (or after patrols began), as far as they are due by ``until``."""
    window = following(number, ward, opened, interval)
    while window.due <= until:
        yield window
        window = following(number, ward, window.opens, interval)


def redraw(
    number: Draw, ward: str, windows: Sequence[Window], now: int, until: int, interval: Interval
) -> list[Window]:
    """A plan drawn anew at ``now``, because the interval of its ward has changed: what has opened stays.

    Where the new interval should have been walked already, a window opens at once.
    """
    kept = [each for each in windows if each.opens <= now]
    opened, free = (kept[-1].opens, kept[-1].due) if kept else (now, now)
    first = following(number, ward, opened, interval)
    opens = max(first.opens, free, now)
    first = Window(opens, max(first.due, opens + _width(interval)), interval.rule)
    if first.due > until:
        return kept
    return [*kept, first, *draw(number, ward, first.opens, until, interval)]
