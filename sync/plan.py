"""``plan``: a batch and what is known → the rows to write. Pure: no clock, no database, no chance.

Operations are judged in order, each against what the ones before it in the batch have already changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog

from backend.audit.log import leaf
from backend.identity.sessions import Session
from backend.kernel.clock import to_text
from backend.kernel.ids import b64, sha256
from backend.kernel.kind import Deed, Head, Kind, Mark, Policy, Ruling, Verb
from backend.kernel.problems import Problem
from sync.accept import Operation
from sync.state import State

_log = structlog.get_logger(__name__)
_REFUSED = frozenset({"rejected", "quarantined"})
_STATUS = {"record.conflict": "conflict", "server.fault": "quarantined"}
"""Statuses of problems found while judging; all others are rejections."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose chain an operation is on."""

    terminal: str
    incarnation: int


@dataclass(slots=True)
class Rows:
    """What a batch comes to, a list a table, and the leaves in their order."""

    operations: list[dict[str, Any]] = field(default_factory=list)
    new_records: list[dict[str, Any]] = field(default_factory=list)
    changed_records: list[dict[str, Any]] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)
    partitions: dict[str, list[int]] = field(default_factory=dict)
    """Partition → [newest sequence number, records that are new in it]."""
    leaves: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class _View:
    """What a kind's rules may ask (backend.kernel.kind.Known)."""

    state: State
    session: Session

    def record(self, record: str) -> Head | None:
        return self.state.heads.get(record)

    def headcount(self, cell: str) -> int:
        return self.state.register.headcount(cell)

    def posts(self) -> frozenset[str]:
        return frozenset(self.session.officer.posts)


