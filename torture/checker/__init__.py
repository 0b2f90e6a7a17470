"""Judges a run from two sides only: what the terminals' journals say, and what stands in the database.

It shares no code with the server or with the terminals: hashes, chains, trees, scopes and merges are written anew here,
from docs/protocol.md.
"""
