"""Which posts an officer held, and since when: who may write is judged by the posts of the moment, as wards are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from backend.audit.log import append
from backend.domain.posts import HELD, Post
from backend.identity.officers import UnknownOfficer
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction
from backend.storage.engine import Store

_P, _O = tables.postings.c, tables.officers.c


@dataclass(frozen=True, slots=True)
class Posting:
    """The posts (values of Post) that an officer held from ``since`` (milliseconds) on, until the next one."""

    since: int
    posts: tuple[str, ...]


class Postings:
    """Reads postings."""

    def __init__(self, store: Store) -> None:
        self._store = store
        his = (_P.facility == bindparam("f"), store.among(_P.officer, "officers"))
        self._every = store.prepare(select(_P.officer, _P.since, _P.posts).where(*his).order_by(_P.officer, _P.since))

    def read(self, connection: Connection, facility: str, officers: Iterable[str]) -> dict[str, list[Posting]]:
        """All postings that these officers ever had, the oldest first."""
        asked = {"f": facility, "officers": self._store.listed(sorted(set(officers)))}
        found: dict[str, list[Posting]] = {}
        for officer, since, posts in self._every.tuples(connection, asked):
            found.setdefault(officer, []).append(Posting(since, tuple(posts.split())))
        return found


def known_posts(posts: Sequence[str]) -> tuple[Post, ...]:
    """Posts as an officer may hold them, in the order of Post. Raises Problem ``field.invalid`` at ``posts``."""
    if not posts or not set(posts) <= set(HELD) or len(set(posts)) < len(posts):
        raise Problem("field.invalid", "posts")
    return tuple(post for post in HELD if post in posts)


def change_posts(door: Door, facility: str, officer: str, posts: Sequence[str], by: str) -> None:
    """Gives an officer other posts from now on; the same ones change nothing. ``by``: an officer's id, or ``console``.

    Raises UnknownOfficer, and Problem ``field.invalid`` at ``posts``.
    """
    wanted = known_posts(posts)
    his = (_O.facility == facility, _O.officer == officer)

    def work(transaction: Transaction) -> None:
        had = transaction.connection.execute(select(_O.posts).where(*his, _O.posts != Post.SYS)).scalar_one_or_none()
        if had is None:
            raise UnknownOfficer(officer)
        if set(had.split()) == set(wanted):
            return
        words = " ".join(wanted)
        transaction.execute(update(tables.officers).where(*his).values(posts=words, posted_at=transaction.now))
        _post(transaction, {"facility": facility, "officer": officer, "since": transaction.now}, words)
        append(transaction, "officer.posted", {"officer": officer, "posts": list(wanted), "by": by})

    door.write(facility, work)


def _post(transaction: Transaction, key: dict[str, Any], words: str) -> None:
    """The row of a moment; of two changes in one millisecond the second stands."""
    same = [_P[name] == value for name, value in key.items()]
    if transaction.connection.execute(select(_P.posts).where(*same)).first() is None:
        transaction.execute(insert(tables.postings), key | {"posts": words})
    else:
        transaction.execute(update(tables.postings).where(*same).values(posts=words))
