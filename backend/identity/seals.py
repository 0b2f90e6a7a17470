"""Telling terminals which key to seal their queues to: a statement that the server signs with the key of its heads.

Without the signature whoever sits between could have the queues sealed to a key of his own.
"""

from __future__ import annotations

from backend.identity.keyring import Keyring
from backend.kernel.clock import to_text

SEAL_TYPE = "roundsman-seal+jwt"


def statement(keys: Keyring, facility: str, now: int) -> str:
    """A JWS over ``{facility, kid, jwk, at}``; ``now`` in milliseconds."""
    present = keys.seals.present
    payload = {"facility": facility, "kid": present.thumbprint, "jwk": present.jwk, "at": to_text(now)}
    key = keys.heads.of(facility)
    return key.sign({"typ": SEAL_TYPE, "kid": key.thumbprint}, payload)
