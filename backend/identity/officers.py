"""Officers, and how they prove themselves.

Tries are counted before a secret is compared, by number and by terminal, whether or not the number exists: the answer,
its time and what is written for it are the same, so that nothing is learnt of who is here. A right one gives its try back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from argon2 import PasswordHasher
from sqlalchemy import Connection, bindparam, select, update

from backend.audit.log import append
from backend.domain.posts import Post
from backend.identity import credentials, rates
from backend.identity.rates import MINUTE, Limit, Subject
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction
from backend.storage.engine import Store
from backend.storage.scratch import scratch

CONSOLE = "console"
"""Who acts when it is nobody's session: the server's own console."""
LOCK_MINUTES = 15
OF_A_NUMBER = Limit(5, LOCK_MINUTES * MINUTE, "sign_in.locked")
OF_A_TERMINAL = Limit(20, LOCK_MINUTES * MINUTE, "sign_in.locked")


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
    """An officer to be added, with the places (wards) he is assigned to and his first secret.

    ``temporary``: the secret was made by somebody else, and must be changed before anything else.
    """

    officer: str
    number: str
    name: str
    posts: tuple[Post, ...]
    secret: str
    places: tuple[str, ...] = ()
    temporary: bool = False


class UnknownOfficer(LookupError):
    """There is no such officer in the facility."""


_O = tables.officers.c
_BY_NUMBER = select(tables.officers).where(_O.facility == bindparam("f"), _O.number == bindparam("number"))
_SECRET = (
    update(tables.officers)
    .where(_O.facility == bindparam("f"), _O.officer == bindparam("o"))
    .values(secret=bindparam("new_secret"), temporary=bindparam("new_temporary"))
)


def of_row(row: Any) -> Officer:
    return Officer(row.facility, row.officer, row.number, row.name, tuple(row.posts.split()))


def add(
    door: Door,
    facility: str,
    officers: Sequence[NewOfficer],
    hasher: PasswordHasher | None = None,
    first: Callable[[Transaction], None] | None = None,
    by: str = CONSOLE,
) -> None:
    """Adds officers with their assignments. ``hasher``: tests give a cheaper one. Raises Refused for a taken number.

    ``first``: is called before anything is written, under the facility's lock; what it raises stops it all. ``by``: an
    officer's id, or ``console``.
    """
    hashed = [(hasher or credentials.HASHER).hash(officer.secret) for officer in officers]

    def work(transaction: Transaction) -> None:
        if first is not None:
            first(transaction)
        enter(transaction, officers, hashed, by)

    door.write(facility, work)


def enter(transaction: Transaction, officers: Sequence[NewOfficer], hashed: Sequence[str], by: str) -> None:
    """Writes officers down, whose secrets are hashed already."""
    facility, now = transaction.facility, transaction.now
    rows = [_row(facility, officer, secret) for officer, secret in zip(officers, hashed, strict=True)]
    transaction.insert(tables.officers, rows)
    given = [
        {"facility": facility, "officer": o.officer, "place": place, "since": now, "until": None}
        for o in officers
        for place in o.places
    ]
    transaction.insert(tables.assignments, given)
    posted = [{name: row[name] for name in ("facility", "officer", "posts")} for row in rows]
    transaction.insert(tables.postings, [row | {"since": now} for row in posted])
    for officer in officers:
        facts = {"officer": officer.officer, "posts": list(officer.posts), "places": list(officer.places), "by": by}
        append(transaction, "officer.added", facts)


def by_number(store: Store, facility: str, number: str) -> str:
    """The id of the officer of a number. Raises UnknownOfficer."""
    with store.reading() as connection:
        row = connection.execute(_BY_NUMBER, {"f": facility, "number": number}).one_or_none()
    if row is None:
        raise UnknownOfficer(number)
    return str(row.officer)


def everyone(connection: Connection, facility: str) -> list[tuple[Officer, int | None]]:
    """All officers of a facility by their numbers, each with the moment at which he was revoked, if he was; the server
    itself is none of them."""
    people = (_O.facility == facility, _O.posts != Post.SYS)
    rows = connection.execute(select(tables.officers).where(*people).order_by(_O.number))
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
        "temporary": officer.temporary,
    }


@dataclass(frozen=True, slots=True)
class Known:
    """An officer who has proved himself. ``temporary``: by a secret that was set by somebody else; ``fresh``: that secret
    hashed with the present parameters, where it was not."""

    officer: Officer
    temporary: bool
    fresh: str | None = None


def authenticate(door: Door, facility: str, terminal: str, number: str, secret: str) -> Known:
    """The officer of that number and secret, at a terminal of the facility.

    Raises Problem ``session.refused`` (the same, and after the same time, for a wrong number and a wrong secret) or
    ``sign_in.locked`` after five wrong ones for a number, or twenty at a terminal, in a quarter of an hour.
    """
    with door.store.reading() as connection:
        row = connection.execute(_BY_NUMBER, {"f": facility, "number": number}).one_or_none()
    _try(door, facility, number, terminal)
    hashed = row.secret if row is not None and row.active else None
    if not credentials.matches(hashed, secret) or row is None:
        _refused(door, facility, None if row is None else row.officer, terminal)
        raise Problem("session.refused")
    fresh = credentials.HASHER.hash(secret) if credentials.outdated(row.secret) else None
    return Known(of_row(row), row.temporary, fresh)


def _subjects(facility: str, number: str, terminal: str) -> tuple[Subject, Subject]:
    return Subject.typed(facility, "number", number), Subject(facility, f"terminal/{terminal}")


def _try(door: Door, facility: str, number: str, terminal: str) -> None:
    by_number, by_terminal = _subjects(facility, number, terminal)
    with scratch(door.store) as connection:
        now = door.clock.now()
        rates.take(connection, by_number, OF_A_NUMBER, now)
        rates.take(connection, by_terminal, OF_A_TERMINAL, now)


def _refused(door: Door, facility: str, officer: str | None, terminal: str) -> None:
    facts = {"officer": officer, "terminal": terminal}
    door.write(facility, lambda transaction: append(transaction, "sign_in.refused", facts))


def proved(transaction: Transaction, known: Known, terminal: str) -> None:
    """After a right secret: its try is given back, wrong ones are forgotten, the secret is hashed anew if it was due."""
    officer = known.officer
    by_number, by_terminal = _subjects(officer.facility, officer.number, terminal)
    rates.forgive(transaction.connection, by_number)
    rates.give_back(transaction.connection, by_terminal)
    if known.fresh is not None:
        _set(transaction, officer.officer, known.fresh, temporary=known.temporary)


def change_secret(door: Door, officer: Officer, at: tuple[str, str], old: str, new: str) -> None:
    """An officer puts a secret of his own in place of the old one; his other sessions end.

    ``at``: his terminal and session. Raises Problem ``secret.wrong``, ``secret.weak``, ``sign_in.locked``.
    """
    terminal, session = at
    try:
        known = authenticate(door, officer.facility, terminal, officer.number, old)
    except Problem as problem:
        raise Problem("secret.wrong", "old") if problem.code == "session.refused" else problem from None
    if new == old:
        raise Problem("secret.weak", "new")
    credentials.check_strength(new, officer.number)
    hashed = credentials.HASHER.hash(new)

    def work(transaction: Transaction) -> None:
        proved(transaction, replace(known, fresh=None), terminal)
        _set(transaction, officer.officer, hashed, temporary=False)
        _end_sessions(transaction, officer.officer, but=session)
        append(transaction, "secret.changed", {"officer": officer.officer, "session": session})

    door.write(officer.facility, work)


def reset_secret(door: Door, facility: str, officer: str, by: str) -> str:
    """A temporary secret in place of an officer's own, told once; all his sessions end. ``by``: an officer, or console.

    Raises UnknownOfficer, for one who is revoked too.
    """
    secret = credentials.temporary()
    hashed = credentials.HASHER.hash(secret)

    def work(transaction: Transaction) -> None:
        his = select(_O.number).where(_O.facility == facility, _O.officer == officer, _O.active)
        number = transaction.connection.execute(his).scalar_one_or_none()
        if number is None:
            raise UnknownOfficer(officer)
        _set(transaction, officer, hashed, temporary=True)
        rates.forgive(transaction.connection, Subject.typed(facility, "number", number))
        _end_sessions(transaction, officer)
        append(transaction, "secret.reset", {"officer": officer, "by": by})

    door.write(facility, work)
    return secret


def _set(transaction: Transaction, officer: str, hashed: str, *, temporary: bool) -> None:
    key = {"f": transaction.facility, "o": officer}
    transaction.execute(_SECRET, key | {"new_secret": hashed, "new_temporary": temporary})


def _end_sessions(transaction: Transaction, officer: str, but: str = "") -> None:
    sessions = tables.sessions.c
    his = (sessions.facility == transaction.facility, sessions.officer == officer, sessions.session != but)
    open_ones = (*his, sessions.ended_at.is_(None), sessions.expires_at > transaction.now)
    transaction.execute(update(tables.sessions).where(*open_ones).values(ended_at=transaction.now))
