"""Identity papers of persons held."""

from backend.records.papers.kind import PAPERS

KINDS = (PAPERS,)
