"""Head counts and roll calls (清点、点名)."""

from backend.records.headcounts.kind import HEADCOUNT

KINDS = (HEADCOUNT,)
