"""Patrols (巡视): a round through a ward, and each stop on it."""

from backend.records.patrols.round import ROUND
from backend.records.patrols.visit import VISIT

KINDS = (ROUND, VISIT)
