"""The server's own keys: files of mode 0600 beside the database, never inside it.

Whoever edits the database therefore cannot sign a head over his edit. Several server processes share the folder.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backend.kernel.keys import SigningKey
from backend.kernel.seal import SealKey, Seals

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Keyring:
    """``head`` signs tree heads; ``token`` and ``nonce`` are HMAC keys; ``seals`` open what terminals have sealed."""

    head: SigningKey
    seals: Seals
    token: bytes
    nonce: bytes

    @classmethod
    def open(cls, folder: Path) -> Keyring:
        """Reads the keys of ``folder``; makes those that are missing."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        head = _file(folder / "head.pem", lambda: SigningKey.generate().pem())
        seal = _file(folder / "seal.pem", lambda: SealKey.generate().pem())
        earlier = [SealKey.from_pem(path.read_bytes()) for path in sorted(folder.glob("seal.*.pem"))]
        token = _file(folder / "token.key", lambda: secrets.token_bytes(_SECRET_BYTES))
        nonce = _file(folder / "nonce.key", lambda: secrets.token_bytes(_SECRET_BYTES))
        return cls(SigningKey.from_pem(head), Seals(SealKey.from_pem(seal), earlier), token, nonce)


def _file(path: Path, make: Callable[[], bytes]) -> bytes:
    """The file's bytes; written whole under another name and linked, so that two processes agree on one."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()
