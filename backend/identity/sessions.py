"""An officer on a terminal: sign-in, access tokens bound to the terminal's key, and the end of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from sqlalchemy import Connection, bindparam, select, update

from backend.audit.log import append
from backend.identity import officers
from backend.identity.officers import Officer
from backend.identity.terminals import ACTIVE, FROZEN, Terminal, ended
from backend.kernel.ids import uuid7
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction
from backend.storage.engine import Store

_ALGORITHM = "HS256"
_MOST_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Session:
    """``started_at``, ``expires_at``, ``ended_at``, ``revoked_at`` (of its officer) in milliseconds."""

    session: str
    officer: Officer
    terminal: str
    started_at: int
    expires_at: int
    ended_at: int | None
    revoked_at: int | None = None


_S, _O, _T = tables.sessions.c, tables.officers.c, tables.terminals.c
_JOINED = (
    select(
        _S.session, _S.terminal, _S.started_at, _S.expires_at, _S.ended_at,
        _O.facility, _O.officer, _O.number, _O.name, _O.posts, _O.active, _O.revoked_at,
        _T.state, _T.incarnation, _T.thumbprint,
    )
    .join(tables.officers, (_O.facility == _S.facility) & (_O.officer == _S.officer))
    .join(tables.terminals, (_T.facility == _S.facility) & (_T.terminal == _S.terminal))
)  # fmt: skip
_ONE = _JOINED.where(_S.facility == bindparam("f"), _S.session == bindparam("s"))


def _session(row: Any) -> Session:
    return Session(
        row.session, officers.of_row(row), row.terminal, row.started_at, row.expires_at, row.ended_at, row.revoked_at
    )  # fmt: skip


def start(door: Door, terminal: Terminal, officer: Officer, hours: int) -> Session:
    """Opens a session for an officer who has proved himself."""

    def work(transaction: Transaction) -> Session:
        now = transaction.now
        made = Session(uuid7(now), officer, terminal.terminal, now, now + hours * 3_600_000, None)
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
        officers.forgive(transaction, officer.officer)
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
            open_one = update(tables.sessions).where(_S.facility == bindparam("f"), _S.session == bindparam("s"))
            transaction.execute(open_one.values(ended_at=transaction.now), row)
            append(transaction, "session.ended", {"session": session.session})

    door.write(session.officer.facility, work)


class Tokens:
    """Access tokens: JWT (RFC 7519) by the server for itself, bound to a key by ``cnf.jkt`` (RFC 9449 §6)."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._read: dict[str, dict[str, Any]] = {}

    def issue(self, session: Session, terminal: Terminal) -> str:
        claims = {
            "fac": session.officer.facility,
            "sid": session.session,
            "sub": session.officer.officer,
            "exp": session.expires_at // 1000,
            "cnf": {"jkt": terminal.thumbprint},
        }
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def read(self, token: str, now: int) -> dict[str, Any]:
        """The claims. Raises Problem ``session.missing`` (not ours) or ``session.expired``."""
        claims = self._read.get(token) or self._verify(token)
        if claims["exp"] * 1000 <= now:
            raise Problem("session.expired")
        return claims

    def _verify(self, token: str) -> dict[str, Any]:
        """The claims of a token that is ours, remembered: the same signature is right each time."""
        try:
            required = ["fac", "sid", "sub", "exp", "cnf"]
            options: Any = {"require": required, "verify_exp": False}
            claims: dict[str, Any] = jwt.decode(token, self._secret, algorithms=[_ALGORITHM], options=options)
        except jwt.PyJWTError:
            raise Problem("session.missing") from None
        if len(self._read) >= _MOST_REMEMBERED:
            self._read.clear()
        self._read[token] = claims
        return claims


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

        Raises Problem ``session.missing``, ``session.expired``, ``terminal.revoked``, ``incarnation.frozen``.
        """
        if claims["cnf"].get("jkt") != key:
            raise Problem("session.missing")
        with self._store.reading() as connection:
            row = self._one.first(connection, {"f": claims["fac"], "s": claims["sid"]})
        if row is None or not row.active:
            raise Problem("session.missing")
        if row.state not in (ACTIVE, FROZEN):
            raise Problem("terminal.revoked")
        if row.state == FROZEN or row.thumbprint != key:
            raise ended(row.state, row.incarnation)
        if row.ended_at is not None or row.expires_at <= now:
            raise Problem("session.expired")
        return _session(row)

    def lost(self, connection: Connection, facility: str, named: Mapping[str, tuple[str, str]]) -> dict[str, Session]:
        """Sessions (id → officer, terminal) that a restore has lost, as far as their officers exist: without times."""
        ids = self._store.listed({officer for officer, _ in named.values()})
        rows = self._officers.all(connection, {"f": facility, "ids": ids})
        known = {row.officer: row for row in rows}
        return {
            session: Session(session, officers.of_row(known[officer]), terminal, 0, 0, None, known[officer].revoked_at)
            for session, (officer, terminal) in named.items()
            if officer in known
        }

    def several(self, connection: Connection, facility: str, sessions: list[str]) -> dict[str, Session]:
        """Sessions by id; those that do not exist are left out."""
        rows = self._several.all(connection, {"f": facility, "ids": self._store.listed(sessions)})
        return {row.session: _session(row) for row in rows}
