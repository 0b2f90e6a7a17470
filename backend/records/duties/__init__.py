"""Duties (勤务): what is asked of a post or an officer, and what became of it."""

from backend.records.duties.kind import DUTY

KINDS = (DUTY,)
