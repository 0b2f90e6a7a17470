"""Tokens: JWT (RFC 7519) that the server writes for itself, bound to a terminal's key by ``cnf.jkt`` (RFC 9449 §6).

Access tokens are short and shown with every request; a refresh token gets the next ones for as long as its session lasts.
The two have keys of their own, so that neither is ever taken for the other.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import jwt

from backend.kernel.problems import Problem

_ALGORITHM = "HS256"
_ACCESS, _REFRESH = "JWT", "roundsman-refresh+jwt"
_MOST_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a refresh token says. ``generation`` counts from 1; ``key``: the thumbprint that it is bound to."""

    facility: str
    session: str
    generation: int
    key: str


class Tokens:
    """Writes and reads tokens. ``minutes``: how long an access token is good, within its session."""

    def __init__(self, secret: bytes, minutes: int) -> None:
        self._secret = secret
        self._refresh = hmac.digest(secret, b"roundsman/refresh/1", hashlib.sha256)
        self._good_ms = minutes * 60_000
        self._read: dict[str, dict[str, Any]] = {}

    def issue(self, ticket: Ticket, officer: str, now: int, over: int) -> tuple[str, int]:
        """An access token, and the moment at which it ends; ``over``: when its session does."""
        ends = min(now + self._good_ms, over) // 1000 * 1000
        claims = {"fac": ticket.facility, "sid": ticket.session, "sub": officer, "exp": ends // 1000}
        return jwt.encode(claims | {"cnf": {"jkt": ticket.key}}, self._secret, algorithm=_ALGORITHM), ends

    def refresh(self, ticket: Ticket, over: int) -> str:
        """The refresh token of a generation: the same each time, since it follows from what it says."""
        claims = {"fac": ticket.facility, "sid": ticket.session, "gen": ticket.generation, "exp": over // 1000}
        claims["cnf"] = {"jkt": ticket.key}
        return jwt.encode(claims, self._refresh, algorithm=_ALGORITHM, headers={"typ": _REFRESH})

    def read(self, token: str, now: int) -> dict[str, Any]:
        """An access token's claims. Raises Problem ``session.missing`` (not ours) or ``session.expired``."""
        claims = self._read.get(token) or self._remembered(token)
        if claims["exp"] * 1000 <= now:
            raise Problem("session.expired")
        return claims

    def read_refresh(self, token: str, now: int) -> Ticket:
        """What a refresh token says. Raises Problem ``session.missing`` (not ours) or ``session.expired``."""
        claims = _verified(token, self._refresh, _REFRESH, ["fac", "sid", "gen", "exp", "cnf"])
        if claims["exp"] * 1000 <= now:
            raise Problem("session.expired")
        return Ticket(claims["fac"], claims["sid"], claims["gen"], claims["cnf"]["jkt"])

    def _remembered(self, token: str) -> dict[str, Any]:
        """The claims of a token that is ours, remembered: the same signature is right each time."""
        claims = _verified(token, self._secret, _ACCESS, ["fac", "sid", "sub", "exp", "cnf"])
        if len(self._read) >= _MOST_REMEMBERED:
            self._read.clear()
        self._read[token] = claims
        return claims


def _verified(token: str, secret: bytes, typ: str, required: list[str]) -> dict[str, Any]:
    """The claims of a token that this server wrote for a purpose; its header says that and nothing else."""
    try:
        if jwt.get_unverified_header(token) != {"alg": _ALGORITHM, "typ": typ}:
            raise jwt.InvalidTokenError
        options: Any = {"require": required, "verify_exp": False}
        claims: dict[str, Any] = jwt.decode(token, secret, algorithms=[_ALGORITHM], options=options)
    except jwt.PyJWTError:
        raise Problem("session.missing") from None
    return claims
