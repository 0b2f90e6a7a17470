"""Checks of a place that several kinds record: the workshop, hygiene, equipment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.kernel.clock import from_text
from backend.kernel.events import Event, Scalar, Version
from backend.kernel.kind import REMOVED, Compartment, Deed, Head, Known, Mark, Needs, Ruling, late_since
from backend.kernel.problems import Problem
from backend.records.forms import no_time, referred


def needs_place(fields_: Mapping[str, Any], _head: Head | None) -> Needs:
    """For verbs that are judged by the place that they name."""
    return Needs((fields_["place"],))


def checked(deed: Deed, known: Known, unfit: Problem | None, *found: tuple[bool, Mark]) -> Ruling | Problem:
    """What becomes of a check of a ``place``, made at ``checked_at``: it is recorded, with the marks of what was ``found``
    to be so. ``unfit``: what is wrong with the rest of its fields."""
    said = deed.fields
    if wrong := no_time(said, "checked_at") or unfit:
        return wrong
    place = referred(known, said, "place", "place")
    if isinstance(place, Problem):
        return place
    every = ((place.state == REMOVED, Mark("place.closed")), *found)
    marks = late_since(deed, from_text(said["checked_at"])) + tuple(mark for so, mark in every if so)
    return Ruling(said, f"place/{place.id}/{Compartment.BASE}", "recorded", place.id, marks)


def checked_event(name: str, after: Version, facts: Mapping[str, Scalar]) -> Event:
    """The event that a check of a place raises, when it was made."""
    at = min(from_text(after.doc["checked_at"]), after.observed_at)
    return Event(name, at, None, after.doc["place"], facts)
