"""Signatures and hashes for the fake server: RFC 7515, 7518 section 3.4, 7638 and 9162, with `cryptography` alone."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
import uuid
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

ES256 = ec.ECDSA(hashes.SHA256())


class BadSignature(Exception):
    """The JWS does not hold."""


def uuid7() -> str:
    """RFC 9562 section 5.7, without any order within a millisecond."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=value & ~(3 << 62) | 2 << 62))


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text: str) -> bytes:
    """The reverse."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def digest(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def thumb(jwk: dict[str, str]) -> str:
    """RFC 7638."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    text = json.dumps(members, separators=(",", ":"))
    return b64(digest(text.encode()))


def verified(jws: str, jwk: dict[str, str] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload of a JWS that holds by `jwk`, or by the key in its own header. Raises BadSignature."""
    try:
        first, second, third = jws.split(".")
        header, payload, signature = json.loads(unb64(first)), json.loads(unb64(second)), unb64(third)
        key = jwk or header["jwk"]
        x, y = (int.from_bytes(unb64(key[name]), "big") for name in ("x", "y"))
        public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        public.verify(encode_dss_signature(r, s), f"{first}.{second}".encode(), ES256)
    except (ValueError, KeyError, InvalidSignature) as error:
        raise BadSignature(str(error)) from error
    if header["alg"] != "ES256" or len(signature) != 64 or set(key) != {"kty", "crv", "x", "y"}:
        raise BadSignature("not ES256 with a bare public key")
    return header, payload


class Signer:
    """The server's key."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        numbers = self._key.public_key().public_numbers()
        x, y = (b64(value.to_bytes(32, "big")) for value in (numbers.x, numbers.y))
        self.jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}

    def sign(self, typ: str, payload: dict[str, Any]) -> str:
        """A compact JWS."""
        header = {"typ": typ, "alg": "ES256", "kid": thumb(self.jwk)}
        text = ".".join(b64(json.dumps(part).encode()) for part in (header, payload))
        r, s = decode_dss_signature(self._key.sign(text.encode(), ES256))
        return f"{text}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def merkle(leaves: list[bytes]) -> bytes:
    """The tree hash of RFC 9162 section 2.1.1."""
    if not leaves:
        return digest(b"")
    if len(leaves) == 1:
        return digest(b"\0" + leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return digest(b"\1" + merkle(leaves[:split]) + merkle(leaves[split:]))
