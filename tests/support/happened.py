"""What rules of duty hear of a record: the events between its versions, as its kind finds them."""

from __future__ import annotations

from typing import Any

from backend.kernel.events import Event, Version, version_of
from backend.records.registry import kinds
from backend.storage import tables
from tests.support import store
from tests.support.world import World


def events(world: World, record: str) -> list[Event]:
    """All that happened to a record, in its order. Each name is one that its kind says it raises."""
    bodies = [row.body for row in store.rows(world, tables.versions, id=record)]
    versions = [version_of(body) for body in (*bodies, store.one(world, tables.records, id=record).body)]
    kind = kinds()[versions[0].kind]
    before: list[Version | None] = [None, *versions]
    found = [event for was, is_ in zip(before, versions, strict=False) for event in kind.events(was, is_)]
    assert {event.name for event in found} <= kind.raises.keys()
    return found


def told(world: World, record: str) -> list[tuple[str, dict[str, Any]]]:
    """Their names and facts."""
    return [(event.name, dict(event.facts)) for event in events(world, record)]
