"""From verdicts to rows: versions, outcomes, receipts and leaves of one batch, as they will be written. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from backend.audit.log import leaf
from backend.identity.confirmations import Confirmation
from backend.identity.sessions import Session
from backend.kernel.clock import to_text
from backend.kernel.ids import b64, sha256, unhash
from backend.kernel.kind import REMOVED, Change, Head, Mark, hand
from sync.judging.accept import Operation
from sync.judging.disputes import CONFLICT, SETTLED
from sync.judging.state import Original, State
from sync.judging.verdict import Effect, Verdict

HOLD_MS = 5 * 24 * 3_600_000
"""How long an operation waits in custody for what it needs; then it is judged with what there is."""

_EFFECT, _KEPT = frozenset({"applied", "merged", "conflict"}), frozenset({"held", "rejected", "escrowed"})


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose chain an operation is on, and where: beyond a gap, or handed in by a revoked terminal."""

    terminal: str
    incarnation: int
    gap: bool = False
    evacuated: bool = False


@dataclass(slots=True)
class Rows:
    """What a batch comes to, a list a table, and the leaves in their order.

    ``changes``: every version with the one before it. ``settled``: held operations with their final outcome. ``fates``:
    ids of operations that have come to a final outcome, and of records that are new: what others may wait for. ``spent``:
    confirmations that an operation has used. ``excluded``: partition → officers who are left out of it from here on.
    """

    operations: list[dict[str, Any]] = field(default_factory=list)
    new_records: list[dict[str, Any]] = field(default_factory=list)
    changed_records: list[dict[str, Any]] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    holds: list[dict[str, Any]] = field(default_factory=list)
    waits: list[dict[str, Any]] = field(default_factory=list)
    settled: list[dict[str, Any]] = field(default_factory=list)
    disputes: dict[str, str | None] = field(default_factory=dict)
    alarms: list[tuple[str, bytes]] = field(default_factory=list)
    fates: set[str] = field(default_factory=set)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    spent: list[dict[str, Any]] = field(default_factory=list)
    excluded: dict[str, frozenset[str]] = field(default_factory=dict)
    leaves: list[bytes] = field(default_factory=list)


