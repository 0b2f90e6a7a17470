"""Incarnations: a terminal whose chain has forked, or whose store is an older copy, begins again with another key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import Connection, select, update

from backend.audit.log import append
from backend.identity import proofs, terminals
from backend.identity.terminals import ACTIVE, FROZEN, Terminal
from backend.kernel.framing import genesis
from backend.kernel.keys import thumbprint
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction
from backend.storage.engine import Store

FORK, RESTORED = "fork", "restored"
REASONS = (FORK, RESTORED)
_T, _I = tables.terminals.c, tables.incarnations.c


@dataclass(frozen=True, slots=True)
class Issued:
    """An incarnation that was given to a key; ``genesis`` is the hash before its first operation."""

    facility: str
    terminal: str
    incarnation: int
    genesis: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """What a terminal asks with: its next key, that key's proof of itself, and one of REASONS."""

    jwk: dict[str, str]
    proof: str
    reason: str


def key_of(store: Store, terminal: str, incarnation: int) -> tuple[str, dict[str, str]]:
    """Facility and key (JWK) of an incarnation, the present one or one that has ended.

    Raises Problem ``terminal.unknown``, also for the server's own terminal: nobody pushes for that.
    """
    present = select(_T.facility, _T.jwk).where(_T.terminal == terminal, _T.incarnation == incarnation)
    past = select(_I.facility, _I.jwk).where(_I.terminal == terminal, _I.incarnation == incarnation)
    with store.reading() as connection:
        row = connection.execute(present).first() or connection.execute(past).first()
        ours = row is not None and terminals.is_server(connection, terminal)
    if row is None or ours:
        raise Problem("terminal.unknown")
    return row.facility, orjson.loads(row.jwk)


def end_of(connection: Connection, present: Terminal, incarnation: int) -> Terminal:
    """A terminal as it was at the end of an incarnation: the present one's, or an earlier one's (``safe_n`` is 0)."""
    if incarnation == present.incarnation:
        return present
    here = (_I.facility == present.facility, _I.terminal == present.terminal, _I.incarnation == incarnation)
    row = connection.execute(select(tables.incarnations).where(*here)).one()
    return replace(
        present, thumbprint=row.thumbprint, jwk=orjson.loads(row.jwk), incarnation=incarnation,
        last_n=row.last_n, last_hash=row.last_hash, top_n=row.top_n, captured=row.captured, safe_n=0,
    )  # fmt: skip


def issue(door: Door, key: str, request: Request) -> Issued:
    """Gives a terminal its next incarnation. ``key``: the thumbprint that asks, of the incarnation which ends.

    The same key for the same incarnation gets the same again, whatever has come since. Raises Problem
    ``terminal.unknown``, that of ``terminals.barred``, ``proof.invalid``, ``incarnation.taken`` when another key was given the
    next incarnation, and ``request.invalid`` for a key that is in use.
    """
    with door.store.reading() as connection:
        found = terminals.holder(connection, key)
    if found is None:
        raise Problem("terminal.unknown")
    terminal = found.terminal
    new = proofs.check_key(request.proof, request.jwk, terminal.terminal)

    def work(transaction: Transaction) -> Issued:
        now = terminals.holder(transaction.connection, key)
        assert now is not None
        if now.incarnation != now.terminal.incarnation:
            return _again(transaction, now.terminal, now.incarnation + 1, new)
        problem = terminals.barred(now.terminal.state)
        if problem is not None:
            raise problem
        if terminals.holder(transaction.connection, new) is not None:
            raise Problem("request.invalid", "jwk", errors=(Problem("field.invalid", "jwk"),))
        return _begin(transaction, now.terminal, request)

    return door.write(terminal.facility, work)


def _again(transaction: Transaction, terminal: Terminal, incarnation: int, new: str) -> Issued:
    """What was issued before, to the key that it was issued to."""
    given = end_of(transaction.connection, terminal, incarnation)
    if given.thumbprint != new:
        raise Problem("incarnation.taken" if terminal.state in (ACTIVE, FROZEN) else "terminal.revoked")
    return _issued(given)


def _begin(transaction: Transaction, end: Terminal, request: Request) -> Issued:
    key = thumbprint(request.jwk)
    number = end.incarnation + 1
    start = genesis(end.facility, end.terminal, number, key)
    transaction.insert(tables.incarnations, [_ended(end, request.reason, transaction.now)])
    new: dict[str, Any] = {
        "thumbprint": key,
        "jwk": orjson.dumps(request.jwk).decode(),
        "state": ACTIVE,
        "incarnation": number,
        "last_n": 0,
        "last_hash": start,
        "captured": 0,
        "top_n": 0,
        "safe_n": 0,
    }
    here = (_T.facility == end.facility, _T.terminal == end.terminal)
    transaction.execute(update(tables.terminals).where(*here).values(**new))
    origin = {"incarnation": end.incarnation, "n": end.last_n}
    facts = {"terminal": end.terminal, "incarnation": number, "key": key, "reason": request.reason, "from": origin}
    append(transaction, "incarnation.issued", facts)
    return Issued(end.facility, end.terminal, number, start)


def _ended(end: Terminal, reason: str, now: int) -> dict[str, Any]:
    return {
        "facility": end.facility,
        "terminal": end.terminal,
        "incarnation": end.incarnation,
        "thumbprint": end.thumbprint,
        "jwk": orjson.dumps(end.jwk).decode(),
        "last_n": end.last_n,
        "last_hash": end.last_hash,
        "top_n": end.top_n,
        "captured": end.captured,
        "why": FORK if end.state == FROZEN else reason,
        "ended_at": now,
    }


def _issued(end: Terminal) -> Issued:
    start = genesis(end.facility, end.terminal, end.incarnation, end.thumbprint)
    return Issued(end.facility, end.terminal, end.incarnation, start)
