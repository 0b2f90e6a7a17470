"""Checks of cells (两下监室)."""

from backend.records.cell_checks.kind import CELL_CHECK

KINDS = (CELL_CHECK,)
