"""Persons held, as far as a patrol needs them: who is in which cell."""

from backend.records.persons.kind import PERSON

KINDS = (PERSON,)