class Planner:
    """Plans one transaction of a facility. ``seq`` is the last sequence number, ``position`` that of the next leaf."""

    def __init__(self, facility: str, state: State, seq: int, position: int, now: int) -> None:
        self._facility = facility
        self.seq = seq
        self.rows = Rows()
        self._state = state
        self._position = position
        self._now = now
        self._now_text = to_text(now)
        self._stored = dict(state.heads)

    def take(self, origin: Origin, operations: Iterable[Operation]) -> list[bytes]:
        """Judges operations of one chain; returns their outcomes as the bytes that are answered and kept."""
        return [self._one(origin, operation) for operation in operations]

    def finish(self) -> Rows:
        """The rows of all that was taken: each record once, at its last version."""
        for record, head in self._state.heads.items():
            before = self._stored.get(record)
            if before is None:
                self.rows.new_records.append(_record_row(self._facility, head))
            elif before is not head:
                self.rows.changed_records.append(_record_row(self._facility, head))
        return self.rows

    def _one(self, origin: Origin, operation: Operation) -> bytes:
        judged = self._judge(origin, operation)
        if isinstance(judged, Problem):
            status = operation.status or _STATUS.get(judged.code, "rejected")
            outcome = {"n": operation.frame.n, "op": operation.op, "status": status, "problem": judged.sentence()}
            return self._keep(origin, operation, status, orjson.dumps(outcome), None)
        proven = self._proven_from(operation.said)
        found = judged.marks if proven is not None else (*judged.marks, Mark("anchor.unknown"))
        marks = [mark.document() for mark in found]
        head = self._apply(origin, operation, judged, marks, proven)
        outcome = {"n": operation.frame.n, "op": operation.op, "status": "applied", "record": head.id}
        said = orjson.dumps(outcome | {"version": head.version, "seq": head.seq, "marks": marks})
        return self._keep(origin, operation, "applied", said, head)

    def _judge(self, origin: Origin, operation: Operation) -> Ruling | Problem:
        if operation.op in self._state.fates:
            return Problem("operation.repeated", "op")
        if operation.problem is not None:
            return operation.problem
        said, kind, verb = operation.said, operation.kind, operation.verb
        assert said is not None and kind is not None and verb is not None
        for needed in said["after"]:
            fate = self._state.fates.get(needed)
            if fate is None or fate in _REFUSED:
                return Problem("dependency.rejected" if fate else "dependency.unknown", "after", op=needed)
        session = self._state.sessions.get(said["session"])
        if session is None or session.terminal != origin.terminal or session.officer.officer != said["officer"]:
            return Problem("officer.unauthorised", "session")
        if not kind.writers & set(session.officer.posts):
            return Problem("officer.unauthorised", "officer")
        head = self._state.heads.get(said["record"])
        return _misplaced(origin, kind, verb, said["base"], head) or self._ask(operation, kind, verb, head, session)

    def _ask(
        self, operation: Operation, kind: Kind, verb: Verb, head: Head | None, session: Session
    ) -> Ruling | Problem:
        said = operation.said
        assert said is not None
        deed = Deed(
            said["op"], said["terminal"], said["record"], said["verb"], said["base"], said["officer"],
            operation.observed_at, operation.recorded_at, self._now, said["fields"],
        )  # fmt: skip
        try:
            return verb.judge(deed, head, _View(self._state, session))
        except Exception:  # noqa: BLE001 - a fault in one kind's rules must not cost another operation
            _log.exception("judge failed", kind=kind.name, verb=said["verb"], op=said["op"])
            return Problem("server.fault")

    def _proven_from(self, said: Any) -> int | None:
        anchor = said["anchor"]
        known = self._state.anchors.get((anchor["epoch"], anchor["size"]))
        return known[1] if known is not None and b64(known[0]) == anchor["root"] else None

    def _apply(
        self, origin: Origin, operation: Operation, ruling: Ruling, marks: list[dict[str, Any]], proven: int | None
    ) -> Head:
        said, kind = operation.said, operation.kind
        assert said is not None and kind is not None
        self.seq += 1
        before = self._state.heads.get(said["record"])
        version = before.version + 1 if before else 1
        officer = self._state.sessions[said["session"]].officer
        body = orjson.dumps(
            {
                "id": said["record"],
                "kind": kind.name,
                "version": version,
                "seq": self.seq,
                "partition": ruling.partition,
                "state": ruling.state,
                "author": {"officer": officer.officer, "name": officer.name},
                "terminal": origin.terminal,
                "op": said["op"],
                "observed_at": said["observed_at"],
                "recorded_at": said["recorded_at"],
                "received_at": self._now_text,
                "proven_from": to_text(proven) if proven is not None else None,
                "marks": marks,
                "signoff": said["signoff"],
                "doc": ruling.doc,
            }
        )
        owner = before.terminal if before else origin.terminal
        place, state = ruling.place, ruling.state
        partition = ruling.partition
        head = Head(said["record"], kind.name, version, self.seq, partition, place, state, owner, body, ruling.doc)
        self._enter(before, head)
        return head

    def _enter(self, before: Head | None, head: Head) -> None:
        if before is not None:
            superseded = {"facility": self._facility, "id": before.id, "version": before.version, "body": before.body}
            self.rows.versions.append(superseded)
        news = self.rows.partitions.setdefault(head.partition, [0, 0])
        news[0] = head.seq
        news[1] += before is None
        self._state.heads[head.id] = head
        self._state.register.applied(before, head)

    def _keep(self, origin: Origin, operation: Operation, status: str, outcome: bytes, head: Head | None) -> bytes:
        frame, op = operation.frame, operation.op
        if op is not None and op in self._state.fates:
            op = None
        elif op is not None:
            self._state.fates[op] = status
        facts: dict[str, Any] = {
            "terminal": origin.terminal,
            "incarnation": origin.incarnation,
            "n": frame.n,
            "op": op,
            "hash": b64(frame.hash),
            "status": status,
            "outcome": b64(sha256(outcome)),
        }
        if head is not None:
            facts |= {"record": head.id, "version": head.version, "row": b64(sha256(head.body))}
        self.rows.leaves.append(leaf("operation", self._now_text, facts))
        row = {
            "facility": self._facility,
            "terminal": origin.terminal,
            "incarnation": origin.incarnation,
            "n": frame.n,
            "op": op,
            "status": status,
            "hash": frame.hash,
            "raw": frame.raw,
            "outcome": outcome,
            "leaf": self._position + len(self.rows.leaves) - 1,
            "received_at": self._now,
        }
        self.rows.operations.append(row)
        return outcome


def _misplaced(origin: Origin, kind: Kind, verb: Verb, base: int, head: Head | None) -> Problem | None:
    """What is wrong between a verb and the record it meets."""
    if verb.creates:
        return Problem("record.exists", "record") if head is not None else None
    if head is None or head.kind != kind.name:
        return Problem("record.unknown", "record")
    if kind.policy is Policy.OWNED and head.terminal != origin.terminal:
        return Problem("record.owned", "record")
    if base != head.version:
        return Problem("record.conflict", "base", version=head.version)
    return None


def _record_row(facility: str, head: Head) -> dict[str, Any]:
    return {
        "facility": facility,
        "id": head.id,
        "kind": head.kind,
        "version": head.version,
        "seq": head.seq,
        "partition": head.partition,
        "place": head.place,
        "state": head.state,
        "terminal": head.terminal,
        "body": head.body,
    }
