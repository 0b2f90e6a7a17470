"""ES256 keys as JWK, and compact JWS over them (RFC 7515, 7517, 7518, 7638). ``alg`` is named everywhere.

Heads are signed on every commit and a proof is checked on every push, so both go straight to the key object, at a third
of the cost of a library that first finds out which algorithm it is. Access tokens are PyJWT's (``identity.tokens``).
"""

from __future__ import annotations

import hashlib
from typing import Any, Self, cast

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from backend.kernel.ids import b64, unb64

_COORDINATE = 32
_ALGORITHM = ec.ECDSA(hashes.SHA256())


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The public key as JWK with exactly ``kty, crv, x, y``."""
    numbers = key.public_numbers()
    x, y = (b64(value.to_bytes(_COORDINATE, "big")) for value in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def load_jwk(jwk: Any) -> ec.EllipticCurvePublicKey:
    """A P-256 public key from its JWK. Raises ValueError for anything else, a private part included."""
    if not isinstance(jwk, dict) or set(jwk) != {"kty", "crv", "x", "y"}:
        raise ValueError("not a public EC key")
    if jwk["kty"] != "EC" or jwk["crv"] != "P-256" or not all(isinstance(jwk[part], str) for part in "xy"):
        raise ValueError("not a P-256 key")
    x, y = unb64(jwk["x"]), unb64(jwk["y"])
    if len(x) != _COORDINATE or len(y) != _COORDINATE:
        raise ValueError("coordinates are not 32 bytes")
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1())
    return numbers.public_key()


def thumbprint(jwk: dict[str, str]) -> str:
    """RFC 7638 thumbprint, SHA-256, base64url."""
    canonical = '{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}'.format(**jwk)
    return b64(hashlib.sha256(canonical.encode()).digest())


class PrivateKey:
    """A private P-256 key: what it signs or opens is its heirs' business."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.jwk = public_jwk(key.public_key())
        self.thumbprint = thumbprint(self.jwk)

    @classmethod
    def generate(cls) -> Self:
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Raises ValueError for anything but a P-256 private key."""
        key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise ValueError("not a P-256 private key")
        return cls(key)

    def pem(self) -> bytes:
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


class SigningKey(PrivateKey):
    """A private key that signs JWS."""

    def sign(self, header: dict[str, Any], payload: dict[str, Any]) -> str:
        """A compact JWS with ``alg`` ES256."""
        signed = f"{b64(orjson.dumps(header | {'alg': 'ES256'}))}.{b64(orjson.dumps(payload))}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), _ALGORITHM))
        signature = r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")
        return f"{signed}.{b64(signature)}"


class Jws:
    """A compact JWS (RFC 7515 §3.1) taken apart, not yet believed. Raises ValueError when it is none."""

    __slots__ = ("_signature", "_signed", "header", "payload")

    def __init__(self, token: str) -> None:
        self._signed, _, signature = token.rpartition(".")
        header, dot, payload = self._signed.partition(".")
        if not dot or not token.isascii():
            raise ValueError("not a compact JWS")
        self.header: Any = orjson.loads(unb64(header))
        self.payload: Any = orjson.loads(unb64(payload))
        self._signature = unb64(signature)
        if not isinstance(self.header, dict) or not isinstance(self.payload, dict):
            raise ValueError("header and payload are objects")

    def verify(self, key: ec.EllipticCurvePublicKey, typ: str) -> dict[str, Any]:
        """The payload, if the key signed it as ES256 for the purpose ``typ``. Raises ValueError.

        A header with ``crit`` wants something that is not known here, and is refused (RFC 7515 §4.1.11).
        """
        if self.header.get("alg") != "ES256" or self.header.get("typ") != typ or "crit" in self.header:
            raise ValueError("of another algorithm or purpose")
        if len(self._signature) != 2 * _COORDINATE:
            raise ValueError("not a signature of ES256")
        r, s = (int.from_bytes(half, "big") for half in (self._signature[:_COORDINATE], self._signature[_COORDINATE:]))
        try:
            key.verify(encode_dss_signature(r, s), self._signed.encode(), _ALGORITHM)
        except InvalidSignature:
            raise ValueError("not signed by this key") from None
        return cast("dict[str, Any]", self.payload)
