"""Sealing as a terminal does it, written from the protocol's text: compact JWE, ECDH-ES, A256GCM."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backend.kernel.ids import unb64
from backend.kernel.keys import public_jwk
from headless.proof import b64u, thumbprint


class Sealer:
    """One ephemeral key to a server's seal key."""

    def __init__(self, jwk: dict[str, str], kid: str | None = None) -> None:
        own = ec.generate_private_key(ec.SECP256R1())
        x, y = (int.from_bytes(unb64(jwk[part]), "big") for part in "xy")
        agreed = own.exchange(ec.ECDH(), ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key())
        info = b"\0\0\0\7A256GCM" + b"\0\0\0\0" * 2 + (256).to_bytes(4, "big")
        self._key = AESGCM(hashlib.sha256(b"\0\0\0\1" + agreed + info).digest())
        header: dict[str, Any] = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": kid or thumbprint(jwk)}
        self._header = b64u(orjson.dumps(header | {"epk": public_jwk(own.public_key())}))

    def seal(self, plain: bytes) -> bytes:
        """The JWE of some bytes."""
        nonce = os.urandom(12)
        sealed = self._key.encrypt(nonce, plain, self._header.encode())
        parts = (self._header, "", b64u(nonce), b64u(sealed[:-16]), b64u(sealed[-16:]))
        return ".".join(parts).encode()
