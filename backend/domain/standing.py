"""What several kinds ask of what an operation names: a place that stands, times in their order. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backend.kernel.clock import from_text
from backend.kernel.kind import REMOVED, Deed, Head, Known, Mark, lateness
from backend.kernel.problems import Problem

CLOSED = Mark("place.closed")
"""The place had been closed: what was seen there is recorded all the same."""


def place(known: Known, record: str, *types: str) -> Head | None:
    """The place that an id names, if it is one of these types (none given: of any), closed or not."""
    head = known.record(record)
    right = head is not None and head.kind == "place" and (not types or head.doc["type"] in types)
    return head if right else None


def closed(head: Head) -> tuple[Mark, ...]:
    """The mark for a place that had been closed."""
    return (CLOSED,) if head.state == REMOVED else ()


def span(said: Mapping[str, Any], first: str, last: str) -> tuple[int, int] | Problem:
    """The milliseconds of two fields of time, or what is wrong with them: the second is not before the first."""
    found = []
    for name in (first, last):
        try:
            found.append(from_text(said[name]))
        except ValueError:
            return Problem("field.invalid", f"fields.{name}")
    return (found[0], found[1]) if found[0] <= found[1] else Problem("field.invalid", f"fields.{last}")


def late(deed: Deed, ended: int) -> tuple[Mark, ...]:
    """Lateness counts from when what is told ended, where that is before the operation says that it was seen."""
    return lateness(replace(deed, observed_at=min(deed.observed_at, ended)))
