"""Officers as their administrator sees them: who is there, who is added, what is corrected."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from backend.audit.log import append
from backend.audit.views import pages
from backend.domain.posts import Post
from backend.identity import assignments, credentials, officers, postings
from backend.identity.officers import NewOfficer, Officer, UnknownOfficer
from backend.kernel.ids import uuid7
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction

NUMBER = re.compile(r"[^\s\x00-\x1f\x7f]{1,32}")
"""A number as it is typed at a sign-in: no blanks."""
NAME = re.compile(r"[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,78}[^\s\x00-\x1f\x7f])?")
"""A name: no blanks at its ends, no control characters."""
_O = tables.officers.c


@dataclass(frozen=True, slots=True)
class Entry:
    """An officer. ``revoked_at`` in milliseconds; ``temporary``: he has not changed the secret that he was given."""

    officer: Officer
    revoked_at: int | None
    temporary: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """Who is to be added. ``places``: what he is made responsible for from now on."""

    number: str
    name: str
    posts: Sequence[str]
    places: Sequence[str] = ()


def page(connection: Connection, facility: str, after: str | None, limit: int) -> tuple[list[Entry], str | None]:
    """Officers by their numbers, and the next page's cursor. Raises Problem ``field.invalid`` for a cursor that no page
    has given."""
    behind = pages.beyond((_O.number,), pages.opened(after, (str,)))
    people = (_O.facility == facility, _O.posts != Post.SYS)
    wanted = select(tables.officers).where(*people, behind).order_by(_O.number).limit(limit + 1)
    kept, then = pages.cut(connection.execute(wanted).all(), limit, lambda row: (row.number,))
    return [Entry(officers.of_row(row), row.revoked_at, row.temporary) for row in kept], then


def register(door: Door, facility: str, candidate: Candidate, by: str) -> NewOfficer:
    """Adds an officer with a temporary secret, which is told once.

    ``by``: an officer's id, or ``console``. Raises Problem ``officer.exists``, ``reference.unknown`` for a place that is not
    or is no more, ``field.invalid`` for a number, a name or posts that cannot be.
    """
    new = checked(candidate, uuid7(door.clock.now()))

    def first(transaction: Transaction) -> None:
        same = select(_O.officer).where(_O.facility == facility, _O.number == new.number)
        if transaction.connection.execute(same).first() is not None:
            raise Problem("officer.exists", "number")
        for place in new.places:
            assignments.check_place(transaction, place, "places")

    officers.add(door, facility, [new], first=first, by=by)
    return new


def checked(candidate: Candidate, officer: str) -> NewOfficer:
    """A candidate with a temporary secret. Raises Problem ``field.invalid``."""
    for field, form, text in (("number", NUMBER, candidate.number), ("name", NAME, candidate.name)):
        if not form.fullmatch(text):
            raise Problem("field.invalid", field)
    posts = postings.known_posts(candidate.posts)
    places = tuple(dict.fromkeys(candidate.places))
    secret = credentials.temporary()
    return NewOfficer(officer, candidate.number, candidate.name, posts, secret, places, temporary=True)


def change(
    door: Door, facility: str, officer: str, by: str, *, name: str | None = None, posts: Sequence[str] | None = None
) -> None:
    """Corrects an officer's name, gives him other posts, or both; what is as it was changes nothing.

    Raises UnknownOfficer, and Problem ``field.invalid``, ``record.state`` for an officer who is revoked.
    """
    if name is not None and not NAME.fullmatch(name):
        raise Problem("field.invalid", "name")
    wanted: Sequence[Post] | None = None if posts is None else postings.known_posts(posts)

    def work(transaction: Transaction) -> None:
        his = (_O.facility == facility, _O.officer == officer, _O.posts != Post.SYS)
        row = transaction.connection.execute(select(_O.name, _O.revoked_at).where(*his)).one_or_none()
        if row is None:
            raise UnknownOfficer(officer)
        if row.revoked_at is not None:
            raise Problem("record.state", "officer", state="revoked")
        if name is not None and name != row.name:
            transaction.execute(update(tables.officers).where(*his).values(name=name))
            append(transaction, "officer.renamed", {"officer": officer, "by": by})

    door.write(facility, work)
    if wanted is not None:
        postings.change_posts(door, facility, officer, wanted, by)
