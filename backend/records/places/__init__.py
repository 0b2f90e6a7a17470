"""Places: wards, the cells in them, and the checkpoints on an officer's way."""

from backend.records.places.kind import PLACE

KINDS = (PLACE,)
