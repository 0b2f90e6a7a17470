"""The server's own keys: files of mode 0600 beside the database, never inside it.

Whoever edits the database therefore cannot sign a head over his edit. Several server processes share the folder.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from backend.identity import keyfiles
from backend.identity.headring import HeadRing
from backend.kernel.keys import SigningKey
from backend.kernel.seal import SealKey, Seals

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Keyring:
    """``heads`` signs tree heads; ``seals`` open what terminals have sealed; ``token`` and ``nonce`` are HMAC keys;
    ``factor`` encrypts secrets of second factors (AES-256).
    """

    heads: HeadRing
    seals: Seals
    token: bytes
    nonce: bytes
    factor: bytes

    @classmethod
    def open(cls, folder: Path) -> Keyring:
        """Reads the keys of ``folder``; makes those that are missing. One key more is one line here."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(
            heads=HeadRing(folder),
            seals=_seals(folder),
            token=keyfiles.kept(folder / "token.key", _secret),
            nonce=keyfiles.kept(folder / "nonce.key", _secret),
            factor=keyfiles.kept(folder / "factor.key", _secret),
        )

    @property
    def head(self) -> SigningKey:
        """The newest key that signs heads."""
        return self.heads.newest


_secret = partial(secrets.token_bytes, _SECRET_BYTES)


def _seals(folder: Path) -> Seals:
    present = keyfiles.kept(folder / "seal.pem", lambda: SealKey.generate().pem())
    earlier = [SealKey.from_pem(path.read_bytes()) for path in sorted(folder.glob("seal.*.pem"))]
    return Seals(SealKey.from_pem(present), earlier)
