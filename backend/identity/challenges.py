"""Challenges: what a second factor is to answer, kept for some minutes. One of a purpose for an officer at a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Connection, delete, insert, select

from backend.identity.sessions import Session
from backend.kernel.ids import uuid7
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.engine import Store
from backend.storage.scratch import scratch

MINUTES = 10
_C = tables.challenges.c


def keep(store: Store, session: Session, purpose: str, body: Mapping[str, Any], now: int) -> str:
    """Keeps what an answer will be held against; returns the challenge's id. An earlier one of the purpose is gone."""
    challenge, officer = uuid7(now), session.officer
    row = {
        "facility": officer.facility,
        "challenge": challenge,
        "officer": officer.officer,
        "terminal": session.terminal,
        "purpose": purpose,
        "body": orjson.dumps(body),
        "until": now + MINUTES * 60_000,
    }
    with scratch(store) as connection:
        connection.execute(delete(tables.challenges).where(_C.until <= now))
        connection.execute(delete(tables.challenges).where(*_his(session), _C.purpose == purpose))
        connection.execute(insert(tables.challenges), row)
    return challenge


def read(connection: Connection, session: Session, purpose: str, challenge: str, now: int) -> dict[str, Any]:
    """What was kept, for the same officer at the same terminal. Raises Problem ``factor.refused``."""
    this = (*_his(session), _C.purpose == purpose, _C.challenge == challenge, _C.until > now)
    body = connection.execute(select(_C.body).where(*this)).scalar_one_or_none()
    if body is None:
        raise Problem("factor.refused", "challenge")
    found: dict[str, Any] = orjson.loads(bytes(body))
    return found


def spend(connection: Connection, session: Session, challenge: str) -> None:
    """It is answered: nobody answers it again."""
    connection.execute(delete(tables.challenges).where(*_his(session), _C.challenge == challenge))


def _his(session: Session) -> tuple[Any, ...]:
    officer = session.officer
    return (_C.facility == officer.facility, _C.officer == officer.officer, _C.terminal == session.terminal)
