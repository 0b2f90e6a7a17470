"""Drills (演练) and training for emergencies."""

from backend.records.drills.kind import DRILL

KINDS = (DRILL,)
