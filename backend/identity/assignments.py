"""Which wards an officer is responsible for, since when and until when; and the end of an officer's rights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from backend.audit.log import append
from backend.domain.posts import Post
from backend.identity.officers import UnknownOfficer
from backend.kernel.clock import to_text
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction
from backend.storage.engine import Store

_A, _O, _R, _S = tables.assignments.c, tables.officers.c, tables.records.c, tables.sessions.c


@dataclass(frozen=True, slots=True)
class Assignment:
    """``since`` (inclusive) and ``until`` (exclusive; None: it lasts) in milliseconds."""

    place: str
    since: int
    until: int | None


class Assignments:
    """Reads assignments."""

    def __init__(self, store: Store) -> None:
        self._store = store
        his = (_A.facility == bindparam("f"), store.among(_A.officer, "officers"))
        every = select(_A.officer, _A.place, _A.since, _A.until).where(*his).order_by(_A.officer, _A.since, _A.place)
        self._every = store.prepare(every)

    def read(self, connection: Connection, facility: str, officers: Iterable[str]) -> dict[str, list[Assignment]]:
        """All assignments that these officers ever had, the oldest first; who had none is left out."""
        asked = {"f": facility, "officers": self._store.listed(sorted(set(officers)))}
        found: dict[str, list[Assignment]] = {}
        for officer, place, since, until in self._every.tuples(connection, asked):
            found.setdefault(officer, []).append(Assignment(place, since, until))
        return found


@dataclass(frozen=True, slots=True)
class Period:
    """When an assignment lasts: ``since`` (inclusive; None: from now on) and ``until`` (exclusive; None: it lasts), in
    milliseconds."""

    since: int | None = None
    until: int | None = None

    def begins(self, now: int) -> int:
        """When it begins. Raises Problem ``request.invalid``: a right is never given for a time that has gone."""
        since = now if self.since is None else self.since
        if since < now:
            raise _wrong("since")
        if self.until is not None and self.until <= since:
            raise _wrong("until")
        return since


ALWAYS = Period()
"""From now on, without an end."""


def of_officer(store: Store, facility: str, officer: str) -> list[Assignment]:
    """All that an officer ever had and will have, the oldest first; not what was taken back before it began.

    Raises UnknownOfficer.
    """
    with store.reading() as connection:
        known = select(_O.officer).where(_O.facility == facility, _O.officer == officer)
        if connection.execute(known).one_or_none() is None:
            raise UnknownOfficer(officer)
        found = Assignments(store).read(connection, facility, [officer]).get(officer, [])
    return [each for each in found if each.until != each.since]


def assign(door: Door, facility: str, officer: str, place: str, by: str, period: Period = ALWAYS) -> None:
    """Gives an officer a place with all in it for a period; what he has already stays as it is, and periods that overlap
    are as good as one.

    ``by``: an officer's id, or ``console``. Raises UnknownOfficer, and Problem ``reference.unknown`` for a place that
    is not, or is no more, ``request.invalid`` for a period that has begun or has no length, ``record.state`` for an
    officer who is revoked.
    """

    def work(transaction: Transaction) -> None:
        if _known_officer(transaction, officer).revoked_at is not None:
            raise Problem("record.state", "officer", state="revoked")
        check_place(transaction, place, "place")
        since, until = period.begins(transaction.now), period.until
        had = transaction.connection.execute(_mine(transaction, officer, place)).all()
        if any(row.since <= since and _reaches(row.until, until) for row in had):
            return
        row = {"facility": facility, "officer": officer, "place": place, "until": until}
        if any(row.since == since for row in had):
            same = update(tables.assignments).where(*_key(transaction, officer, place), _A.since == since)
            transaction.execute(same.values(until=until))
        else:
            transaction.execute(insert(tables.assignments), row | {"since": since})
        append(transaction, "scope.assigned", {"officer": officer, "place": place, "by": by} | _told(period))

    door.write(facility, work)


def _told(period: Period) -> dict[str, str]:
    """The ends of a period that were named, as text."""
    ends = {"since": period.since, "until": period.until}
    return {name: to_text(moment) for name, moment in ends.items() if moment is not None}


def _reaches(has: int | None, wanted: int | None) -> bool:
    return has is None or (wanted is not None and has >= wanted)


def _wrong(field: str) -> Problem:
    return Problem("request.invalid", field, errors=(Problem("field.invalid", field),))


def unassign(door: Door, facility: str, officer: str, place: str, by: str) -> None:
    """Takes a place from an officer from now on, periods that have not begun among it; one that he has not changes
    nothing. Raises UnknownOfficer."""

    def work(transaction: Transaction) -> None:
        _known_officer(transaction, officer)
        mine, now = _key(transaction, officer, place), transaction.now
        had = transaction.connection.execute(_mine(transaction, officer, place)).all()
        open_ones = [row.since for row in had if row.until is None or row.until > max(now, row.since)]
        for since in open_ones:  # one that has not begun ends as it would begin: it is empty, and nobody ever had it
            ended = update(tables.assignments).where(*mine, _A.since == since)
            transaction.execute(ended.values(until=max(now, since)))
        if open_ones:
            append(transaction, "scope.ended", {"officer": officer, "place": place, "by": by})

    door.write(facility, work)


def revoke(door: Door, facility: str, officer: str, by: str) -> None:
    """Ends all of an officer's rights: he cannot sign in, and his sessions are over. A second time changes nothing.

    Raises UnknownOfficer.
    """

    def work(transaction: Transaction) -> None:
        if _known_officer(transaction, officer).revoked_at is not None:
            return
        now = transaction.now
        his = (_O.facility == facility, _O.officer == officer)
        transaction.execute(update(tables.officers).where(*his).values(active=False, revoked_at=now))
        open_ones = (_S.facility == facility, _S.officer == officer, _S.ended_at.is_(None), _S.expires_at > now)
        transaction.execute(update(tables.sessions).where(*open_ones).values(ended_at=now))
        append(transaction, "officer.revoked", {"officer": officer, "by": by})

    door.write(facility, work)


def _known_officer(transaction: Transaction, officer: str) -> Any:
    who = (_O.facility == transaction.facility, _O.officer == officer, _O.posts != Post.SYS)
    wanted = select(_O.active, _O.revoked_at).where(*who)
    row = transaction.connection.execute(wanted).one_or_none()
    if row is None:
        raise UnknownOfficer(officer)
    return row


def check_place(transaction: Transaction, place: str, field: str) -> None:
    """Raises Problem ``reference.unknown`` for what is no place of the facility, or is no more."""
    wanted = select(_R.state).where(_R.facility == transaction.facility, _R.id == place, _R.kind == "place")
    if transaction.connection.execute(wanted).scalar_one_or_none() != "open":
        raise Problem("reference.unknown", field)


def _key(transaction: Transaction, officer: str, place: str) -> tuple[Any, ...]:
    return (_A.facility == transaction.facility, _A.officer == officer, _A.place == place)


def _mine(transaction: Transaction, officer: str, place: str) -> Any:
    return select(_A.since, _A.until).where(*_key(transaction, officer, place))
