"""A terminal's key and bytes (docs/protocol.md §1–§6), written anew: ES256, thumbprints, the chain, frames, ids."""

from __future__ import annotations

import base64
import binascii
import hashlib
import random
import time
from datetime import UTC, datetime
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_URL = bytes.maketrans(b"+/", b"-_")
_ES256 = ec.ECDSA(hashes.SHA256())


def b64u(data: bytes) -> str:
    """base64url without padding."""
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").translate(_URL).decode("ascii")


def unb64u(text: str) -> bytes:
    """The reverse of ``b64u``."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sha(*parts: bytes) -> bytes:
    """SHA-256 over the parts, one after the other."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


class Key:
    """A P-256 key made from a seeded chance, so that a run's keys are its seed's too."""

    def __init__(self, chance: random.Random) -> None:
        self._key = ec.derive_private_key(chance.getrandbits(255) | 1, ec.SECP256R1())
        numbers = self._key.public_key().public_numbers()
        x, y = (b64u(each.to_bytes(32, "big")) for each in (numbers.x, numbers.y))
        self.jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        members = {name: self.jwk[name] for name in ("crv", "kty", "x", "y")}
        self.thumbprint = b64u(sha(orjson.dumps(members)))

    def sign(self, header: dict[str, Any], payload: dict[str, Any]) -> str:
        """A JWS in compact form (RFC 7515, RFC 7518 §3.4)."""
        begin = b64u(orjson.dumps({"alg": "ES256"} | header)) + "." + b64u(orjson.dumps(payload))
        r, s = decode_dss_signature(self._key.sign(begin.encode("ascii"), _ES256))
        return begin + "." + b64u(r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    def signature(self, data: bytes) -> bytes:
        """Over some bytes, in DER."""
        return self._key.sign(data, _ES256)

    def dpop(self, method: str, uri: str, nonce: str | None, token: str | None, jti: str) -> str:
        """A proof for one request (RFC 9449 §4.2)."""
        payload: dict[str, Any] = {"jti": jti, "htm": method, "htu": uri, "iat": int(time.time())}
        if nonce is not None:
            payload["nonce"] = nonce
        if token is not None:
            payload["ath"] = b64u(sha(token.encode("ascii")))
        return self.sign({"typ": "dpop+jwt", "jwk": self.jwk}, payload)


def genesis(facility: str, terminal: str, incarnation: int, thumbprint: str) -> bytes:
    """The hash before operation 1."""
    return sha(f"roundsman/genesis/1\n{facility}\n{terminal}\n{incarnation}\n{thumbprint}\n".encode("ascii"))


def link(prior: bytes, n: int, raw: bytes) -> bytes:
    """hash(n) from hash(n-1), the number and the operation's bytes."""
    return sha(b"roundsman/op/1\n", prior, n.to_bytes(8, "big"), raw)


def frame(n: int, hash_: str, raw: bytes) -> bytes:
    """An operation as it stands in a push."""
    return b"%d %s %d\n%b\n" % (n, hash_.encode("ascii"), len(raw), raw)


def uuid7(chance: random.Random, milliseconds: int) -> str:
    """A UUIDv7 (RFC 9562 §5.7) of a moment; its random part is drawn."""
    value = (milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62
    text = f"{value | chance.getrandbits(62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def to_text(milliseconds: int) -> str:
    """``2026-11-22T03:14:15.123Z``."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"
