"""Sealed operations: JWE (RFC 7516) to the server's seal key, which a terminal's store holds in place of plain bytes.

Compact form, ``alg`` ECDH-ES over P-256 (RFC 7518 §4.6, direct), ``enc`` A256GCM. Whoever holds the device can send such
bytes and cannot read them. One ephemeral key may serve many operations, so what was agreed with it is remembered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from backend.kernel.ids import unb64
from backend.kernel.keys import PrivateKey, load_jwk

ALGORITHM, ENCRYPTION = "ECDH-ES", "A256GCM"
_KEY_BYTES, _IV_BYTES, _TAG_BYTES = 32, 12, 16
_LONGEST_HEADER = 1024
_MOST_REMEMBERED = 4096


class Unsealable(ValueError):
    """Bytes that no key of ours opens: they are no JWE of this form, or were changed on the way."""


class UnknownSeal(Unsealable):
    """They are sealed to a key that this server does not hold."""


class SealKey(PrivateKey):
    """A private key that opens what was sealed to it."""

    def agree(self, public: ec.EllipticCurvePublicKey) -> bytes:
        """The secret that two keys have in common (ECDH, RFC 7518 §4.6)."""
        return self._key.exchange(ec.ECDH(), public)


class Seals:
    """The server's seal keys: ``present`` is the one that terminals are given, the earlier ones still open."""

    def __init__(self, present: SealKey, earlier: Iterable[SealKey] = ()) -> None:
        self.present = present
        self._keys = {key.thumbprint: key for key in (*earlier, present)}
        self._agreed: dict[str, AESGCM] = {}

    def open(self, sealed: bytes) -> bytes:
        """The bytes inside a JWE. Raises UnknownSeal or Unsealable."""
        try:
            header, encrypted_key, iv, text, tag = sealed.decode("ascii").split(".")
            nonce, end = unb64(iv), unb64(tag)
            if encrypted_key or len(nonce) != _IV_BYTES or len(end) != _TAG_BYTES:
                raise Unsealable("not of this form")
            return self._cipher(header).decrypt(nonce, unb64(text) + end, header.encode("ascii"))
        except InvalidTag:
            raise Unsealable("changed on the way") from None
        except UnknownSeal:
            raise
        except ValueError as fault:
            raise Unsealable(str(fault)) from None

    def _cipher(self, header: str) -> AESGCM:
        """What the header's ephemeral key agrees on with ours; the header has nothing else in it that could matter."""
        known = self._agreed.get(header)
        if known is None:
            if len(self._agreed) >= _MOST_REMEMBERED:
                self._agreed.clear()
            known = self._agreed[header] = AESGCM(self._agree(header))
        return known

    def _agree(self, header: str) -> bytes:
        if len(header) > _LONGEST_HEADER:
            raise Unsealable("a header of no use")
        said: Any = orjson.loads(unb64(header))
        if not isinstance(said, dict) or (said.get("alg"), said.get("enc")) != (ALGORITHM, ENCRYPTION):
            raise Unsealable("of another algorithm")
        words = [said.get(name, "") for name in ("kid", "apu", "apv")]
        if said.keys() - {"alg", "enc", "kid", "epk", "apu", "apv"} or not all(isinstance(word, str) for word in words):
            raise Unsealable("it wants something that is not known here")
        key = self._keys.get(words[0])
        if key is None:
            raise UnknownSeal("of another key")
        agreed = key.agree(load_jwk(said.get("epk")))
        return derive(agreed, ENCRYPTION, _KEY_BYTES, [unb64(word) for word in words[1:]])


def derive(agreed: bytes, algorithm: str, size: int, parties: list[bytes]) -> bytes:
    """The content key of RFC 7518 §4.6.2 from an agreed secret: Concat KDF over algorithm, parties and size in bytes."""
    info = b"".join(len(part).to_bytes(4, "big") + part for part in (algorithm.encode(), *parties))
    return ConcatKDFHash(hashes.SHA256(), size, info + (size * 8).to_bytes(4, "big")).derive(agreed)
