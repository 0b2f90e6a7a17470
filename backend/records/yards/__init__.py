"""Exercise in the yard (放风)."""

from backend.records.yards.kind import YARD

KINDS = (YARD,)
