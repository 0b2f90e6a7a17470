"""Files on their way: an upload is begun, grows by pieces, is taken up again after a cut, and ends or runs out.

The row of an upload says how many of its bytes are kept; it never says all before the file has been verified and has its
place on the shelf. Whoever adds bytes holds the upload for as long as bytes come: by a lease in the store that all server
processes share. A request that has lost it writes no more, and what two had written over each other would not have the
promised digest.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from backend.files.shelf import File, Files, Shelf
from backend.files.types import TYPES
from backend.identity.terminals import REVOKED, Terminal, by_thumbprint, holder
from backend.kernel.ids import uuid7
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door
from backend.storage.scratch import scratch

LIVES_MS = 24 * 3_600_000
"""How long an upload may take from its beginning."""
LEASE_MS = 30_000
"""How long a request that has stopped adding bytes keeps others from doing so."""
UNNAMED_FILES = 32
UNNAMED_BYTES = 256 * 2**20
"""What a terminal may have here that no operation names: on its way, and come within the last days."""
IN_PROGRESS = 64
"""Uploads of one terminal at once, named or not."""
ROOM = 2**30
"""Bytes that stay free where the files lie."""
_AGAIN = 5
_U, _F, _A, _T = tables.uploads.c, tables.files.c, tables.attachments.c, tables.terminals.c


@dataclass(frozen=True, slots=True)
class Upload:
    """``size`` and ``received`` in bytes; ``received`` is ``size`` only when the file is on the shelf."""

    facility: str
    upload: str
    terminal: str
    digest: bytes
    size: int
    type: str
    received: int
    expires_at: int

    @property
    def done(self) -> bool:
        return self.received == self.size


class Uploads:
    """Uploads of all facilities. Callers are named by the thumbprint of their key."""

    def __init__(self, door: Door, shelf: Shelf) -> None:
        self._door = door
        self._store = door.store
        self._shelf = shelf
        self._files = Files(door.store)

    def begin(self, key: str, digest: bytes, size: int, type_: str) -> Upload:
        """An upload of a file of that digest, size and type; the one that there is already, if there is one.

        Of a file that this terminal has brought before nothing is wanted any more. Raises Problem ``file.type``,
        ``file.too_large``, ``upload.unpromised``, ``server.busy``, and those of ``by_thumbprint``.
        """
        terminal, leaving = self._caller(key)
        taken = TYPES.get(type_)
        if taken is None:
            raise Problem("file.type", "Upload-Metadata")
        if size > taken.most:
            raise Problem("file.too_large", "Upload-Length", limit=taken.most)
        self._check_room(size)
        now = self._door.clock.now()
        with scratch(self._store) as connection:
            connection.execute(_one_at_a_time(terminal))
            there = self._there(connection, terminal.facility, digest)
            known = connection.execute(_mine(terminal, digest, now)).first()
            if known is not None and (known.size, known.type) == (size, type_) and (there or known.received < size):
                return _upload(known)
            come = there is not None and (there.terminal, there.size, there.type) == (terminal.terminal, size, type_)
            if not come:
                self._check_promise(connection, terminal, digest, size, leaving=leaving)
            made = Upload(
                terminal.facility, uuid7(now), terminal.terminal, digest, size, type_, size if come else 0, now + LIVES_MS
            )  # fmt: skip
            row = {name: getattr(made, name) for name in Upload.__dataclass_fields__}
            connection.execute(insert(tables.uploads), row | {"holder": "", "held_until": 0})
        return made

    def one(self, key: str, upload: str) -> Upload:
        """An upload of the caller's. Raises Problem ``route.unknown``: there is none, it has run out, or is another's."""
        terminal, _ = self._caller(key)
        wanted = (_U.facility == terminal.facility, _U.upload == upload, _U.terminal == terminal.terminal)
        with self._store.reading() as connection:
            row = connection.execute(select(tables.uploads).where(*wanted)).one_or_none()
        if row is None or row.expires_at <= self._door.clock.now():
            raise Problem("route.unknown")
        return _upload(row)

    def hold(self, upload: Upload) -> str:
        """Takes the lease of an upload; the name by which it is held. Raises Problem ``upload.busy``, ``upload.offset``."""
        now = self._door.clock.now()
        name = uuid7(now)
        free = (*_of(upload), _U.received == upload.received, (_U.holder == "") | (_U.held_until <= now))
        with scratch(self._store) as connection:
            taken = connection.execute(
                update(tables.uploads).where(*free).values(holder=name, held_until=now + LEASE_MS)
            )
            if taken.rowcount:
                return name
            stands = connection.execute(select(_U.received).where(*_of(upload))).scalar_one_or_none()
        if stands is None:
            raise Problem("route.unknown")
        if stands != upload.received:
            raise Problem("upload.offset", "Upload-Offset", offset=stands)
        raise Problem("upload.busy", retry_after=_AGAIN)

    def keep(self, upload: Upload, name: str, received: int, *, release: bool) -> None:
        """Says how many bytes are kept, and holds on or lets go. Raises Problem ``upload.busy`` when the lease is lost."""
        until = self._door.clock.now() + LEASE_MS
        values = {"received": received, "holder": "" if release else name, "held_until": 0 if release else until}
        with scratch(self._store) as connection:
            kept = connection.execute(update(tables.uploads).where(*_of(upload), _U.holder == name).values(values))
        if not kept.rowcount:
            raise Problem("upload.busy", retry_after=_AGAIN)

    def drop(self, upload: Upload, name: str | None = None) -> None:
        """Ends an upload and throws its bytes away. ``name``: who holds it; None: nobody may.

        Raises Problem ``upload.busy``. A file that is on the shelf stays there.
        """
        now = self._door.clock.now()
        mine = _U.holder == name if name is not None else (_U.holder == "") | (_U.held_until <= now)
        with scratch(self._store) as connection:
            gone = connection.execute(delete(tables.uploads).where(*_of(upload), mine)).rowcount
        if not gone:
            raise Problem("upload.busy", retry_after=_AGAIN)
        self._shelf.part(upload.upload).unlink(missing_ok=True)

    def expire(self, facility: str) -> int:
        """Throws away what has run out and nobody is adding to. Returns how many there were."""
        now = self._door.clock.now()
        over = (_U.facility == facility, _U.expires_at <= now, (_U.holder == "") | (_U.held_until <= now))
        with self._store.reading() as connection:
            names = list(connection.execute(select(_U.upload).where(*over)).scalars())
        if not names:
            return 0
        with scratch(self._store) as connection:
            connection.execute(delete(tables.uploads).where(*over))
        for name in names:
            self._shelf.part(name).unlink(missing_ok=True)
        return len(names)

    def _caller(self, key: str) -> tuple[Terminal, bool]:
        """The terminal of a key, and whether it was revoked: then it hands in what its operations name, and no more."""
        try:
            return by_thumbprint(self._store, key), False
        except Problem as problem:
            with self._store.reading() as connection:
                found = holder(connection, key)
            if found is None or found.terminal.state != REVOKED or found.incarnation != found.terminal.incarnation:
                raise problem from None
            return found.terminal, True

    def _there(self, connection: Connection, facility: str, digest: bytes) -> File | None:
        """The file, if its bytes are where its row says: a store may be restored without them."""
        found = self._files.one(connection, facility, digest)
        return found if found is not None and self._shelf.path(facility, digest).exists() else None

    def _check_room(self, size: int) -> None:
        folder = self._shelf.folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if shutil.disk_usage(folder).free < ROOM + size:
            raise Problem("server.busy", retry_after=60)

    def _check_promise(
        self, connection: Connection, terminal: Terminal, digest: bytes, size: int, *, leaving: bool
    ) -> None:
        """A file must be named by an operation, or be among the few that will be."""
        files, total = self._unnamed(connection, terminal)
        everything = select(func.count()).where(*_by(terminal))
        if connection.execute(everything).scalar_one() >= IN_PROGRESS:
            raise Problem("upload.unpromised", files=IN_PROGRESS, bytes=UNNAMED_BYTES)
        own = terminal.terminal if leaving else None
        if self._files.is_named(connection, terminal.facility, digest, own):
            return
        if leaving:
            raise Problem("terminal.revoked")
        if files >= UNNAMED_FILES or total + size > UNNAMED_BYTES:
            raise Problem("upload.unpromised", files=UNNAMED_FILES, bytes=UNNAMED_BYTES)

    def _unnamed(self, connection: Connection, terminal: Terminal) -> tuple[int, int]:
        """How many files of a terminal no operation names, come or on their way, and their bytes."""
        here = (_A.facility == terminal.facility,)
        of_file = ~select(_A.n).where(*here, _A.digest == _F.digest).exists()
        of_upload = ~select(_A.n).where(*here, _A.digest == _U.digest).exists()
        come = select(func.count(), func.coalesce(func.sum(_F.size), 0))
        coming = select(func.count(), func.coalesce(func.sum(_U.size), 0))
        mine = and_(_F.facility == terminal.facility, _F.terminal == terminal.terminal)
        one = connection.execute(come.where(mine, of_file)).one()
        other = connection.execute(coming.where(*_by(terminal), of_upload)).one()
        return one[0] + other[0], int(one[1]) + int(other[1])


def _one_at_a_time(terminal: Terminal) -> Any:
    """On PostgreSQL; of SQLite's writers there is one anyway."""
    own = (_T.facility == terminal.facility, _T.terminal == terminal.terminal)
    return select(_T.terminal).where(*own).with_for_update()


def _by(terminal: Terminal) -> tuple[Any, ...]:
    """A terminal's uploads that have not come whole."""
    return _U.facility == terminal.facility, _U.terminal == terminal.terminal, _U.received < _U.size


def _mine(terminal: Terminal, digest: bytes, now: int) -> Any:
    """A terminal's uploads of a digest that have not run out, the newest first."""
    own = (_U.facility == terminal.facility, _U.terminal == terminal.terminal, _U.digest == digest, _U.expires_at > now)
    return select(tables.uploads).where(*own).order_by(_U.upload.desc())


def _of(upload: Upload) -> tuple[Any, ...]:
    return _U.facility == upload.facility, _U.upload == upload.upload


def _upload(row: Any) -> Upload:
    return Upload(
        row.facility, row.upload, row.terminal, bytes(row.digest), row.size, row.type, row.received, row.expires_at
    )  # fmt: skip
