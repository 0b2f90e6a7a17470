"""The server as an officer: in its name duties are issued and closed. One in each facility, at the post SYS that no person
holds.

It is no member of the staff: it is in no list of officers, its number cannot be typed, it has no secret, and it cannot be
given posts or wards, reset or revoked.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from backend.audit.log import append
from backend.domain.posts import Post
from backend.identity.officers import Officer, of_row
from backend.kernel.ids import uuid7
from backend.storage import tables
from backend.storage.door import Door, Transaction

NUMBER = " system"
"""A number that nobody can have: those of people have no blanks."""
NAME = "系统 system"
NO_SECRET = "!"  # noqa: S105 - not the hash of anything
_O = tables.officers.c
_IT = select(tables.officers).where(_O.facility == bindparam("f"), _O.number == NUMBER)


def ensure(door: Door, facility: str) -> Officer:
    """The facility's system officer, who is entered if there is none yet, with the leaf ``officer.added``."""
    with door.store.reading() as connection:
        row = connection.execute(_IT, {"f": facility}).one_or_none()
    return of_row(row) if row is not None else door.write(facility, _enter)


def _enter(transaction: Transaction) -> Officer:
    row = transaction.connection.execute(_IT, {"f": transaction.facility}).one_or_none()
    if row is not None:  # another process was first
        return of_row(row)
    officer = Officer(transaction.facility, uuid7(transaction.now), NUMBER, NAME, (Post.SYS.value,))
    transaction.insert(tables.officers, [_row(officer)])
    posting = {
        "facility": officer.facility,
        "officer": officer.officer,
        "since": transaction.now,
        "posts": Post.SYS.value,
    }
    transaction.insert(tables.postings, [posting])
    append(
        transaction, "officer.added", {"officer": officer.officer, "posts": [Post.SYS], "places": [], "by": "server"}
    )
    return officer


def _row(officer: Officer) -> dict[str, Any]:
    """Not active: whatever is tried as its secret is compared with nothing."""
    return {
        "facility": officer.facility,
        "officer": officer.officer,
        "number": officer.number,
        "name": officer.name,
        "posts": Post.SYS.value,
        "secret": NO_SECRET,
        "active": False,
        "failures": 0,
        "locked_until": 0,
        "temporary": False,
    }
