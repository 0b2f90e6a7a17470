"""Talks (谈话教育) with persons held."""

from backend.records.talks.kind import TALK

KINDS = (TALK,)
