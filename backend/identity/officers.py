"""Officers and their secrets (Argon2id, RFC 9106)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import Connection, bindparam, select, update

from backend.audit.log import append
from backend.domain.posts import Post
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction
from backend.storage.engine import Store

MOST_FAILURES = 5
LOCK_MINUTES = 15
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""OWASP's Argon2id minimum: about 20 ms; the lock-out, not the cost, stops guessing a PIN on line."""


@dataclass(frozen=True, slots=True)
class Officer:
    """An officer; ``posts`` are values of Post."""

    facility: str
    officer: str
    number: str
    name: str
    posts: tuple[str, ...]

    def public(self) -> dict[str, Any]:
        return {"id": self.officer, "number": self.number, "name": self.name, "posts": list(self.posts)}


@dataclass(frozen=True, slots=True)
class NewOfficer:
    """An officer to be added, with the places (wards) he is assigned to and his first secret."""

    officer: str
    number: str
    name: str
    posts: tuple[Post, ...]
    secret: str
    places: tuple[str, ...] = ()


class UnknownOfficer(LookupError):
    """There is no such officer in the facility."""


_O = tables.officers.c
_BY_NUMBER = select(tables.officers).where(_O.facility == bindparam("f"), _O.number == bindparam("number"))
_COUNT = (
    update(tables.officers)
    .where(_O.facility == bindparam("f"), _O.officer == bindparam("o"))
    .values(failures=bindparam("new_failures"), locked_until=bindparam("new_until"))
)


def of_row(row: Any) -> Officer:
    return Officer(row.facility, row.officer, row.number, row.name, tuple(row.posts.split()))


def add(door: Door, facility: str, officers: Sequence[NewOfficer], hasher: PasswordHasher = _HASHER) -> None:
    """Adds officers with their assignments. ``hasher``: tests give a cheaper one. Raises Refused for a taken number."""
    hashed = [hasher.hash(officer.secret) for officer in officers]

    def work(transaction: Transaction) -> None:
        rows = [_row(facility, officer, secret) for officer, secret in zip(officers, hashed, strict=True)]
        transaction.insert(tables.officers, rows)
        given = [
            {"facility": facility, "officer": o.officer, "place": place, "since": transaction.now, "until": None}
            for o in officers
            for place in o.places
        ]
        transaction.insert(tables.assignments, given)
        for officer in officers:
            facts = {"officer": officer.officer, "posts": list(officer.posts), "places": list(officer.places)}
            append(transaction, "officer.added", facts)

    door.write(facility, work)


def by_number(store: Store, facility: str, number: str) -> str:
    """The id of the officer of a number. Raises UnknownOfficer."""
    with store.reading() as connection:
        row = connection.execute(_BY_NUMBER, {"f": facility, "number": number}).one_or_none()
    if row is None:
        raise UnknownOfficer(number)
    return str(row.officer)


def everyone(connection: Connection, facility: str) -> list[tuple[Officer, int | None]]:
    """All officers of a facility by their numbers, each with the moment at which he was revoked, if he was."""
    rows = connection.execute(select(tables.officers).where(_O.facility == facility).order_by(_O.number))
    return [(of_row(row), row.revoked_at) for row in rows]


def _row(facility: str, officer: NewOfficer, secret: str) -> dict[str, Any]:
    return {
        "facility": facility,
        "officer": officer.officer,
        "number": officer.number,
        "name": officer.name,
        "posts": " ".join(officer.posts),
        "secret": secret,
        "active": True,
        "failures": 0,
        "locked_until": 0,
    }


_NOBODY = _HASHER.hash("nobody has this secret")


def authenticate(door: Door, store: Store, facility: str, number: str, secret: str) -> Officer:
    """The officer of that number and secret.

    Raises Problem ``session.refused`` (the same, and after the same time, for a wrong number and a wrong secret) or
    ``sign_in.locked`` after five failures.
    """
    with store.reading() as connection:
        row = connection.execute(_BY_NUMBER, {"f": facility, "number": number}).one_or_none()
    now = door.clock.now()
    if row is not None and row.locked_until > now:
        raise Problem("sign_in.locked", retry_after=(row.locked_until - now) // 1000 + 1)
    right = _matches(_NOBODY if row is None else row.secret, secret)
    if row is None or not row.active:
        raise Problem("session.refused")
    if not right:
        _failed(door, facility, row.officer)
        raise Problem("session.refused")
    return of_row(row)


def _matches(hashed: str, secret: str) -> bool:
    try:
        return _HASHER.verify(hashed, secret)
    except VerificationError:
        return False


def _failed(door: Door, facility: str, officer: str) -> None:
    def work(transaction: Transaction) -> None:
        key = {"f": facility, "o": officer}
        held = select(_O.failures).where(_O.facility == facility, _O.officer == officer)
        failures = transaction.connection.execute(held).scalar_one() + 1
        locks = failures >= MOST_FAILURES
        until = transaction.now + LOCK_MINUTES * 60_000 if locks else 0
        transaction.execute(_COUNT, key | {"new_failures": 0 if locks else failures, "new_until": until})
        append(transaction, "sign_in.refused", {"officer": officer, "failures": failures})

    door.write(facility, work)


def forgive(transaction: Transaction, officer: str) -> None:
    """Forgets failures, after a right secret."""
    transaction.execute(_COUNT, {"f": transaction.facility, "o": officer, "new_failures": 0, "new_until": 0})
