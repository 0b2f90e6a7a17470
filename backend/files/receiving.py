"""A piece of a file comes in; the last one makes the file whole, which is then verified and given its place."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from backend.files.checks.whole import media_type
from backend.files.shelf import File, Files, Shelf, enter
from backend.files.uploads import LEASE_MS, Upload, Uploads
from backend.kernel.problems import Problem
from backend.storage.door import Door, Transaction

AT_ONCE = 16
"""Pieces that a process takes in at once; fewer than the HTTP server has threads besides those for other bodies."""
_CHUNK = 64 * 1024
_RENEW_SECONDS = LEASE_MS / 3000
_AGAIN = 5
_FULL = 60


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of one piece must come to: ``sha256`` or ``sha1``."""

    algorithm: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that belong at ``offset``. ``read`` gives at most so many of the ``length`` that are said to come."""

    offset: int
    length: int
    read: Callable[[int], bytes]
    checksum: Checksum | None = None


class Receiver:
    """Takes in pieces of uploads."""

    def __init__(self, door: Door, shelf: Shelf, uploads: Uploads) -> None:
        self._door = door
        self._shelf = shelf
        self._uploads = uploads
        self._files = Files(door.store)
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def take(self, key: str, upload: str, piece: Piece) -> Upload:
        """Adds a piece; returns how the upload stands.

        What came before a cut is kept, unless the piece has a checksum: then all of it or nothing. Raises Problem
        ``route.unknown``, ``upload.offset``, ``upload.busy``, ``upload.checksum``, ``body.too_large``, ``server.busy``; and,
        when the file is whole and not what was promised, ``file.digest``, ``file.type`` or ``file.unsafe``: then the upload
        is thrown away.
        """
        stands = self._uploads.one(key, upload)
        if piece.offset != stands.received:
            raise Problem("upload.offset", "Upload-Offset", offset=stands.received)
        if piece.length > stands.size - stands.received:
            raise Problem("body.too_large", limit=stands.size - stands.received)
        if stands.done or not piece.length:
            return stands
        with self._place():
            name = self._uploads.hold(stands)
            path = self._shelf.part(stands.upload)
            with _opened(path) as part:
                if os.fstat(part).st_size < stands.received:  # a store was restored without what lies beside it
                    self._uploads.drop(stands, name)
                    raise Problem("route.unknown")
                received = self._gather(stands, name, piece, part)
            if received < stands.size:
                self._uploads.keep(stands, name, received, release=True)
                return replace(stands, received=received)
            return self._finish(stands, name, path)

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise Problem("server.busy", retry_after=_AGAIN)
        try:
            yield
        finally:
            self._places.release()

    def _gather(self, upload: Upload, name: str, piece: Piece, part: int) -> int:
        """Writes what comes; returns up to where there is something. Whatever goes wrong, the upload is let go."""
        at, sum_ = upload.received, None if piece.checksum is None else hashlib.new(piece.checksum.algorithm)
        until, told = at + piece.length, time.monotonic()
        try:
            while at < until and (data := piece.read(min(_CHUNK, until - at))):
                if time.monotonic() - told > _RENEW_SECONDS:  # before it is written: another may hold the upload by now
                    self._uploads.keep(upload, name, _safe(upload, at, part, sum_ is not None), release=False)
                    told = time.monotonic()
                if sum_ is not None:
                    sum_.update(data)
                at = _write(part, at, data)
            if piece.checksum is not None and sum_ is not None and sum_.digest() != piece.checksum.value:
                raise Problem("upload.checksum", "Upload-Checksum")
            os.ftruncate(part, at)
            os.fsync(part)
        except BaseException:
            self._uploads.keep(upload, name, _safe(upload, at, part, sum_ is not None), release=True)
            raise
        return at

    def _finish(self, upload: Upload, name: str, path: Path) -> Upload:
        """All bytes are there: the file is verified, put on the shelf and entered, or thrown away."""
        try:
            self._uploads.keep(upload, name, upload.size - 1, release=False)
            if _digest(path) != upload.digest:
                raise Problem("file.digest")
            if media_type(path) != upload.type:
                raise Problem("file.type")
        except Problem as problem:
            if problem.code.startswith("file."):
                self._uploads.drop(upload, name)
            raise
        file = File(upload.facility, upload.digest, upload.size, upload.type, upload.terminal)

        def work(transaction: Transaction) -> None:
            self._shelf.put(file.facility, file.digest, path)
            if self._files.one(transaction.connection, file.facility, file.digest) is None:
                enter(transaction, file)

        try:
            self._door.write(upload.facility, work)
        except BaseException:
            self._uploads.keep(upload, name, upload.size - 1, release=True)  # its last byte brings it here again
            raise
        self._uploads.keep(upload, name, upload.size, release=True)
        path.unlink(missing_ok=True)
        return replace(upload, received=upload.size)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write(part: int, at: int, data: bytes) -> int:
    """Writes all of it at a place; returns the place behind it. Raises Problem ``server.busy``."""
    try:
        while data:
            written = os.pwrite(part, data, at)
            at, data = at + written, data[written:]
    except OSError:  # the disk is full
        raise Problem("server.busy", retry_after=_FULL) from None
    return at


def _safe(upload: Upload, at: int, part: int, whole: bool) -> int:
    """Up to where an upload may be said to stand: never to its end, and with a checksum to where it stood."""
    if whole:
        return upload.received
    os.fsync(part)
    return min(at, upload.size - 1)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
