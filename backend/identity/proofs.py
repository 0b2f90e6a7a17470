"""Proofs of a terminal's key: DPoP (RFC 9449) for requests, and the proof of a push.

Freshness comes from the server's nonce alone; the device's clock is never a reason to refuse.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from backend.kernel.clock import Clock
from backend.kernel.ids import UUID7, b64, sha256, unhash
from backend.kernel.keys import Jws, load_jwk, thumbprint
from backend.kernel.problems import Problem

NONCE_WINDOW_MS = 5 * 60 * 1000
_DPOP = "dpop+jwt"
PUSH = "roundsman-push+jwt"
EVACUATION = "roundsman-evacuation+jwt"
_KEY = "roundsman-key+jwt"
_LONGEST = 4096
_LONGEST_JTI = 128


class Nonces:
    """Nonces without a store: a MAC over the number of the five-minute window. Good in its window and the next."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def _of(self, window: int) -> str:
        return b64(hmac.digest(self._secret, window.to_bytes(8, "big"), hashlib.sha256)[:16])

    def fresh(self) -> str:
        return self._of(self._clock.now() // NONCE_WINDOW_MS)

    def good(self, nonce: object) -> bool:
        if not isinstance(nonce, str) or not nonce.isascii():
            return False
        window = self._clock.now() // NONCE_WINDOW_MS
        return any(hmac.compare_digest(nonce, self._of(past)) for past in (window, window - 1))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a proof must speak of: method, URI without query, and the access token if one was sent."""

    method: str
    uri: str
    token: str | None = None


class Proven(NamedTuple):
    """The key that made a DPoP proof, by thumbprint and as JWK, and the proof's own name."""

    key: str
    jwk: dict[str, str]
    jti: str


def check_dpop(proof: str | None, asked: Asked, nonces: Nonces, origin: str | None) -> Proven:
    """Who made a DPoP proof (RFC 9449 §4.3, but for the clock).

    ``origin``: when configured, the URI in the proof must begin with it; else only its path is compared, since a
    proxy may have changed the rest. Raises Problem ``proof.missing``, ``proof.invalid``, ``proof.nonce_required``.
    """
    if not proof:
        raise Problem("proof.missing", "DPoP")
    try:
        if len(proof) > _LONGEST:
            raise ValueError("too long")
        jws = Jws(proof)
        jwk = jws.header["jwk"]
        claims = jws.verify(load_jwk(jwk), _DPOP)
        if claims["htm"] != asked.method or not _same_place(claims["htu"], asked.uri, origin):
            raise ValueError("made for another request")
        if asked.token is not None and claims["ath"] != b64(sha256(asked.token.encode())):
            raise ValueError("made for another token")
        nonce, jti = claims.get("nonce"), _word(claims["jti"])
        if not 0 < len(jti) <= _LONGEST_JTI:
            raise ValueError("without a name of its own")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Problem("proof.invalid", "DPoP") from None
    if not nonces.good(nonce):
        raise Problem("proof.nonce_required", "DPoP")
    return Proven(thumbprint(jwk), jwk, jti)


def _same_place(claimed: str, actual: str, origin: str | None) -> bool:
    if origin is not None:
        return claimed == origin + urlsplit(actual).path
    return urlsplit(claimed).path == urlsplit(actual).path


@dataclass(frozen=True, slots=True)
class PushProof:
    """What a terminal says of the body that it pushes. Hashes are 32 bytes. ``head``: the newest one that it holds."""

    facility: str
    terminal: str
    incarnation: int
    first: int
    count: int
    prior: bytes
    last: bytes
    captured: int
    head: str | None


def _whole(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**53:
        raise ValueError("not a whole number")
    return value


def _word(value: object) -> str:
    if type(value) is not str:
        raise ValueError("not text")
    return value


class PushClaim:
    """A push proof that is not yet believed; it says whose key to check it with.

    Raises Problem ``proof.missing`` or ``proof.invalid``.
    """

    def __init__(self, proof: str | None) -> None:
        if not proof:
            raise Problem("proof.missing", "Roundsman-Proof")
        try:
            if len(proof) > _LONGEST:
                raise ValueError("too long")
            self._jws = Jws(proof)
            self.terminal = _word(self._jws.header.get("kid"))
            if not UUID7.fullmatch(self.terminal):
                raise ValueError("no terminal has such an id")
            self.incarnation = _whole(self._jws.payload.get("incarnation"))
        except ValueError:
            raise Problem("proof.invalid", "Roundsman-Proof") from None

    def check(self, key: ec.EllipticCurvePublicKey, typ: str = PUSH) -> PushProof:
        """What the proof says, signed by the terminal's key for a purpose. Raises Problem ``proof.invalid``."""
        try:
            claims = self._jws.verify(key, typ)
            first, count, captured = (_whole(claims[name]) for name in ("first", "count", "captured"))
            prior, last = (unhash(_word(claims[name])) for name in ("prior", "last"))
            facility, terminal = _word(claims["facility"]), _word(claims["terminal"])
            head = _word(claims["head"]) if "head" in claims else None
            if terminal != self.terminal:
                raise ValueError("of another terminal than its header says")
        except (ValueError, KeyError):
            raise Problem("proof.invalid", "Roundsman-Proof") from None
        return PushProof(facility, terminal, self.incarnation, first, count, prior, last, captured, head)


def check_key(proof: str, jwk: dict[str, str], terminal: str) -> str:
    """Thumbprint of a key that its holder gives to a terminal. Raises Problem ``proof.invalid``."""
    try:
        if len(proof) > _LONGEST:
            raise ValueError("too long")
        claims = Jws(proof).verify(load_jwk(jwk), _KEY)
        if (claims["terminal"], claims["thumbprint"]) != (terminal, thumbprint(jwk)):
            raise ValueError("made for another terminal or key")
    except (ValueError, KeyError):
        raise Problem("proof.invalid", "proof") from None
    return thumbprint(jwk)
