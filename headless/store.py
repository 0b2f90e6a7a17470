"""The terminal's own database: identity, sessions, heads, queue, rows. One class of several parts, one file on disk."""

from __future__ import annotations

import os

from headless.identities import Identity, Session
from headless.luggage import Item, Luggage
from headless.outbox import Answer, Batch, Place, Queued
from headless.rows import Rows
from headless.successions import Successions

__all__ = ["Answer", "Batch", "Identity", "Item", "Place", "Queued", "Session", "Store"]


class Store(Successions, Rows, Luggage):
    """One terminal's database, for any number of threads and processes."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self.scour()  # a wipe that was interrupted
