"""An officer on a terminal: sign-in, refresh, and the end of it.

A refresh token names its session's generation. Shown a second time by the same key it gets the same successor, since an
answer may be lost; an older one has been copied, and the session ends for whoever holds it (RFC 9700 §4.14.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from backend.audit.log import append
from backend.identity import officers
from backend.identity.officers import Known, Officer
from backend.identity.terminals import FROZEN, Terminal, barred, ended
from backend.identity.tokens import Ticket
from backend.kernel.ids import uuid7
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction, UnknownFacility
from backend.storage.engine import Store


@dataclass(frozen=True, slots=True)
class Session:
    """``started_at``, ``expires_at``, ``ended_at``, ``revoked_at`` (of its officer) in milliseconds.

    ``must_change``: its officer must change his secret before anything else. ``posted_at``: when his posts were changed
    last; 0: never.
    """

    session: str
    officer: Officer
    terminal: str
    started_at: int
    expires_at: int
    ended_at: int | None
    revoked_at: int | None = None
    must_change: bool = False
    posted_at: int = 0


_S, _O, _T = tables.sessions.c, tables.officers.c, tables.terminals.c
_JOINED = (
    select(
        _S.session, _S.terminal, _S.started_at, _S.expires_at, _S.ended_at, _S.generation,
        _O.facility, _O.officer, _O.number, _O.name, _O.posts, _O.active, _O.revoked_at, _O.temporary, _O.posted_at,
        _T.state, _T.incarnation, _T.thumbprint,
    )
    .join(tables.officers, (_O.facility == _S.facility) & (_O.officer == _S.officer))
    .join(tables.terminals, (_T.facility == _S.facility) & (_T.terminal == _S.terminal))
)  # fmt: skip
_ONE = _JOINED.where(_S.facility == bindparam("f"), _S.session == bindparam("s"))
_THIS = update(tables.sessions).where(_S.facility == bindparam("f"), _S.session == bindparam("s"))
_END = _THIS.values(ended_at=bindparam("now"))
_ADVANCE = _THIS.values(generation=bindparam("new_generation"))


def _session(row: Any) -> Session:
    return Session(
        row.session, officers.of_row(row), row.terminal,
        row.started_at, row.expires_at, row.ended_at, row.revoked_at, bool(row.temporary), row.posted_at,
    )  # fmt: skip


def sign_in(door: Door, terminal: Terminal, known: Known, hours: int) -> Session:
    """Opens a session for an officer who has proved himself by his secret."""
    return _start(door, terminal, known.officer, hours, known)


def start(door: Door, terminal: Terminal, officer: Officer, hours: int) -> Session:
    """Opens a session for an officer who is known otherwise."""
    return _start(door, terminal, officer, hours, None)


def _start(door: Door, terminal: Terminal, officer: Officer, hours: int, known: Known | None) -> Session:
    must_change = known is not None and known.temporary

    def work(transaction: Transaction) -> Session:
        now = transaction.now
        expires = now + hours * 3_600_000
        made = Session(uuid7(now), officer, terminal.terminal, now, expires, None, must_change=must_change)
        row = {
            "facility": officer.facility,
            "session": made.session,
            "officer": officer.officer,
            "terminal": made.terminal,
            "started_at": made.started_at,
            "expires_at": made.expires_at,
            "ended_at": None,
        }
        transaction.insert(tables.sessions, [row])
        if known is not None:
            officers.proved(transaction, known, terminal.terminal)
        facts = {"officer": officer.officer, "terminal": made.terminal, "session": made.session}
        append(transaction, "session.started", facts)
        return made

    return door.write(officer.facility, work)


def end(door: Door, session: Session) -> None:
    """Ends a session; a second time changes nothing."""

    def work(transaction: Transaction) -> None:
        row = {"f": session.officer.facility, "s": session.session}
        ended = transaction.connection.execute(_ONE, row).one().ended_at
        if ended is None:
            transaction.execute(_END, row | {"now": transaction.now})
            append(transaction, "session.ended", {"session": session.session})

    door.write(session.officer.facility, work)


def refresh(door: Door, ticket: Ticket, key: str) -> tuple[Session, int]:
    """The session of a refresh token and the generation that follows it, for the terminal's present key.

    While the server is behind, and writes nothing, the generation stays: who reads goes on reading. Raises Problem
    ``session.missing``, ``session.expired``, ``incarnation.frozen``, and those of ``terminals.barred``.
    """

    def work(transaction: Transaction) -> tuple[Session, int] | None:
        row = transaction.connection.execute(_ONE, {"f": ticket.facility, "s": ticket.session}).one_or_none()
        session = _alive(row, ticket.key, key, transaction.now)
        assert row is not None
        this = {"f": ticket.facility, "s": ticket.session}
        if ticket.generation < row.generation - 1:
            transaction.execute(_END, this | {"now": transaction.now})
            append(transaction, "session.reused", {"session": ticket.session, "generation": ticket.generation})
            return None
        following = ticket.generation + 1
        if following != row.generation:
            transaction.execute(_ADVANCE, this | {"new_generation": following})
            append(transaction, "session.refreshed", {"session": ticket.session, "generation": following})
        return session, following

    try:
        found = door.write(ticket.facility, work)
    except UnknownFacility:
        raise Problem("session.missing") from None
    except Problem as problem:
        if problem.code != "server.behind":
            raise
        found = _unchanged(door, ticket, key)
    if found is None:
        raise Problem("session.expired")
    return found


def _unchanged(door: Door, ticket: Ticket, key: str) -> tuple[Session, int] | None:
    with door.store.reading() as connection:
        row = connection.execute(_ONE, {"f": ticket.facility, "s": ticket.session}).one_or_none()
    session = _alive(row, ticket.key, key, door.clock.now())
    assert row is not None
    return None if ticket.generation < row.generation - 1 else (session, ticket.generation)


def _alive(row: Any, bound: object, key: str, now: int) -> Session:
    """The session of a row, if it lives and is asked for by the key that its token is bound to and its terminal holds.

    Raises Problem ``session.missing``, ``session.expired``, ``incarnation.frozen``, and those of ``terminals.barred``.
    """
    if bound != key or row is None or not row.active:
        raise Problem("session.missing")
    if (problem := barred(row.state)) is not None:
        raise problem
    if row.state == FROZEN or row.thumbprint != key:
        raise ended(row.state, row.incarnation)
    if row.ended_at is not None or row.expires_at <= now:
        raise Problem("session.expired")
    return _session(row)


class Sessions:
    """Reads sessions with their officers and terminals."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._one = store.prepare(_ONE)
        self._officers = store.prepare(
            select(tables.officers).where(_O.facility == bindparam("f"), store.among(_O.officer, "ids"))
        )
        self._several = store.prepare(_JOINED.where(_S.facility == bindparam("f"), store.among(_S.session, "ids")))

    def present(self, claims: dict[str, Any], key: str, now: int) -> Session:
        """The session that a token speaks of, if it is alive and the proof was made by its terminal's present key.

        Raises Problem ``session.missing``, ``session.expired``, ``incarnation.frozen``, and those of ``terminals.barred``.
        """
        with self._store.reading() as connection:
            row = self._one.first(connection, {"f": claims["fac"], "s": claims["sid"]})
        return _alive(row, claims["cnf"].get("jkt"), key, now)

    def lost(self, connection: Connection, facility: str, named: Mapping[str, tuple[str, str]]) -> dict[str, Session]:
        """Sessions (id → officer, terminal) that a restore has lost, as far as their officers exist: without times."""
        ids = self._store.listed({officer for officer, _ in named.values()})
        rows = self._officers.all(connection, {"f": facility, "ids": ids})
        known = {row.officer: row for row in rows}
        return {
            session: Session(
                session, officers.of_row(known[officer]), terminal, 0, 0, None, known[officer].revoked_at,
                posted_at=known[officer].posted_at,
            )
            for session, (officer, terminal) in named.items()
            if officer in known
        }  # fmt: skip

    def several(self, connection: Connection, facility: str, sessions: list[str]) -> dict[str, Session]:
        """Sessions by id; those that do not exist are left out."""
        rows = self._several.all(connection, {"f": facility, "ids": self._store.listed(sessions)})
        return {row.session: _session(row) for row in rows}
