"""Emergencies (突发事件)."""

from backend.records.incidents.kind import INCIDENT

KINDS = (INCIDENT,)
