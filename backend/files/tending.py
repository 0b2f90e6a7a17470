"""What is done to files on a clock: uploads run out, what no operation ever named is forgotten, strays are seen to."""

from __future__ import annotations

import contextlib
import hashlib
import time
from pathlib import Path

from sqlalchemy import delete, select

from backend.audit.log import append
from backend.files.checks.whole import media_type
from backend.files.shelf import File, Files, Shelf, enter
from backend.files.uploads import Uploads
from backend.kernel.ids import b64
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction

UNNAMED_DAYS = 7
"""How long a file waits for an operation that names it."""
STRAY_DAYS = 30
"""How long bytes lie that no row speaks of: a store that was restored may come to name them."""
_DAY_MS = 24 * 3_600_000
_AT_ONCE = 500
_F, _A = tables.files.c, tables.attachments.c
_NAMED = select(_A.n).where(_A.facility == _F.facility, _A.digest == _F.digest).exists()


class Tending:
    """Sees to the files of each facility; it may run in several processes at once."""

    def __init__(self, door: Door, shelf: Shelf, uploads: Uploads) -> None:
        self._door = door
        self._shelf = shelf
        self._uploads = uploads
        self._files = Files(door.store)

    def tend(self, facility: str) -> int:
        """Does all of it for a facility; how many things were seen to. Raises Problem ``server.busy``."""
        self._clear_parts()
        return self._uploads.expire(facility) + self._forget(facility) + self._see_to_strays(facility)

    def _forget(self, facility: str) -> int:
        """Forgets files that waited in vain, with a leaf ``file.forgotten`` each; their bytes go after the commit."""
        before = self._door.clock.now() - UNNAMED_DAYS * _DAY_MS
        unnamed = select(_F.digest).where(_F.facility == facility, _F.stored_at <= before, ~_NAMED).limit(_AT_ONCE)
        with self._door.store.reading() as connection:
            if connection.execute(unnamed).first() is None:
                return 0

        def work(transaction: Transaction) -> list[bytes]:
            found = [bytes(each) for each in transaction.connection.execute(unnamed).scalars()]
            for digest in found:
                transaction.execute(delete(tables.files).where(_F.facility == facility, _F.digest == digest))
                append(transaction, "file.forgotten", {"digest": b64(digest)})
            return found

        gone = self._door.write(facility, work)
        for digest in gone:
            self._remove(facility, digest, self._shelf.path(facility, digest))
        return len(gone)

    def _see_to_strays(self, facility: str) -> int:
        """Bytes without a row: those that an operation names are entered, old ones go."""
        with self._door.store.reading() as connection:
            known = {
                bytes(each) for each in connection.execute(select(_F.digest).where(_F.facility == facility)).scalars()
            }
        strays = [(digest, path) for digest, path in self._shelf.found(facility) if digest not in known]
        return sum(self._see_to(facility, digest, path) for digest, path in strays)

    def _see_to(self, facility: str, digest: bytes, path: Path) -> bool:
        with self._door.store.reading() as connection:
            named = self._files.is_named(connection, facility, digest)
        if named:
            return self._adopt(facility, digest, path)
        return _older(path, STRAY_DAYS) and self._remove(facility, digest, path)

    def _adopt(self, facility: str, digest: bytes, path: Path) -> bool:
        """Enters a file whose row a restore has lost, if it is what it should be. Who brought it is not known any more."""
        try:
            if hashlib.sha256(path.read_bytes()).digest() != digest:
                return False
            file = File(facility, digest, path.stat().st_size, media_type(path), "")
        except (Problem, FileNotFoundError):
            return False

        def work(transaction: Transaction) -> bool:
            if not path.exists() or self._files.one(transaction.connection, facility, digest) is not None:
                return False
            enter(transaction, file)
            return True

        return self._door.write(facility, work)

    def _remove(self, facility: str, digest: bytes, path: Path) -> bool:
        """Takes bytes off the shelf, under the lock under which they are put there, unless a row speaks of them again."""

        def work(transaction: Transaction) -> bool:
            if self._files.one(transaction.connection, facility, digest) is not None:
                return False
            path.unlink(missing_ok=True)
            return True

        return self._door.write(facility, work)

    def _clear_parts(self) -> None:
        """Bytes of uploads that are no more: a process that was killed leaves them."""
        with contextlib.suppress(FileNotFoundError):
            for path in self._shelf.parts.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if _older(path, 2):
                        path.unlink()


def _older(path: Path, days: int) -> bool:
    """By the machine's time, which files have."""
    return path.stat().st_mtime < time.time() - days * _DAY_MS / 1000
