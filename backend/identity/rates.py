"""How often something may be tried.

What guesses, signs in or enrols is counted in the shared store, so that several processes count together; the counts
prove nothing and may be lost. Ordinary requests are counted in the process alone: they are many, and only slow.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, update
from sqlalchemy.dialects import postgresql, sqlite

from backend.kernel.ids import b64, sha256
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.engine import Store
from backend.storage.scratch import scratch

MINUTE = 60_000
_MOST_REMEMBERED = 20_000
_R = tables.rates.c


@dataclass(frozen=True, slots=True)
class Limit:
    """``most`` tries within ``span`` milliseconds of the first; 0: any number. ``code``: what is said to one more."""

    most: int
    span: int = MINUTE
    code: str = "rate.limited"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is counted: ``facility`` is empty before one is known."""

    facility: str
    name: str

    @classmethod
    def typed(cls, facility: str, what: str, text: str) -> Subject:
        """Something that somebody typed, by its digest: it may be a secret in the wrong field."""
        return cls(facility, f"{what}/{b64(sha256(text.encode()))}")


def _insert(connection: Connection) -> Any:
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(tables.rates)


def take(connection: Connection, subject: Subject, limit: Limit, now: int) -> None:
    """Counts one try. Raises Problem of the limit's code with ``retry_after``; the transaction must then be given up."""
    if not limit.most:
        return
    over = _R.until <= now
    fresh = {"facility": subject.facility, "subject": subject.name, "count": 1, "until": now + limit.span}
    again = {"count": case((over, 1), else_=_R.count + 1), "until": case((over, now + limit.span), else_=_R.until)}
    counted = (
        _insert(connection).values(fresh).on_conflict_do_update(index_elements=["facility", "subject"], set_=again)
    )
    count, until = connection.execute(counted.returning(_R.count, _R.until)).one()
    if count > limit.most:
        raise Problem(limit.code, retry_after=(until - now) // 1000 + 1)


_THIS = (_R.facility == bindparam("f"), _R.subject == bindparam("s"))


def forgive(connection: Connection, subject: Subject) -> None:
    """Forgets all tries."""
    connection.execute(delete(tables.rates).where(*_THIS), {"f": subject.facility, "s": subject.name})


def give_back(connection: Connection, subject: Subject) -> None:
    """Takes one try back: it was a right one."""
    one_less = update(tables.rates).where(*_THIS, _R.count > 0).values(count=_R.count - 1)
    connection.execute(one_less, {"f": subject.facility, "s": subject.name})


def forget(store: Store, now: int) -> None:
    """Removes counts that are over."""
    with scratch(store) as connection:
        connection.execute(delete(tables.rates).where(_R.until <= bindparam("now")), {"now": now})


class Throttle:
    """So many requests a minute for each name, evenly, with a minute's worth at once. In this process; any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, int]] = {}

    def take(self, name: str, now: int) -> None:
        """Counts one request; ``now`` in milliseconds. Raises Problem ``rate.limited``."""
        if not self._most:
            return
        with self._lock:
            left, since = self._left.get(name, (float(self._most), now))
            left = min(float(self._most), left + max(0, now - since) * self._most / MINUTE)
            if left < 1:
                raise Problem("rate.limited", retry_after=int((1 - left) * MINUTE / self._most) // 1000 + 1)
            if len(self._left) >= _MOST_REMEMBERED:
                self._left.clear()
            self._left[name] = (left - 1, now)
