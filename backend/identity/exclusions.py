"""Officers who are never given a partition though their posts are: they are complained of in it (rule V02)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from backend.storage import tables
from backend.storage.door import Transaction
from backend.storage.engine import Store

_E = tables.exclusions.c
MATTER = "matter/"
"""How the names of partitions begin from which somebody may be left out."""


def left_out(connection: Connection, facility: str, officer: str) -> frozenset[str]:
    """The partitions that an officer is left out of: for questions that are asked once in a while."""
    mine = select(_E.partition).where(_E.facility == facility, _E.officer == officer)
    return frozenset(connection.execute(mine).scalars())


class Exclusions:
    """Reads and enters them. Nobody is ever taken out again: what he is complained of stays."""

    def __init__(self, store: Store) -> None:
        self._store = store
        here: Any = bindparam("f")
        mine = select(_E.partition).where(_E.facility == here, _E.officer == bindparam("o"))
        anybody = select(_E.officer).where(_E.facility == here).distinct()
        named = (_E.facility == here, store.among(_E.partition, "names"))
        whom = select(_E.partition, _E.officer).where(*named)
        insert = (sqlite if store.sqlite else postgresql).insert(tables.exclusions)
        enter = insert.values({name: bindparam(name) for name in ("facility", "partition", "officer")})
        self._mine, self._anybody, self._whom = map(store.prepare, (mine, anybody, whom))
        self._enter = store.prepare(enter.on_conflict_do_nothing())

    def of_officer(self, connection: Connection, facility: str, officer: str) -> frozenset[str]:
        """The partitions that an officer is left out of."""
        return frozenset(name for (name,) in self._mine.tuples(connection, {"f": facility, "o": officer}))

    def officers(self, connection: Connection, facility: str) -> frozenset[str]:
        """Whoever is left out of anything."""
        return frozenset(officer for (officer,) in self._anybody.tuples(connection, {"f": facility}))

    def of_partitions(
        self, connection: Connection, facility: str, partitions: Iterable[str]
    ) -> Mapping[str, frozenset[str]]:
        """Partition → who is left out of it; one from which nobody is, is not named."""
        asked = sorted({name for name in partitions if name.startswith(MATTER)})
        if not asked:
            return {}
        found: dict[str, frozenset[str]] = {}
        rows = self._whom.tuples(connection, {"f": facility, "names": self._store.listed(asked)})
        for partition, officer in rows:
            found[partition] = found.get(partition, frozenset()) | {officer}
        return found

    def enter(self, transaction: Transaction, excluded: Mapping[str, frozenset[str]]) -> None:
        """Leaves officers out of partitions; who is already is so still."""
        rows = [
            {"facility": transaction.facility, "partition": partition, "officer": officer}
            for partition, officers in sorted(excluded.items())
            for officer in sorted(officers)
        ]
        transaction.put(self._enter, rows)
