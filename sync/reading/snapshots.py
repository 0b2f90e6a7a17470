"""Snapshots: a partition whole, compressed, as of one sequence number (docs/protocol.md §7).

A snapshot is two files in a folder that all processes of an installation share. Its rows stand in a file that is named
by the SHA-256 of its bytes; what it is of stands in another, named by a digest of facility, epoch, partition, sequence
number and the partition's digest: the snapshot's id. Both get their names when they are whole, so that two processes
that make the same one at once do no harm, and whatever has a name can be given.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import tempfile
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from backend.audit.views.readings import is_medical
from backend.identity.officers import Officer
from backend.kernel.clock import Clock
from backend.kernel.ids import b64, sha256
from backend.kernel.problems import Problem
from backend.storage.engine import Store
from sync.digests import NOTHING
from sync.reading.listing import Listing
from sync.reading.pull import Reading
from sync.reading.sights import Kept, Sight, Sights

KEEP_MS = 24 * 3_600_000
"""How long a snapshot that nobody asks for stays."""
_ID = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_GZIP = zlib.MAX_WBITS | 16
_LEVEL = 6
_PATIENCE = 20.0
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``size``: of the compressed bytes; ``sha256``: theirs, in base64url; ``cursor``: all up to there is in it."""

    facility: str
    epoch: int
    snapshot: str
    partition: str
    cursor: int
    present: int
    digest: str
    size: int
    sha256: str

    def public(self) -> dict[str, Any]:
        said = asdict(self)
        return {name: said[name] for name in said if name not in ("facility", "epoch")}


class Snapshots:
    """Makes snapshots in a folder and gives them out, within the caller's present scope."""

    def __init__(self, store: Store, sights: Sights, folder: Path, clock: Clock) -> None:
        self._store = store
        self._sights = sights
        self._listing = Listing(store)
        self._folder = folder
        self._clock = clock
        self._turn = threading.Lock()

    def make(self, officer: Officer, partition: str) -> Snapshot:
        """The partition as it is now, made unless it is there. One at a time: it costs a processor some seconds.

        Raises Problem ``partition.forbidden``, ``server.busy``.
        """
        if not self._turn.acquire(timeout=_PATIENCE):
            raise Problem("server.busy", retry_after=int(_PATIENCE))
        try:
            with self._store.reading() as connection:
                sight = self._sights.read(connection, officer, self._clock.now())
                kept = sight.one(partition)
                name = _name(sight, partition, kept)
                found = self._known(name)
                if found is None:
                    self._clean()
                    rows = self._listing.rows(connection, sight.facility, partition)
                    found = self._write(sight, partition, kept, (body for _, _, body in rows))
            return found
        finally:
            self._turn.release()

    def open(self, officer: Officer, name: str, reading: Reading) -> tuple[Snapshot, BinaryIO]:
        """A snapshot and its bytes as an open file, which the caller closes. ``reading`` is told of a medical one.

        Raises Problem ``snapshot.gone``, ``partition.forbidden``.
        """
        found = self._known(name) if _ID.match(name) else None
        if found is None or found.facility != officer.facility:
            raise Problem("snapshot.gone")
        with self._store.reading() as connection:
            sight = self._sights.read(connection, officer, self._clock.now())
        sight.one(found.partition)
        if found.epoch != sight.epoch:
            raise Problem("snapshot.gone")
        if is_medical(found.partition):
            reading([found.partition], found.cursor)
        try:
            return found, self._data(found.sha256).open("rb")
        except FileNotFoundError:
            raise Problem("snapshot.gone") from None

    def _data(self, digest: str) -> Path:
        return self._folder / f"{digest}.gz"

    def _known(self, name: str) -> Snapshot | None:
        """A snapshot that is there; it stays for another while."""
        about = self._folder / f"{name}.json"
        try:
            found = Snapshot(**orjson.loads(about.read_bytes()))
            for path in (about, self._data(found.sha256)):
                self._touch(path)
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return found

    def _touch(self, path: Path) -> None:
        moment = self._clock.now() * 1_000_000
        os.utime(path, ns=(moment, moment))

    def _write(self, sight: Sight, partition: str, kept: Kept, bodies: Iterable[bytes]) -> Snapshot:
        with _fresh(self._folder) as (descriptor, path):
            digest, size = _pack(descriptor, bodies)
            os.fsync(descriptor)
            self._touch(path)
            path.rename(self._data(digest))
        name = _name(sight, partition, kept)
        said = b64(kept.digest or NOTHING)
        made = Snapshot(sight.facility, sight.epoch, name, partition, kept.seq, kept.present, said, size, digest)
        with _fresh(self._folder) as (descriptor, path):
            os.write(descriptor, orjson.dumps(asdict(made)))
            os.fsync(descriptor)
            self._touch(path)
            path.rename(self._folder / f"{name}.json")
        return made

    def _clean(self) -> None:
        """Removes what nobody has asked for in a while, what was never finished too."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        oldest = (self._clock.now() - KEEP_MS) * 1_000_000
        for path in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime_ns < oldest and not _in_hand(path):
                    path.unlink()


def _name(sight: Sight, partition: str, kept: Kept) -> str:
    said = f"{sight.facility}\n{sight.epoch}\n{partition}\n{kept.seq}\n".encode()
    return b64(sha256(b"roundsman/snapshot/1\n", said, kept.digest or NOTHING))


def _in_hand(path: Path) -> bool:
    """Whether another process is writing it: its time is the machine's then, which need not be the clock's."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextlib.contextmanager
def _fresh(folder: Path) -> Iterator[tuple[int, Path]]:
    """A file under a name of its own, gone at the end unless it was renamed."""
    descriptor, name = tempfile.mkstemp(suffix=".part", dir=folder)
    path = Path(name)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor, path
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


def _pack(descriptor: int, bodies: Iterable[bytes]) -> tuple[str, int]:
    """Writes rows, one a line, as gzip (RFC 1952, its time 0); returns SHA-256 and size of what was written."""
    digest, size = hashlib.sha256(), 0
    press = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)

    def put(data: bytes) -> None:
        nonlocal size
        digest.update(data)
        size += len(data)
        while data:
            data = data[os.write(descriptor, data) :]

    for body in bodies:
        put(press.compress(body + b"\n"))
    put(press.flush())
    return b64(digest.digest()), size


def pieces(file: BinaryIO, first: int, count: int) -> Iterator[bytes]:
    """``count`` bytes of an open file from ``first`` on, a piece at a time; the file is closed behind them."""
    with file:
        file.seek(first)
        while count > 0 and (piece := file.read(min(_CHUNK, count))):
            yield piece
            count -= len(piece)
