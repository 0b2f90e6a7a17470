"""Hazards (安全隐患) and what becomes of them."""

from backend.records.hazards.kind import HAZARD

KINDS = (HAZARD,)
