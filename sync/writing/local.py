"""The server as a terminal: what is done at a desk or by the server itself is an operation like any other.

It has a chain of its own in each facility, so that a desk's act is numbered, hashed, audited, versioned and given to
terminals exactly as a handheld's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import bindparam, select

from backend.audit.log import anchor_of
from backend.identity import facilities, sessions
from backend.identity.officers import Officer
from backend.identity.terminals import Terminal
from backend.imports.draft import Draft, First
from backend.kernel.clock import to_text
from backend.kernel.framing import Frame, link
from backend.kernel.ids import uuid7
from backend.records.registry import kinds
from backend.storage import tables
from backend.storage.door import Door
from sync.judging.accept import Acceptance, Operation
from sync.writing.commit import Commits
from sync.writing.jobs import Job

_R = tables.records.c


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to do: a verb of a kind on a record.

    ``base`` is 0 when it creates. ``seen``: what the officer saw in the fields that the verb edits or watches; None: the
    record as it stands.
    """

    kind: str
    verb: str
    record: str
    fields: Mapping[str, Any]
    base: int = 0
    seen: Mapping[str, Any] | None = None


class Desk:
    """Does acts for officers on the server's own chain of each facility."""

    def __init__(self, door: Door, commits: Commits, acceptance: Acceptance) -> None:
        self._door = door
        self._commits = commits
        self._acceptance = acceptance
        self._boot = uuid7(door.clock.now())
        here = (_R.facility == bindparam("f"), _R.id == bindparam("id"))
        self._record = door.store.prepare(select(_R.body).where(*here))

    def act(self, officer: Officer, acts: Sequence[Act]) -> list[dict[str, Any]]:
        """Does several acts in order, in one transaction; returns their outcomes."""
        acts = [self._looked(officer.facility, act) for act in acts]
        return self._do(officer, acts, None)

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
            "observed_at": to_text(now),
            "recorded_at": to_text(now),
            "clock": {"boot": self._boot, "monotonic": time.monotonic_ns() // 1_000_000},
            "anchor": anchor,
            "signoff": None,
            "attachments": [],
            "fields": act.fields,
        }
