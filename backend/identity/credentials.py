"""Secrets of officers: how they are kept (Argon2id, RFC 9106), and which ones are too weak."""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from backend.kernel.problems import Problem

HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""OWASP's Argon2id minimum: about 20 ms; the lock-out, not the cost, stops guessing a PIN on line."""

LEAST, LEAST_DIGITS, MOST = 8, 6, 128
_LONGEST_PATTERN = 3
_SIGNS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_TEMPORARY_LENGTH = 12


@cache
def _nobody(hasher: PasswordHasher) -> str:
    """What the secret of a number that nobody has is compared with, so that it takes as long."""
    return hasher.hash(secrets.token_urlsafe())


def matches(hashed: str | None, secret: str) -> bool:
    """Whether it is the secret; None, which nothing matches, takes as long as any."""
    try:
        return HASHER.verify(hashed or _nobody(HASHER), secret) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(hashed: str) -> bool:
    """Whether a hash was made with other parameters than those of the present."""
    return HASHER.check_needs_rehash(hashed)


def temporary() -> str:
    """A secret to be told once and changed at the first sign-in: 58 bits, ``XXXX-XXXX-XXXX``."""
    signs = "".join(secrets.choice(_SIGNS) for _ in range(_TEMPORARY_LENGTH))
    return "-".join(signs[at : at + 4] for at in range(0, _TEMPORARY_LENGTH, 4))


def check_strength(secret: str, number: str) -> None:
    """Eight signs or more; or digits alone, six or more, that neither repeat nor run. Never the officer's number.

    Raises Problem ``secret.weak``.
    """
    digits = secret.isascii() and secret.isdigit()
    if not (LEAST_DIGITS if digits else LEAST) <= len(secret) <= MOST or _repeats(secret):
        raise Problem("secret.weak", "new")
    if (digits and _runs(secret)) or secret.casefold() in (number.casefold(), number[::-1].casefold()):
        raise Problem("secret.weak", "new")


def _repeats(secret: str) -> bool:
    """One pattern of at most three signs again and again: 000000, 121212, abcabcab."""
    return any(secret[size:] == secret[:-size] for size in range(1, _LONGEST_PATTERN + 1))


def _runs(digits: str) -> bool:
    """Each digit follows the one before it in the same direction: 123456, 890123, 987654."""
    steps = {(int(b) - int(a)) % 10 for a, b in zip(digits, digits[1:], strict=False)}
    return steps in ({1}, {9})
