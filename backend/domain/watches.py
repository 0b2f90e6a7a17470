"""How many persons held keep watch in a cell (监室值班), hour by hour. Pure."""

from __future__ import annotations

from collections.abc import Iterable

LEAST = 2
"""Rule P13 (guidance of 2018): nobody keeps watch alone, and no cell is without watch."""

Turn = tuple[int, int, int]
"""(from, until, how many persons), the end not included."""


def fewest(turns: Iterable[Turn], since: int, until: int) -> int:
    """The smallest number of watchers at any moment of [since, until): 0 where a moment has none."""
    turns = list(turns)
    edges = {since} | {edge for turn in turns for edge in turn[:2] if since < edge < until}
    return min(sum(count for begin, end, count in turns if begin <= edge < end) for edge in edges)
