"""Escrow: what becomes of operations whose officer or terminal had lost the right to them (docs/protocol.md §10)."""

from backend.records.escrows.kind import ESCROW

KINDS = (ESCROW,)
