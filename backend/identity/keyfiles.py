"""Files of keys: mode 0600, written whole or not at all, and destroyed when they are replaced."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.kernel.disk import settle


def kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """The file's bytes; made if it is missing: written under another name and linked, so that two processes agree on one."""
    if not path.exists():
        draft = _draft(path, make())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        settle(path.parent)
    return path.read_bytes()


def replace(path: Path, data: bytes) -> None:
    """Puts bytes in the place of what the file had, or where there was none."""
    _draft(path, data).replace(path)
    settle(path.parent)


def supersede(path: Path, by: Path) -> None:
    """Puts the file ``by`` in the place of ``path``, and overwrites the bytes of what was there.

    On a disk that writes elsewhere than it is told, and in copies of the folder, the old bytes may survive.
    """
    descriptor = os.open(path, os.O_WRONLY)
    try:
        size = os.fstat(descriptor).st_size
        by.replace(path)
        settle(path.parent)
        os.write(descriptor, bytes(size))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time; the lock ends with its holder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _draft(path: Path, data: bytes) -> Path:
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return draft
