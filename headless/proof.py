"""Signatures: the terminal's key, its proofs, and the server's heads. ES256 over P-256 throughout."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from headless.chain import b64u, sha256
from headless.errors import Broken

Jwk = dict[str, str]


@dataclass(frozen=True)
class Head:
    """A verified head of the facility's Merkle log (protocol section 12); `jws` is what the server signed."""

    epoch: int
    size: int
    root: str
    at: str
    jws: str

    def anchor(self) -> dict[str, Any]:
        """What an operation names: "not before this head"."""
        return {"epoch": self.epoch, "size": self.size, "root": self.root}


@dataclass(frozen=True)
class HeadKey:
    """A key of the server's that signs heads: those after `after` and up to `upto` (epoch, size); None: it still does."""

    jwk: Jwk
    after: tuple[int, int]
    upto: tuple[int, int] | None

    @property
    def kid(self) -> str:
        return thumbprint(self.jwk)

    def signs(self, head: Head) -> bool:
        """Whether a head is one of its own time."""
        rank = (head.epoch, head.size)
        return self.after < rank and (self.upto is None or rank <= self.upto)


def new_key() -> str:
    """A fresh P-256 key as PKCS 8 PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")


def thumbprint(jwk: Jwk) -> str:
    """RFC 7638: SHA-256 over the required members in lexical order, base64url."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return b64u(sha256(orjson.dumps(members)))


class Key:
    """The terminal's private key and what it signs."""

    def __init__(self, pem: str) -> None:
        key = serialization.load_pem_private_key(pem.encode("ascii"), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("not an EC key")
        self._key = key
        public: dict[str, Any] = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        self.jwk: Jwk = {name: public[name] for name in ("kty", "crv", "x", "y")}

    def dpop(self, method: str, uri: str, at: datetime, *, nonce: str | None, token: str | None) -> str:
        """A proof for one request (RFC 9449 section 4.2, protocol section 3). `uri` is without its query."""
        payload: dict[str, Any] = {
            "jti": str(uuid.uuid4()),
            "htm": method,
            "htu": uri,
            "iat": int(at.timestamp()),
        }
        if nonce is not None:
            payload["nonce"] = nonce
        if token is not None:
            payload["ath"] = b64u(sha256(token.encode("ascii")))
        return self._sign(payload, {"typ": "dpop+jwt", "jwk": self.jwk})

    def push(self, payload: dict[str, Any], purpose: str = "push") -> str:
        """The proof of a push or an evacuation (protocol section 6); `payload` is its claims, complete."""
        return self._sign(payload, {"typ": f"roundsman-{purpose}+jwt", "kid": payload["terminal"]})

    def claim(self, terminal: str) -> str:
        """This key's own word that it wants to be the terminal's next one (protocol section 6, Forks)."""
        payload = {"terminal": terminal, "thumbprint": thumbprint(self.jwk)}
        return self._sign(payload, {"typ": "roundsman-key+jwt"})

    def _sign(self, payload: dict[str, Any], headers: dict[str, Any]) -> str:
        return jwt.encode(payload, self._key, algorithm="ES256", headers=headers)


def kid(jws: str) -> str:
    """Which key a JWS says that it is by. Raises Broken."""
    try:
        return str(jwt.get_unverified_header(jws)["kid"])
    except (jwt.PyJWTError, KeyError) as error:
        raise Broken(f"signature: {error!r}") from error


def verify_statement(jws: str, old: Jwk, new: Jwk, facility: str) -> tuple[int, int]:
    """Check that `old` hands over to `new` in a facility (protocol section 12). Returns epoch and size that it signed last.

    Raises Broken.
    """
    try:
        decoded = jwt.decode_complete(jws, jwt.PyJWK(old, "ES256"), algorithms=["ES256"])
        header, said = decoded["header"], decoded["payload"]
        right = said["jwk"] == new and said["facility"] == facility and header["kid"] == thumbprint(old)
        last = int(said["epoch"]), int(said["size"])
    except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
        raise Broken(f"keys: {error}") from error
    if header.get("typ") != "roundsman-key-rotation+jwt" or not right:
        raise Broken("keys: a statement for another purpose, key or facility")
    return last


def verify_head(jws: str, server_key: Jwk, facility: str) -> Head:
    """Check a signed head (protocol section 12). Raises Broken when it is not this server's, or not this facility's."""
    try:
        decoded = jwt.decode_complete(jws, jwt.PyJWK(server_key, "ES256"), algorithms=["ES256"])
        header, payload = decoded["header"], decoded["payload"]
        head = Head(payload["epoch"], payload["size"], payload["root"], payload["at"], jws)
    except (jwt.PyJWTError, KeyError, TypeError) as error:
        raise Broken(f"head: {error}") from error
    if header.get("typ") != "roundsman-head+jwt" or header.get("kid") != thumbprint(server_key):
        raise Broken("head: signed for another purpose, or by another key")
    if payload.get("facility") != facility:
        raise Broken(f"head: of facility {payload.get('facility')!r}")
    return head
