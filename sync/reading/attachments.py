"""Files given out: to whom some record that names one is given (docs/protocol.md §6a)."""

from __future__ import annotations

from typing import Any, BinaryIO

from sqlalchemy import Connection, bindparam, select

from backend.audit.views.readings import is_medical
from backend.files.shelf import File, Files, Shelf
from backend.identity.officers import Officer
from backend.kernel.clock import Clock
from backend.kernel.ids import unhash
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.engine import Store
from sync.reading.pull import Reading
from sync.reading.sights import Sights

_A, _R = tables.attachments.c, tables.records.c


class Attachments:
    """Opens files within the caller's present scope."""

    def __init__(self, store: Store, sights: Sights, shelf: Shelf, clock: Clock) -> None:
        self._store = store
        self._sights = sights
        self._shelf = shelf
        self._clock = clock
        self._files = Files(store)
        of_record = (_R.facility == _A.facility) & (_R.id == _A.record)
        here: Any = bindparam("f")
        naming = select(_R.partition).distinct().join(tables.attachments, of_record)
        self._naming = store.prepare(
            naming.where(_A.facility == here, _A.digest == bindparam("d")).order_by(_R.partition)
        )

    def open(self, officer: Officer, digest: str, reading: Reading) -> tuple[File, BinaryIO]:
        """A file by its digest (base64url), and its bytes as an open file, which the caller closes.

        ``reading`` is told when a medical record names it. Raises Problem ``route.unknown``: it has not come, or nothing
        that the officer is given names it.
        """
        try:
            wanted = unhash(digest)
        except ValueError:
            raise Problem("route.unknown") from None
        with self._store.reading() as connection:
            found = self._files.one(connection, officer.facility, wanted)
            sight = self._sights.read(connection, officer, self._clock.now())
            given = [name for name in self._named(connection, officer.facility, wanted) if name in sight.partitions]
        path = self._shelf.path(officer.facility, wanted)
        if found is None or not given or not path.exists():
            raise Problem("route.unknown")
        if medical := [name for name in given if is_medical(name)]:
            reading(medical, sight.at)
        try:
            return found, path.open("rb")
        except FileNotFoundError:
            raise Problem("route.unknown") from None

    def _named(self, connection: Connection, facility: str, digest: bytes) -> list[str]:
        """The partitions in which a record names a file."""
        return [name for (name,) in self._naming.tuples(connection, {"f": facility, "d": digest})]
