"""One-time codes by time (TOTP, RFC 6238): SHA-1, six digits, steps of 30 seconds, which every authenticator app knows.

The server must be able to compute a code, so the secret is kept; under a key that is never in the database.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

import pyotp
import segno
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backend.identity.officers import Officer

STEP_MS = 30_000
_NONCE = 12
_SKEW = (0, -1, 1)
"""The officer's own clock may be a step off (RFC 6238 §5.2)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A secret as its officer sees it once: as text, as otpauth URI, and that as QR code (SVG)."""

    secret: str
    uri: str
    qr: str


def fresh() -> str:
    """A new secret, 160 bits in base 32."""
    return pyotp.random_base32()


def shown(secret: str, officer: Officer) -> Shown:
    """What an authenticator app is given."""
    uri = pyotp.TOTP(secret).provisioning_uri(name=officer.number, issuer_name=f"Roundsman {officer.facility}")
    return Shown(secret, uri, segno.make_qr(uri).svg_inline(scale=5, border=2))


def seal(key: bytes, secret: str, officer: Officer) -> bytes:
    """A secret encrypted for one officer (AES-256-GCM): nonce, then ciphertext."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, secret.encode(), _of(officer))


def unseal(key: bytes, sealed: bytes, officer: Officer) -> str | None:
    """The secret; None where it was sealed by another key or for another officer."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], _of(officer)).decode()
    except InvalidTag:
        return None


def _of(officer: Officer) -> bytes:
    return f"roundsman/totp/1\n{officer.facility}\n{officer.officer}\n".encode()


def step_of(secret: str, code: str, now: int, after: int) -> int | None:
    """The time step whose code it is, none up to ``after``: a code is good once. ``now`` in milliseconds."""
    made, present = pyotp.TOTP(secret), now // STEP_MS
    right = [
        present + skew
        for skew in _SKEW
        if hmac.compare_digest(made.generate_otp(present + skew).encode(), code.encode("utf-8", "replace"))
    ]
    return next((step for step in right if step > after), None)
