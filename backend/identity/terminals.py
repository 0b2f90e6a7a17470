"""Terminals: one-time codes, enrolment, and the end of each chain."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, insert, select, update

from backend.audit.log import append
from backend.kernel.framing import genesis
from backend.kernel.ids import sha256, uuid7
from backend.kernel.keys import thumbprint
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction
from backend.storage.engine import Store

CODE_MINUTES = 30
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 12
ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal with the end of its chain. ``captured`` is the highest number it has reported."""

    facility: str
    terminal: str
    label: str
    thumbprint: str
    jwk: dict[str, str]
    state: str
    incarnation: int
    last_n: int
    last_hash: bytes
    captured: int


_T = tables.terminals.c
_BY_ID = select(tables.terminals).where(_T.terminal == bindparam("terminal"))
_BY_THUMBPRINT = select(tables.terminals).where(_T.thumbprint == bindparam("thumbprint"))


def _terminal(row: Any) -> Terminal:
    return Terminal(
        row.facility, row.terminal, row.label, row.thumbprint, orjson.loads(row.jwk), row.state,
        row.incarnation, row.last_n, row.last_hash, row.captured,
    )  # fmt: skip


def by_id(store: Store, terminal: str) -> Terminal:
    """Raises Problem ``terminal.unknown``."""
    with store.reading() as connection:
        row = connection.execute(_BY_ID, {"terminal": terminal}).one_or_none()
    if row is None:
        raise Problem("terminal.unknown")
    return _terminal(row)


def by_thumbprint(store: Store, key: str) -> Terminal:
    """The active terminal that holds a key. Raises Problem ``terminal.unknown`` or ``terminal.revoked``."""
    with store.reading() as connection:
        row = connection.execute(_BY_THUMBPRINT, {"thumbprint": key}).first()
    if row is None:
        raise Problem("terminal.unknown")
    if row.state != ACTIVE:
        raise Problem("terminal.revoked")
    return _terminal(row)


class Ends:
    """Reads the present chain ends of several terminals at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        wanted = select(tables.terminals).where(_T.facility == bindparam("f"), store.among(_T.terminal, "ids"))
        self._read = store.prepare(wanted)

    def read(self, connection: Connection, facility: str, terminals: list[str]) -> dict[str, Terminal]:
        """Ends by terminal; those that are not enrolled in the facility are left out."""
        rows = self._read.all(connection, {"f": facility, "ids": self._store.listed(terminals)})
        return {row.terminal: _terminal(row) for row in rows}


def normalise(code: str) -> str:
    """A code as typed → as made: upper case, no hyphens or spaces, O and I, L read as 0 and 1."""
    typed = "".join(sign for sign in code.upper() if sign not in "- ")
    return typed.translate(str.maketrans("OIL", "011"))


def _digest(code: str) -> bytes:
    return sha256(b"roundsman/code/1\n", normalise(code).encode("utf-8", "replace"))


def make_code(door: Door, facility: str, by: str) -> tuple[str, int]:
    """A fresh one-time code ``XXXX-XXXX-XXXX`` and the moment at which it ends. Only its digest is kept."""
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))

    def work(transaction: Transaction) -> int:
        expires = transaction.now + CODE_MINUTES * 60_000
        row = {"digest": _digest(code), "facility": facility, "expires_at": expires, "thumbprint": None}
        transaction.insert(tables.enrolment_codes, [row])
        append(transaction, "code.made", {"by": by, "expires": expires})
        return expires

    expires = door.write(facility, work)
    return "-".join(code[at : at + 4] for at in range(0, _LENGTH, 4)), expires


def enrol(door: Door, code: str, label: str, jwk: dict[str, str]) -> Terminal:
    """Uses a code for a key. The same code with the same key gives the same terminal again.

    Raises Problem ``code.invalid``.
    """
    codes, key = tables.enrolment_codes, thumbprint(jwk)
    with door.store.reading() as connection:
        facility = connection.execute(
            select(codes.c.facility).where(codes.c.digest == _digest(code))
        ).scalar_one_or_none()
    if facility is None:
        raise Problem("code.invalid", "code")

    def work(transaction: Transaction) -> None:
        found = transaction.connection.execute(select(codes).where(codes.c.digest == _digest(code))).one()
        if found.thumbprint == key:
            return
        if found.thumbprint is not None or found.expires_at <= transaction.now or _key_known(transaction, key):
            raise Problem("code.invalid", "code")
        transaction.execute(update(codes).where(codes.c.digest == _digest(code)).values(thumbprint=key))
        add(transaction, uuid7(transaction.now), label, jwk)

    door.write(facility, work)
    return by_thumbprint(door.store, key)


def _key_known(transaction: Transaction, key: str) -> bool:
    return transaction.connection.execute(_BY_THUMBPRINT, {"thumbprint": key}).first() is not None


def add(transaction: Transaction, terminal: str, label: str, jwk: dict[str, str]) -> None:
    """A new terminal at incarnation 1, its chain at genesis."""
    key = thumbprint(jwk)
    transaction.execute(
        insert(tables.terminals),
        {
            "facility": transaction.facility,
            "terminal": terminal,
            "label": label,
            "thumbprint": key,
            "jwk": orjson.dumps(jwk).decode(),
            "state": ACTIVE,
            "incarnation": 1,
            "last_n": 0,
            "last_hash": genesis(transaction.facility, terminal, 1, key),
            "captured": 0,
            "enrolled_at": transaction.now,
        },
    )
    append(transaction, "terminal.enrolled", {"terminal": terminal, "incarnation": 1, "key": key})
