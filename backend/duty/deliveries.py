"""Receipts of duties that ring, and what happens without one: after 60 seconds the next in the chain is told.

``pending`` is pure; ``Courier`` reads what it needs and has it done (by ``sync``'s desk, which is handed in).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select

from backend.domain.posts import Post
from backend.duty.engine.family import Act
from backend.facts.deliveries import Deliveries, Receipt
from backend.facts.duties import Duties, Duty
from backend.facts.rosters import Rosters
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Transaction
from backend.storage.engine import Store

_R = tables.records.c
PATIENCE_MS = 60_000
"""How long there is for a receipt (the brief of the product)."""
LEADERS = (Post.LEAD.value, Post.DIR.value)
"""Who is told where a chain has nobody left (local default)."""
Do = Callable[[str, Sequence[Act], Callable[[Transaction], None]], object]
"""Does acts as the system, in one transaction with what the last argument does (``sync``'s desk)."""


def pending(waiting: Iterable[Duty], receipts: Mapping[str, Sequence[Receipt]], now: int) -> list[Act]:
    """What is to be noted of some duties: a receipt, or that the next is told. ``receipts`` by duty, of those it asks."""
    acts = []
    for duty in waiting:
        got = [each for each in receipts.get(duty.id, ()) if each.seq >= duty.seq]
        since = max(duty.opens, duty.moved)
        if got:
            first = min(got, key=lambda each: (each.at, each.terminal))
            acts.append(_act(duty, "deliver", {"terminal": first.terminal, "officer": first.officer}, now))
        elif now >= since + PATIENCE_MS and (rung := _next(duty)) is not None:
            acts.append(_act(duty, "escalate", rung, now))
    return acts


def _act(duty: Duty, verb: str, fields: Mapping[str, Any], now: int) -> Act:
    return Act("duty", verb, duty.id, fields, now)


def _next(duty: Duty) -> dict[str, Any] | None:
    """The next rung of its chain whose posts have not been told; after the last, leaders; None: all have been."""
    told = {*duty.doc["posts"], *duty.doc["raised"]}
    level = duty.doc["level"]
    rungs = [rung["posts"] for rung in duty.doc["chain"]] + [[post] for post in LEADERS]
    for at, posts in enumerate(rungs, 1):
        if not told.issuperset(posts):
            return {"posts": posts, "level": min(max(level, at), 8)}
    return None


def silent(duty: Duty, now: int) -> bool:
    """It rings, is open, and nobody has received it yet: what the courier looks after."""
    return bool(duty.doc["loud"] and duty.opens <= now and duty.state == "issued" and not duty.delivered)


class Courier:
    """Looks after the duties of facilities that ring. May run in several processes: what one has noted the other sees."""

    def __init__(self, store: Store, duties: Duties, rosters: Rosters, do: Do) -> None:
        self._store = store
        self._duties, self._rosters = duties, rosters
        self._deliveries = Deliveries(store)
        self._do = do
        several = (_R.facility == bindparam("f"), store.among(_R.id, "ids"))
        self._versions = store.prepare(select(_R.id, _R.version).where(*several))

    def tend(self, facility: str, now: int) -> int:
        """Notes what is pending in a facility; how much that was. Raises Problem ``server.busy``, ``state.changed``."""
        with self._store.reading() as connection:
            waiting = [duty for duty in self._duties.every(connection, facility, now) if silent(duty, now)]
            receipts = {duty.id: self._received(connection, facility, duty, now) for duty in waiting}
        acts = pending(waiting, receipts, now)
        if acts:
            self._do(facility, acts, lambda transaction: self._check(transaction, waiting))
        return len(acts)

    def _check(self, transaction: Transaction, waiting: Iterable[Duty]) -> None:
        """Another process may have been faster, or an officer: then nothing is done, and it is looked again."""
        known = {duty.id: duty.version for duty in waiting}
        asked = {"f": transaction.facility, "ids": self._store.listed(sorted(known))}
        if dict(self._versions.tuples(transaction.connection, asked)) != known:
            raise Problem("state.changed")

    def _received(self, connection: Connection, facility: str, duty: Duty, now: int) -> list[Receipt]:
        roster = self._rosters.read(connection, facility)
        serving = {stint.officer for stint in roster.on_duty(now, duty.posts, duty.place)}
        named = {duty.doc["officer"]} if duty.doc["officer"] else set()
        return self._deliveries.newest(connection, facility, serving | named, now)
