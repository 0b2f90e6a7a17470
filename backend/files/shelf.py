"""Files that have come whole: content-addressed in a folder beside the database, a row and a leaf for each.

A file lies at ``<facility>/<two digits>/<digest>``, the SHA-256 of its bytes in hexadecimal: no name that anybody gave it is
ever part of a path. It is linked there under the facility's lock, in the transaction of its row, and unlinked under the
same lock once no row speaks of it; what a lost commit leaves behind is found by ``tend`` (backend.files.tending).
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, select

from backend.audit.log import append
from backend.kernel.disk import settle
from backend.kernel.ids import b64, unhash
from backend.storage import tables
from backend.storage.door import Transaction
from backend.storage.engine import Store

_F, _A = tables.files.c, tables.attachments.c
_AT_ONCE = 40
"""Digests that are looked up by one statement."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that has come. ``digest``: 32 bytes; ``size`` in bytes; ``type``: a media type of backend.files.types."""

    facility: str
    digest: bytes
    size: int
    type: str
    terminal: str


class Shelf:
    """The folder of all files of an installation, which its processes share. Nobody else may look in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts = folder / "parts"
        """Uploads in progress; no facility has a name in small letters."""

    def path(self, facility: str, digest: bytes) -> Path:
        """Where a file lies, or would."""
        name = digest.hex()
        return self.folder / facility / name[:2] / name

    def part(self, upload: str) -> Path:
        """Where the bytes of an upload are gathered."""
        return self.parts / f"{upload}.part"

    def put(self, facility: str, digest: bytes, part: Path) -> None:
        """Gives a whole, verified, synced file its place; one that lies there already is replaced by its equal."""
        target = self.path(facility, digest)
        _make_folder(self.folder, target.parent)
        fresh = target.with_name(f"{target.name}.{secrets.token_hex(8)}")
        os.link(part, fresh)
        fresh.replace(target)
        settle(target.parent)

    def found(self, facility: str) -> Iterator[tuple[bytes, Path]]:
        """All files that lie there for a facility, with a row or without."""
        for folder in _listed(self.folder / facility):
            for path in _listed(folder):
                with contextlib.suppress(ValueError):
                    yield bytes.fromhex(path.name), path


def _listed(folder: Path) -> list[Path]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return sorted(folder.iterdir())
    return []


def _make_folder(root: Path, folder: Path) -> None:
    if not folder.is_dir():
        for each in (*reversed(folder.relative_to(root).parents), folder.relative_to(root)):
            (root / each).mkdir(mode=0o700, parents=True, exist_ok=True)
            settle((root / each).parent)


class Files:
    """Reads which files have come, and what names them."""

    def __init__(self, store: Store) -> None:
        here: Any = bindparam("f")
        one = (_F.facility == here, _F.digest == bindparam("d"))
        self._one = store.prepare(select(tables.files).where(*one))
        some = _F.digest.in_([bindparam(f"d{number}") for number in range(_AT_ONCE)])
        self._some = store.prepare(select(_F.digest).where(_F.facility == here, some))
        self._named = store.prepare(select(_A.n).where(_A.facility == here, _A.digest == bindparam("d")).limit(1))
        own = (_A.terminal == bindparam("t"),)
        self._own = store.prepare(select(_A.n).where(_A.facility == here, _A.digest == bindparam("d"), *own).limit(1))

    def one(self, connection: Connection, facility: str, digest: bytes) -> File | None:
        """A file that has come."""
        row = self._one.first(connection, {"f": facility, "d": digest})
        return None if row is None else File(facility, bytes(row.digest), row.size, row.type, row.terminal)

    def come(self, connection: Connection, facility: str, digests: Collection[str]) -> frozenset[str]:
        """Those of some digests (base64url) whose files have come. Without any nothing is read."""
        wanted = []
        for digest in digests:
            with contextlib.suppress(ValueError):
                wanted.append(unhash(digest))
        found: set[str] = set()
        for at in range(0, len(wanted), _AT_ONCE):
            some = wanted[at : at + _AT_ONCE]
            some += some[-1:] * (_AT_ONCE - len(some))  # one statement for any number
            asked = {"f": facility} | {f"d{number}": digest for number, digest in enumerate(some)}
            found |= {b64(bytes(digest)) for (digest,) in self._some.tuples(connection, asked)}
        return frozenset(found)

    def is_named(self, connection: Connection, facility: str, digest: bytes, terminal: str | None = None) -> bool:
        """Whether an operation of the facility, or of one of its terminals, names a file; whatever became of it."""
        asked = {"f": facility, "d": digest}
        if terminal is not None:
            return self._own.first(connection, asked | {"t": terminal}) is not None
        return self._named.first(connection, asked) is not None


def enter(transaction: Transaction, file: File) -> None:
    """The row of a file that has come, with a leaf ``file.stored``."""
    row = {"facility": file.facility, "digest": file.digest, "size": file.size, "type": file.type}
    transaction.insert(tables.files, [row | {"terminal": file.terminal, "stored_at": transaction.now}])
    facts = {"digest": b64(file.digest), "size": file.size, "type": file.type, "terminal": file.terminal}
    append(transaction, "file.stored", facts)
