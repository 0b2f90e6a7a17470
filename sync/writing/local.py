"""The server as a terminal: what is done at a desk or by the server itself is an operation like any other.

It has a chain of its own in each facility, so that a desk's act is numbered, hashed, audited, versioned and given to
terminals exactly as a handheld's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import bindparam, select

from backend.audit.log import anchor_of
from backend.domain.calendars import HOUR_MS
from backend.duty.engine.family import Act as Deed
from backend.identity import facilities, sessions, system
from backend.identity.officers import Officer
from backend.identity.sessions import Session
from backend.identity.terminals import Terminal
from backend.imports.draft import Draft, First
from backend.kernel.clock import to_text
from backend.kernel.framing import Frame, link
from backend.kernel.ids import uuid7
from backend.records.registry import kinds
from backend.storage import tables
from backend.storage.door import Door, Transaction
from sync.judging.accept import Acceptance, Operation
from sync.writing.commit import Commits
from sync.writing.jobs import Job
from sync.writing.standing import Act, Standing

__all__ = ["Act", "Desk"]

_R = tables.records.c


_SERVED_HOURS = 24 * 30
"""How long a session of the system lasts that its acts share."""


class Desk:
    """Does acts for officers on the server's own chain of each facility."""

    def __init__(self, door: Door, commits: Commits, acceptance: Acceptance) -> None:
        self._door = door
        self._commits = commits
        self._acceptance = acceptance
        self._boot = uuid7(door.clock.now())
        here = (_R.facility == bindparam("f"), _R.id == bindparam("id"))
        self._record = door.store.prepare(select(_R.body).where(*here))
        self._standing = Standing(door.store)
        self._served: dict[str, Session] = {}

    def act(self, officer: Officer, acts: Sequence[Act]) -> list[dict[str, Any]]:
        """Does several acts in order, in one transaction; returns their outcomes."""
        acts = [self._looked(officer.facility, act) for act in acts]
        return self._do(officer, acts, None)

    def serve(self, facility: str, deeds: Sequence[Deed], first: First | None = None) -> list[dict[str, Any] | None]:
        """Does what the server itself has to do, in order and in one transaction with what ``first`` writes; returns the
        outcome of each, None for those that have no sense on their records as they stand.

        Each rests on its record as it stands under the facility's lock, after those before it. One that is refused stops
        no other. Raises Problem ``server.busy``, ``server.behind``, and what ``first`` raises; nothing is written then.
        """
        terminal, session = facilities.server(self._door.store, facility), self._session(facility)
        acts: list[Act | None] = []

        def whole(transaction: Transaction) -> None:
            if first is not None:
                first(transaction)
            acts[:] = self._standing.rest(transaction.connection, facility, deeds)

        job = Job(
            facility, terminal.terminal, terminal.incarnation,
            lambda end: self._build(end, session.session, session.officer.officer, [act for act in acts if act]),
            whole=whole, lenient=True,
        )  # fmt: skip
        outcomes = iter(self._commits.submit(job).outcomes)
        return [None if act is None else orjson.loads(next(outcomes)) for act in acts]

    def _session(self, facility: str) -> Session:
        """The system's own session, which lasts over many acts."""
        kept, now = self._served.get(facility), self._door.clock.now()
        if kept is None or kept.expires_at - HOUR_MS < now:
            officer = system.ensure(self._door, facility)
            kept = sessions.start(self._door, facilities.server(self._door.store, facility), officer, _SERVED_HOURS)
            self._served[facility] = kept
        return kept

    def make(self, officer: Officer, drafts: Sequence[Draft], first: First) -> None:
        """Makes all the records of some drafts, or none (``backend.imports.draft.Make``)."""
        self._do(officer, [Act(each.kind, each.verb, each.record, each.fields) for each in drafts], first)

    def _do(self, officer: Officer, acts: Sequence[Act], whole: First | None) -> list[dict[str, Any]]:
        terminal = facilities.server(self._door.store, officer.facility)
        session = sessions.start(self._door, terminal, officer, hours=1)
        job = Job(
            officer.facility, terminal.terminal, terminal.incarnation,
            lambda end: self._build(end, session.session, officer.officer, acts), whole=whole,
        )  # fmt: skip
        return [orjson.loads(outcome) for outcome in self._commits.submit(job).outcomes]

    def _looked(self, facility: str, act: Act) -> Act:
        """The act with what is to be seen of its record, where its verb compares and the officer did not say."""
        verb = kinds()[act.kind].verbs[act.verb]
        compared = verb.compared(act.fields)
        if act.seen is not None or not compared:
            return act
        with self._door.store.reading() as connection:
            row = self._record.first(connection, {"f": facility, "id": act.record})
        shown = orjson.loads(row.body) if row is not None else {"doc": None, "state": None}
        doc = {"state": shown["state"]} | (shown["doc"] or {})
        return replace(act, seen={name: doc.get(name) for name in compared})

    def _build(self, end: Terminal, session: str, officer: str, acts: Sequence[Act]) -> list[Operation]:
        built, prior, n = [], end.last_hash, end.last_n
        anchor = anchor_of(facilities.one(self._door.store, end.facility).head)
        for act in acts:
            n += 1
            raw = orjson.dumps(self._say(end, n, (session, officer), act, anchor))
            prior = link(prior, n, raw)
            built.append(self._acceptance.accept(Frame(n, prior, raw), end.terminal, end.incarnation))
        return built

    def _say(self, end: Terminal, n: int, who: tuple[str, str], act: Act, anchor: dict[str, Any]) -> dict[str, Any]:
        now = self._door.clock.now()
        at = to_text(now if act.at is None else act.at)
        seen = {} if act.seen is None else {"seen": act.seen}
        return seen | {
            "op": uuid7(now),
            "terminal": end.terminal,
            "incarnation": end.incarnation,
            "n": n,
            "kind": act.kind,
            "schema": kinds()[act.kind].version,
            "verb": act.verb,
            "record": act.record,
            "base": act.base,
            "after": [],
            "officer": who[1],
            "session": who[0],
            "observed_at": at,
            "recorded_at": at,
            "clock": {"boot": self._boot, "monotonic": time.monotonic_ns() // 1_000_000},
            "anchor": anchor,
            "signoff": None,
            "attachments": [],
            "fields": act.fields,
        }
