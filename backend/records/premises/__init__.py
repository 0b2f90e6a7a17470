"""Checks of the premises: the workshop (劳动场所) and hygiene (卫生)."""

from backend.records.premises.hygiene import HYGIENE
from backend.records.premises.workshop import WORKSHOP

KINDS = (WORKSHOP, HYGIENE)