class Ledger:
    """Writes one batch. ``seq`` is the last sequence number, ``position`` that of the next leaf."""

    def __init__(self, facility: str, state: State, seq: int, position: int, epoch: int, now: int) -> None:
        self._facility = facility
        self._state = state
        self.seq = seq
        self._position = position
        self._epoch = epoch
        self._now = now
        self._now_text = to_text(now)
        self._stored = dict(state.heads)
        self.rows = Rows()

    def finish(self) -> Rows:
        """The rows of all that was entered: each record once, at its last version."""
        for record, head in self._state.heads.items():
            before = self._stored.get(record)
            if before is None:
                self.rows.new_records.append(_record_row(self._facility, head))
                self.rows.fates.add(record)
            elif before is not head:
                self.rows.changed_records.append(_record_row(self._facility, head))
        return self.rows

    def enter(
        self, effect: Effect, operation: Operation, session: Session, marks: tuple[Mark, ...], proven: int | None
    ) -> Head:
        """The version that an effect makes of its record; ``operation`` is the one that it tells of.

        One that was released from escrow has no author: its officer had been told that it did not count.
        """
        said, ruling = operation.said, effect.ruling
        assert said is not None
        self.seq += 1
        before = self._state.heads.get(effect.record)
        version = before.version + 1 if before else 1
        body = orjson.dumps(
            {
                "id": effect.record,
                "kind": effect.kind,
                "version": version,
                "seq": self.seq,
                "partition": ruling.partition,
                "state": ruling.state,
                "author": {"officer": session.officer.officer, "name": session.officer.name},
                "terminal": said["terminal"],
                "op": said["op"],
                "observed_at": said["observed_at"],
                "recorded_at": said["recorded_at"],
                "received_at": self._now_text,
                "proven_from": to_text(proven) if proven is not None else None,
                "marks": [mark.document() for mark in marks],
                "signoff": said["signoff"],
                "doc": None if ruling.state == REMOVED else ruling.doc,
            }
        )
        owner = before.terminal if before else said["terminal"]
        author = "" if effect.source is not None else hand(said["terminal"], session.officer.officer)
        since = before.since if before is not None and before.author == author else version
        head = Head(
            effect.record, effect.kind, version, self.seq, ruling.partition, ruling.place, ruling.state, owner, body,
            ruling.doc, author, since,
        )  # fmt: skip
        self._replace(before, head)
        if ruling.alarm:
            self.rows.alarms.append((head.partition, body))
        if ruling.excluded:
            self._exclude(head.partition, ruling.excluded)
        return head

    def _exclude(self, partition: str, officers: frozenset[str]) -> None:
        for found in (self.rows.excluded, self._state.ground.excluded):
            found[partition] = found.get(partition, frozenset()) | officers

    def spend(self, said: Mapping[str, Any], confirmation: Confirmation) -> None:
        """A confirmation is used by the first decision that comes with it, whatever becomes of that."""
        named = said["signoff"]["confirmation"]
        if confirmation.lost or self._state.confirmations[named].op is not None:
            return
        self._state.confirmations[named] = confirmation
        key = {"of_facility": self._facility, "of_confirmation": named}
        self.rows.spent.append(key | {"op": said["op"], "spent_at": self._now})

    def _replace(self, before: Head | None, head: Head) -> None:
        if before is not None:
            superseded = {"facility": self._facility, "id": before.id, "version": before.version, "body": before.body}
            self.rows.versions.append(superseded)
        self.rows.changes.append((before, head))
        state = self._state
        state.heads[head.id] = head
        state.register.applied(before, head)
        if head.kind == "place":
            state.ground.parents[head.id] = head.place
        elif head.kind == CONFLICT:
            self._dispute(head)

    def _dispute(self, head: Head) -> None:
        """A record has one open conflict at most; a word on one that is settled does not touch another."""
        disputes, record = self._state.disputes, head.doc["record"]
        if head.state != SETTLED:
            disputes[record] = self.rows.disputes[record] = head.id
        elif disputes.get(record) == head.id:
            del disputes[record]
            self.rows.disputes[record] = None

    def keep(
        self, origin: Origin, operation: Operation, verdict: Verdict, marks: tuple[Mark, ...], made: list[Head],
        *, woken: bool,
    ) -> bytes:  # fmt: skip
        """The outcome, or receipt, that a verdict comes to, as the bytes that are answered and kept."""
        if woken and verdict.status == "held":
            self._wait(origin, operation, verdict)
            return b""
        outcome = orjson.dumps(self._outcome(operation, verdict, marks, made))
        op, status = operation.op, verdict.status
        if op is not None and op in self._state.fates and not self._is_original(origin, operation):
            op = None
        elif op is not None:
            self._state.fates[op] = status
        position = self._position + len(self.rows.leaves)
        self._leaf(origin, operation, op, verdict, outcome, made)
        self._attach(operation, verdict, woken=woken)
        if woken:
            self._settle(origin, operation, status, outcome, position)
        else:
            self._came(origin, operation, op, status, outcome, position)
        if status == "held":
            self._hold(origin, operation, verdict, self.rows.operations[-1])
        elif operation.op is not None:
            self.rows.fates.add(operation.op)
        return outcome

    def _came(
        self, origin: Origin, operation: Operation, op: str | None, status: str, outcome: bytes, position: int
    ) -> None:
        """The row of an operation as it was sent. ``op``: its id, if it is the first of that id."""
        frame = operation.frame
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
            "leaf": position,
            "received_at": self._now,
            "epoch": self._epoch,
        }
        self.rows.operations.append(row)
        if op is not None:
            where = (origin.terminal, origin.incarnation, frame.n)
            self._state.originals[op] = Original(*where, status, frame.raw, outcome)

    def _settle(self, origin: Origin, operation: Operation, status: str, outcome: bytes, position: int) -> None:
        """The final outcome of an operation that was held, over its receipt."""
        place = {
            "of_facility": self._facility,
            "of_terminal": origin.terminal,
            "of_incarnation": origin.incarnation,
            "of_n": operation.frame.n,
        }
        final = {"status": status, "outcome": outcome, "leaf": position, "epoch": self._epoch, "at": self._now}
        self.rows.settled.append(place | final)

    def _attach(self, operation: Operation, verdict: Verdict, *, woken: bool) -> None:
        """Which files an operation names, and the record that they belong to once it has taken effect."""
        effect = verdict.status in _EFFECT
        if operation.said is not None and (effect or (verdict.status in _KEPT and not woken)):
            self._name(operation.said, operation.said["record"] if effect else "")
        released = {each.source.op: each.source.said for each in verdict.effects if each.source is not None}
        for said in released.values():
            assert said is not None
            self._name(said, said["record"])

    def _name(self, said: Mapping[str, Any], record: str) -> None:
        chain = {name: said[name] for name in ("terminal", "incarnation", "n")}
        for digest in sorted(set(said["attachments"])):
            try:
                raw = unhash(digest)
            except ValueError:  # no file can have it
                continue
            self.rows.attachments.append({"facility": self._facility, "digest": raw, **chain, "record": record})

    def _is_original(self, origin: Origin, operation: Operation) -> bool:
        """Whether the operation's id is its own: it came out of custody, and is not another one wrapped again."""
        original = self._state.originals.get(operation.op or "")
        place = (origin.terminal, origin.incarnation, operation.frame.n)
        return original is not None and place == (original.terminal, original.incarnation, original.n)

    def _outcome(
        self, operation: Operation, verdict: Verdict, marks: tuple[Mark, ...], made: list[Head]
    ) -> dict[str, Any]:
        said: dict[str, Any] = {"n": operation.frame.n, "op": operation.op, "status": verdict.status}
        if verdict.repeats is not None:
            return {**verdict.repeats, "n": operation.frame.n, "op": operation.op}
        if verdict.own is not None:
            head = self._state.heads[verdict.own]
            said["record"], said["version"], said["seq"] = head.id, head.version, head.seq
            said["marks"] = [mark.document() for mark in marks]
            if len(made) > 1 and (also := [each for each in made if each.id != verdict.own]):
                said["also"] = [{"record": each.id, "version": each.version, "seq": each.seq} for each in also]
        if verdict.conflict is not None and operation.said is not None:
            said |= {"record": operation.said["record"], "conflict": verdict.conflict}
        if verdict.status == "held":
            said |= {"missing": list(verdict.missing), "until": to_text(self._now + HOLD_MS)}
        if verdict.problem is not None:
            said["problem"] = verdict.problem.sentence()
        return said

    def _leaf(
        self, origin: Origin, operation: Operation, op: str | None, verdict: Verdict, outcome: bytes, made: list[Head]
    ) -> None:
        facts: dict[str, Any] = {
            "terminal": origin.terminal,
            "incarnation": origin.incarnation,
            "n": operation.frame.n,
            "op": op,
            "hash": b64(operation.frame.hash),
            "status": verdict.status,
            "outcome": b64(sha256(outcome)),
        }
        if verdict.own is not None and made and made[0].id == verdict.own:
            head, made = made[0], made[1:]
            facts["record"], facts["version"], facts["row"] = head.id, head.version, b64(sha256(head.body))
        if made:
            facts["also"] = [[each.id, each.version, b64(sha256(each.body))] for each in made]
        self.rows.leaves.append(leaf("held" if verdict.status == "held" else "operation", self._now_text, facts))

    def _hold(self, origin: Origin, operation: Operation, verdict: Verdict, row: Mapping[str, Any]) -> None:
        names = ("facility", "terminal", "incarnation", "n", "epoch", "leaf")
        times = {"received_at": self._now, "deadline": self._now + HOLD_MS, "settled_at": None}
        self.rows.holds.append({name: row[name] for name in names} | {"receipt": row["outcome"]} | times)
        self._wait(origin, operation, verdict)

    def _wait(self, origin: Origin, operation: Operation, verdict: Verdict) -> None:
        for needs in {value for each in verdict.missing for value in each.values()}:
            self.rows.waits.append(
                {
                    "facility": self._facility,
                    "needs": needs,
                    "terminal": origin.terminal,
                    "incarnation": origin.incarnation,
                    "n": operation.frame.n,
                }
            )


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
        "author": head.author,
        "since": head.since,
    }
