"""Conflicts: every value of a dispute, until a named officer settles it (docs/protocol.md §10)."""

from backend.records.conflicts.kind import CONFLICT

KINDS = (CONFLICT,)
