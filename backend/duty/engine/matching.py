"""Whether an event is one of those that a rule names."""

from __future__ import annotations

from collections.abc import Iterable

from backend.domain.rules.model import Match
from backend.kernel.events import Event


def fits(matches: Iterable[Match], event: Event) -> bool:
    """Whether an event is one of them: of the name, and each fact that is named has one of the values given for it."""
    return any(_is(match, event) for match in matches)


def _is(match: Match, event: Event) -> bool:
    if match.event != event.name:
        return False
    return all(event.facts.get(name) in values for name, values in match.where.items())


def names(*several: Iterable[Match] | None) -> frozenset[str]:
    """The names of all events in some lists."""
    return frozenset(match.event for matches in several for match in matches or ())
