"""Dynamic information as officers report it."""

from __future__ import annotations

from typing import Any

from headless.chain import uuid7
from tests.support.hand import Hand
from tests.support.world import World


def report(world: World, by: Hand, **other: Any) -> str:
    """Reports something urgent in cell C1, but for the fields given; returns the record."""
    record = uuid7()
    fields = {
        "category": "dispute",
        "severity": "urgent",
        "person": None,
        "place": world.ids["C1"],
        "involved": [],
        "text": "两人争执",
    }
    by.write("dynamic_info", "report", record, fields | other)
    outcome = by.told(by.n, by.n)[0]
    assert outcome["status"] == "applied", outcome
    return record


def alert(world: World) -> str:
    """A new alert, by a patrol officer."""
    return report(world, Hand(world).signed_in("PAT"))
