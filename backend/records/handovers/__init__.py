"""Handovers (交接班): what one shift leaves to the next, signed by both."""

from backend.records.handovers.kind import HANDOVER

KINDS = (HANDOVER,)
