"""Volatile rows: what proves nothing and may be lost, written without a leaf of the log.

Spent proofs, counts of failures, challenges, uploads in progress: were each of them a leaf, whoever guesses secrets would
fill the log. Their tables say so themselves (``info=VOLATILE`` in ``backend.storage.tables``); nothing else is written here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Table

from backend.storage import tables
from backend.storage.engine import Store


@contextmanager
def scratch(store: Store) -> Iterator[Connection]:
    """One write transaction for volatile rows, beside the write door: no facility is locked, no leaf is written.

    Raises what ``Store.writing`` does.
    """
    with store.writing() as connection:
        yield connection


def volatile() -> list[Table]:
    """The tables that are written through here, by name."""
    return sorted((t for t in tables.metadata.tables.values() if t.info.get("volatile")), key=lambda table: table.name)
