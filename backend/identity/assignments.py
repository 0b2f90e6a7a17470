"""Which wards an officer is responsible for, since when and until when; and the end of an officer's rights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from backend.audit.log import append
from backend.identity.officers import UnknownOfficer
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


def assign(door: Door, facility: str, officer: str, place: str, by: str) -> None:
    """Gives an officer a place with all in it from now on; what he has already stays as it is.

    ``by``: an officer's id, or ``console``. Raises UnknownOfficer, and Problem ``reference.unknown`` for a place that
    is not, or is no more.
    """

    def work(transaction: Transaction) -> None:
        _known_officer(transaction, officer)
        if _place_state(transaction, place) != "open":
            raise Problem("reference.unknown", "place")
        had = transaction.connection.execute(_mine(transaction, officer, place)).all()
        if any(_lasts(row, transaction.now) for row in had):
            return
        since = max([transaction.now, *(row.until for row in had)])
        row = {"facility": facility, "officer": officer, "place": place, "until": None}
        if any(row.since == since for row in had):
            same = update(tables.assignments).where(*_key(transaction, officer, place), _A.since == since)
            transaction.execute(same.values(until=None))
        else:
            transaction.execute(insert(tables.assignments), row | {"since": since})
        append(transaction, "scope.assigned", {"officer": officer, "place": place, "by": by})

    door.write(facility, work)


def unassign(door: Door, facility: str, officer: str, place: str, by: str) -> None:
    """Takes a place from an officer from now on; one that he has not changes nothing. Raises UnknownOfficer."""

    def work(transaction: Transaction) -> None:
        _known_officer(transaction, officer)
        lasting = [
            row.since
            for row in transaction.connection.execute(_mine(transaction, officer, place))
            if _lasts(row, transaction.now)
        ]
        for since in lasting:
            ended = update(tables.assignments).where(*_key(transaction, officer, place), _A.since == since)
            transaction.execute(ended.values(until=max(transaction.now, since)))
        if lasting:
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
    wanted = select(_O.active, _O.revoked_at).where(_O.facility == transaction.facility, _O.officer == officer)
    row = transaction.connection.execute(wanted).one_or_none()
    if row is None:
        raise UnknownOfficer(officer)
    return row


def _place_state(transaction: Transaction, place: str) -> str | None:
    wanted = select(_R.state).where(_R.facility == transaction.facility, _R.id == place, _R.kind == "place")
    found: str | None = transaction.connection.execute(wanted).scalar_one_or_none()
    return found


def _key(transaction: Transaction, officer: str, place: str) -> tuple[Any, ...]:
    return (_A.facility == transaction.facility, _A.officer == officer, _A.place == place)


def _mine(transaction: Transaction, officer: str, place: str) -> Any:
    return select(_A.since, _A.until).where(*_key(transaction, officer, place))


def _lasts(row: Any, now: int) -> bool:
    return row.until is None or row.until > now
