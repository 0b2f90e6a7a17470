"""Movements (出所押解): a person taken out under escort, and what the escort tells on the way."""

from backend.records.movements.check import CHECK
from backend.records.movements.movement import MOVEMENT

KINDS = (MOVEMENT, CHECK)
