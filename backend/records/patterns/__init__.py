"""Signs of rounds that were not walked and talks that were not held, and what a leader made of them (rule Y05)."""

from backend.records.patterns.kind import PATTERN

KINDS = (PATTERN,)
