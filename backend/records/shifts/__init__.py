"""Rosters (勤务排班): patterns, who is on them, swaps, leave, acting leaders."""

from backend.records.shifts.acting import ACTING
from backend.records.shifts.leave import LEAVE
from backend.records.shifts.pattern import PATTERN
from backend.records.shifts.roster import ROSTER
from backend.records.shifts.swap import SWAP

KINDS = (PATTERN, ROSTER, SWAP, LEAVE, ACTING)
