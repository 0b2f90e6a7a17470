"""Cell watch (监室值班): who of those held keeps watch in a cell, and what is seen of it."""

from backend.records.cell_watches.roster import CELL_WATCH
from backend.records.cell_watches.sample import SAMPLE

KINDS = (CELL_WATCH, SAMPLE)
