"""``plan``: a batch and what is known → the rows to write. Pure: no clock, no database, no chance.

Operations are judged in order, each against what the ones before it in the batch have already changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
import structlog

from backend.identity.sessions import Session
from backend.kernel.clock import from_text
from backend.kernel.ids import UUID7, derived
from backend.kernel.kind import Deed, Head, Kind, Mark, Policy, Ruling, Verb, by_sync, hand
from backend.kernel.problems import Problem
from backend.records.conflicts.kind import MOST_VALUES
from backend.records.registry import kinds
from sync.judging import authority, disputes, settle, signing
from sync.judging.accept import Operation
from sync.judging.disputes import CONFLICT
from sync.judging.ledger import Ledger, Origin, Rows
from sync.judging.merge import differing, joins, meet
from sync.judging.state import ESCROW, State, ids_in
from sync.judging.verdict import Effect, Verdict, held, refused

_log = structlog.get_logger(__name__)
_REFUSED = frozenset({"rejected", "quarantined"})
_GAP, _OVERDUE, _CONVERTED = Mark("chain.gap"), Mark("dependency.missing"), Mark("schema.converted")
_OVER, _LOST, _UNKNOWN = Mark("session.over"), Mark("session.lost"), Mark("anchor.unknown")
_RELEASED, _UNATTACHED = Mark("escrow.released"), Mark("attachment.missing")


@dataclass(slots=True)
class _View:
    """What a kind's rules may ask (backend.kernel.kind.Known)."""

    state: State
    session: Session
    overdue: bool
    at: int

    def record(self, record: str) -> Head | None:
        return self.state.heads.get(record)

    def headcount(self, cell: str) -> int:
        return self.state.register.headcount(cell, self.at)

    def residents(self, cell: str) -> list[Head]:
        heads = self.state.heads.values()
        return [head for head in heads if head.place == cell and head.kind == "person" and head.state == "held"]

    def places(self, ward: str) -> list[Head]:
        heads = self.state.heads.values()
        return [head for head in heads if head.place == ward and head.kind == "place" and head.state == "open"]

    def facility_type(self) -> str:
        return self.state.facility_type

    def posts(self) -> frozenset[str]:
        return frozenset(self.session.officer.posts)

    def forced(self) -> bool:
        return self.overdue


@dataclass(slots=True)
class _Weighing:
    """One operation being judged. ``session``: with the posts that its officer held when he made it; ``doubts``: marks on
    that. ``forced``: its time in custody is over. ``waived``: a leader answers for the right."""

    origin: Origin
    operation: Operation
    said: Mapping[str, Any]
    kind: Kind
    verb: Verb
    session: Session
    proven: int | None
    forced: bool
    waived: bool
    doubts: tuple[Mark, ...] = ()

    @property
    def record(self) -> str:
        found: str = self.said["record"]
        return found


class Planner:
    """Plans one batch of a facility. ``seq`` is the last sequence number, ``position`` that of the next leaf."""

    def __init__(self, facility: str, state: State, seq: int, position: int, epoch: int, now: int) -> None:
        self._facility = facility
        self._state = state
        self._now = now
        self._epoch = epoch
        self._ledger = Ledger(facility, state, seq, position, epoch, now)

    @property
    def seq(self) -> int:
        """The last sequence number that was given."""
        return self._ledger.seq

    def take(
        self, origin: Origin, operations: Iterable[Operation], *, woken: bool = False, forced: bool = False
    ) -> list[bytes]:
        """Judges operations of one chain; returns their outcomes as the bytes that are answered and kept.

        ``woken``: they come from custody. ``forced``: their deadline has passed.
        """
        return [self._one(origin, operation, woken=woken, forced=forced) for operation in operations]

    def finish(self) -> Rows:
        """The rows of all that was taken."""
        return self._ledger.finish()

    def _one(self, origin: Origin, operation: Operation, *, woken: bool, forced: bool) -> bytes:
        try:
            verdict = self._judge(origin, operation, forced=forced)
        except Exception:  # noqa: BLE001 - a fault in one kind's rules must not cost another operation
            _log.exception("judge failed", op=operation.op, terminal=origin.terminal, n=operation.frame.n)
            verdict = refused(Problem("server.fault"), "quarantined")
        marks = verdict.marks
        made = []
        for effect in verdict.effects:
            source = effect.source or operation
            assert source.said is not None
            shown = marks if effect.record == verdict.own and effect.source is None else ()
            proven = self._proven_from(source.said)
            made.append(self._ledger.enter(effect, source, self._session(source), effect.marks + shown, proven))
        own = verdict.effects[0].marks if verdict.own and verdict.effects else ()
        return self._ledger.keep(origin, operation, verdict, own + marks, made, woken=woken)

    def _session(self, operation: Operation) -> Session:
        assert operation.said is not None
        name = operation.said["session"]
        return self._state.sessions.get(name) or self._state.lost[name]

    def _proven_from(self, said: Mapping[str, Any]) -> int | None:
        anchor = said["anchor"]
        known = self._state.anchors.get((anchor["epoch"], anchor["size"]))
        return known[1] if known is not None and known[0] == anchor["root"] else None

    def _judge(self, origin: Origin, operation: Operation, *, forced: bool) -> Verdict:
        again = self._again(origin, operation, forced=forced)
        if again is not None:
            return again
        if origin.evacuated and operation.status != "quarantined":
            return refused(Problem("terminal.evacuated"), "escrowed")
        if operation.problem is not None:
            return refused(operation.problem, operation.status or "rejected")
        if (barred := self._unconfirmed(operation)) is not None:
            return barred
        waits = self._dependencies(operation, forced=forced)
        if isinstance(waits, Verdict):
            return waits
        weighing = self._weighing(origin, operation, forced=forced)
        if isinstance(weighing, Verdict):
            return weighing
        verdict = self._settled(weighing) if weighing.verb.judge is by_sync else self._weigh(weighing)
        marks = waits + self._remarks(weighing)
        return replace(verdict, marks=tuple(dict.fromkeys(verdict.marks + marks))) if marks else verdict

    def _again(self, origin: Origin, operation: Operation, *, forced: bool) -> Verdict | None:
        """What becomes of an operation whose id came before: the same one, wrapped again, gets the same outcome."""
        original = self._state.originals.get(operation.op) if operation.op else None
        if original is None:
            return self._repeated(operation) if operation.op in self._state.fates else None
        place = (origin.terminal, origin.incarnation, operation.frame.n)
        if place == (original.terminal, original.incarnation, original.n):
            return None
        wrapped = original.terminal == origin.terminal and original.incarnation != origin.incarnation
        if not wrapped or operation.said is None or not _same(operation.said, original.raw):
            return self._repeated(operation)
        if original.status == "held":
            return self._repeated(operation) if forced else held({"op": str(operation.op)})
        where = {"incarnation": original.incarnation, "n": original.n}
        return Verdict("repeated", repeats=orjson.loads(original.outcome) | {"repeats": where})

    @staticmethod
    def _repeated(operation: Operation) -> Verdict:
        return refused(Problem("operation.repeated", "op"), operation.status or "rejected")

    def _dependencies(self, operation: Operation, *, forced: bool) -> Verdict | tuple[Mark, ...]:
        """What an operation's ``after`` makes of it, or the marks that it leaves."""
        assert operation.said is not None
        missing = []
        for needed in operation.said["after"]:
            fate = self._state.fates.get(needed)
            if fate in _REFUSED:
                return refused(Problem("dependency.rejected", "after", op=needed))
            if fate == "escrowed":
                return refused(Problem("dependency.escrowed", "after", op=needed), "escrowed")
            if fate is None or fate == "held":
                missing.append({"op": needed})
        if missing and not forced:
            return held(*missing)
        return (_OVERDUE,) if forced else ()

    def _weighing(
        self, origin: Origin, operation: Operation, *, forced: bool, waived: bool = False
    ) -> _Weighing | Verdict:
        """The operation with its officer, if he was on that terminal and his post could do this then."""
        said, kind, verb = operation.said, operation.kind, operation.verb
        assert said is not None and kind is not None and verb is not None
        session = self._state.sessions.get(said["session"]) or self._state.lost.get(said["session"])
        if session is None or session.terminal != origin.terminal or session.officer.officer != said["officer"]:
            return refused(Problem("officer.unauthorised", "session"))
        proven, ground = self._proven_from(said), self._state.ground
        if waived:
            session = authority.with_all_posts(ground, session)
            return _Weighing(origin, operation, said, kind, verb, session, proven, forced, waived)
        found = authority.posted(ground, session, kind.writers, operation.observed_at, proven, self._now)
        if isinstance(found, Problem):
            return _unposted(found)
        return _Weighing(origin, operation, said, kind, verb, found[0], proven, forced, waived, found[1])

    def _unconfirmed(self, operation: Operation, *, late: bool = False) -> Verdict | None:
        """What becomes of a decision without a right confirmation; a right one is spent by it."""
        said, verb = operation.said, operation.verb
        assert said is not None and verb is not None
        if not verb.confirm:
            return None
        found = signing.confirm(said, self._state.confirmations, signing.Moment(self._now, self._epoch, late))
        if isinstance(found, tuple):
            return refused(found[1], found[0])
        self._ledger.spend(said, found)
        return None

    def _remarks(self, weighing: _Weighing) -> tuple[Mark, ...]:
        """What is remarkable about how an operation came, whatever it says."""
        session, operation = weighing.session, weighing.operation
        marks = weighing.doubts
        if weighing.said["session"] not in self._state.sessions:
            marks += (_LOST,)
        elif min(operation.observed_at, self._now) > signing.over_at(session):
            marks += (_OVER,)
        if operation.converted:
            marks += (_CONVERTED,)
        if not self._state.files.issuperset(weighing.said["attachments"]):
            marks += (_UNATTACHED,)
        if weighing.said["signoff"] is not None:
            marks += self._of_signers(weighing)
        if weighing.origin.gap:
            marks += (_GAP,)
        return marks if weighing.proven is not None else (*marks, _UNKNOWN)

    def _of_signers(self, weighing: _Weighing) -> tuple[Mark, ...]:
        return signing.remarks(self._signing(weighing), self._state.sessions, self._state.ground)

    def _signing(self, weighing: _Weighing) -> signing.Signing:
        seen = min(weighing.operation.observed_at, self._now)
        made = max(seen, weighing.proven or 0)
        return signing.Signing(weighing.said, weighing.origin.terminal, weighing.session, seen, made)

    def _weigh(self, weighing: _Weighing) -> Verdict:
        """An operation on a record of its own kind."""
        head = self._state.heads.get(weighing.record)
        if weighing.verb.creates:
            return refused(Problem("record.exists", "record")) if head is not None else self._created(weighing)
        if head is None and not weighing.forced:
            return held({"record": weighing.record})
        if head is None or head.kind != weighing.kind.name:
            return refused(Problem("record.unknown", "record"))
        if weighing.kind.policy is Policy.OWNED and head.terminal != weighing.origin.terminal:
            return refused(Problem("record.owned", "record"))
        right = self._right(weighing, head.partition)
        return refused(right, "escrowed") if isinstance(right, Problem) else self._changed(weighing, head, right)

    def _created(self, weighing: _Weighing) -> Verdict:
        ruling = self._ask(weighing, None)
        if isinstance(ruling, Problem):
            return self._unfit(weighing, ruling)
        right = self._right(weighing, ruling.partition)
        if isinstance(right, Problem):
            return refused(right, "escrowed")
        effect = Effect(weighing.record, weighing.kind.name, ruling, ruling.marks)
        return Verdict("applied", effects=(effect,), own=weighing.record, marks=right)

    def _changed(self, weighing: _Weighing, head: Head, right: tuple[Mark, ...]) -> Verdict:
        """An edit or a transition of a record that there is: three ways, field by field."""
        operation, kind, verb = weighing.operation, weighing.kind, weighing.verb
        moved = head.moved(weighing.said["base"], hand(weighing.origin.terminal, weighing.said["officer"]))
        meeting = meet(kind, verb, head, operation.seen, operation.fields, moved=moved)
        dispute = self._dispute_of(head)
        if meeting.disputed or (dispute is not None and joins(dispute.doc["server"], verb, head, operation.fields)):
            return self._disputed(weighing, head, meeting.disputed or differing(verb, head, operation.fields))
        if meeting.agreed and moved:
            return Verdict("merged", own=head.id, marks=right)
        ruling = self._ask(weighing, head)
        if isinstance(ruling, Problem):
            return self._unfit(weighing, ruling)
        effect = Effect(head.id, kind.name, ruling, ruling.marks)
        return Verdict("merged" if moved else "applied", effects=(effect,), own=head.id, marks=right)

    def _unfit(self, weighing: _Weighing, problem: Problem) -> Verdict:
        """What a kind refuses; but a reference to a record that is not here yet waits for it."""
        waits = problem.code == "reference.unknown" and not weighing.forced and not weighing.waived
        if waits and (missing := self._unknown(weighing, problem.field or "")):
            return held(*({"record": each} for each in missing))
        return refused(problem)

    def _unknown(self, weighing: _Weighing, path: str) -> list[str]:
        """The records that a field refers to and that are not here."""
        value: Any = weighing.operation.fields
        for name in path.split(".")[1:]:
            if isinstance(value, dict):
                value = value.get(name)
            elif isinstance(value, list):
                value = value[int(name)]
        named = value if isinstance(value, list) else [value]
        heads = self._state.heads
        return [each for each in named if isinstance(each, str) and UUID7.fullmatch(each) and each not in heads]

    def _dispute_of(self, head: Head) -> Head | None:
        conflict = self._state.disputes.get(head.id)
        return self._state.heads.get(conflict) if conflict else None

    def _disputed(self, weighing: _Weighing, head: Head, server: Mapping[str, Any]) -> Verdict:
        """The operation becomes a candidate of the record's one open conflict."""
        operation, dispute = weighing.operation, self._dispute_of(head)
        if dispute is not None and len(dispute.doc["candidates"]) >= MOST_VALUES:
            return refused(Problem("dispute.full", "base"))
        mine = disputes.candidate(weighing.said, weighing.session.officer.name, operation.fields, operation.seen)
        if dispute is not None:
            conflict, doc = dispute.id, disputes.joined(dispute.doc, server, mine)
            problem = Problem("record.disputed", "base")
        else:
            conflict = derived(weighing.said["op"], CONFLICT)
            doc = disputes.opened(head.id, head.kind, server, mine)
            gone = head.state == "removed"
            problem = Problem("record.removed", "base") if gone else _moved(head)
        effect = Effect(conflict, CONFLICT, disputes.ruling(doc, head.partition))
        return Verdict("conflict", problem, (effect,), conflict=conflict)

    def _second(self, weighing: _Weighing) -> str:
        """The officer who signed beside its own; of most operations nobody signed at all."""
        if weighing.said["signoff"] is None:
            return ""
        return signing.second(self._signing(weighing), self._state.sessions, self._state.ground)

    def _ask(self, weighing: _Weighing, head: Head | None) -> Ruling | Problem:
        """What the operation's own kind makes of it."""
        said, operation = weighing.said, weighing.operation
        deed = Deed(
            said["op"], said["terminal"], weighing.record, said["verb"], said["base"], said["officer"],
            operation.observed_at, operation.recorded_at, self._now, operation.fields, self._facility,
            self._second(weighing),
        )  # fmt: skip
        return weighing.verb.judge(deed, head, self._view(weighing))

    def _view(self, weighing: _Weighing) -> _View:
        at = min(max(weighing.operation.observed_at, weighing.proven or 0), self._now)
        return _View(self._state, weighing.session, weighing.forced, at)

    def _right(self, weighing: _Weighing, partition: str) -> Problem | tuple[Mark, ...]:
        if weighing.waived:
            return ()
        fact = weighing.verb.creates or weighing.kind.policy is Policy.OWNED
        claimed = weighing.operation.observed_at
        ground, session = self._state.ground, weighing.session
        return authority.judge(ground, session, partition, claimed, weighing.proven, self._now, fact=fact)

    def _settled(self, weighing: _Weighing) -> Verdict:
        """A settlement, or a leader's word on an escrow."""
        return self._escrow(weighing) if weighing.kind.name == ESCROW else self._settlement(weighing)

    def _settlement(self, weighing: _Weighing) -> Verdict:
        heads = self._state.heads
        conflict = heads.get(weighing.record)
        if conflict is None and not weighing.forced:
            return held({"record": weighing.record})
        if conflict is None or conflict.kind != CONFLICT:
            return refused(Problem("record.unknown", "record"))
        target, kind = heads[conflict.doc["record"]], kinds()[conflict.doc["kind"]]
        at = min(max(weighing.operation.observed_at, weighing.proven or 0), self._now)
        ground, session = self._state.ground, weighing.session
        revoked = ground.revoked.get(session.officer.officer)
        if revoked is not None and at >= revoked:
            return refused(Problem("officer.revoked", "officer"), "escrowed")
        if not weighing.waived:
            claimed = weighing.operation.observed_at
            found = authority.posted(ground, session, kind.may_settle(), claimed, weighing.proven, self._now)
            if isinstance(found, Problem):
                return _unposted(found)
            session = found[0]

        def ask(candidate: Mapping[str, Any], fields: Mapping[str, Any], head: Head) -> Ruling | Problem:
            seen = from_text(candidate["observed_at"])
            deed = Deed(
                candidate["op"], candidate["terminal"], head.id, candidate["verb"], head.version,
                candidate["officer"]["id"], seen, seen, self._now, fields, self._facility,
            )  # fmt: skip
            return kind.verbs[candidate["verb"]].judge(deed, head, self._view(weighing))

        def covers(doc: Mapping[str, Any]) -> bool:
            places = [list(ground.above(each)) for each in ids_in(doc) if each in ground.parents]
            subject = ground.where(conflict.partition, at)
            if session.officer.officer in ground.excluded.get(conflict.partition, ()):
                return False
            return all(ground.covers(session, each, at) for each in [subject, *places])

        name, posts = session.officer.name, frozenset(session.officer.posts)
        present = self._dispute_of(target)
        other = present if present is not None and present.id != conflict.id else None
        return settle.judge(settle.Case(weighing.said, name, posts, conflict, target, kind, ask, covers, other))

    def _escrow(self, weighing: _Weighing) -> Verdict:
        fields = weighing.operation.fields
        released = weighing.said["verb"] == "release"
        inner = self._state.escrowed.get(fields["op"])
        if self._state.heads.get(weighing.record) is not None:
            return refused(Problem("record.exists", "record"))
        if inner is None:
            return refused(Problem("escrow.unknown", "fields.op"))
        if weighing.record != derived(fields["op"], ESCROW):
            return refused(Problem("field.invalid", "record"))
        doc = {**fields, "state": "released" if released else "dismissed"}
        word = Effect(weighing.record, ESCROW, Ruling(doc, f"facility/{self._facility}/base", doc["state"]))
        if not released:
            return Verdict("applied", effects=(word,), own=weighing.record)
        verdict = self._released(inner)
        if verdict.status not in {"applied", "merged", "conflict"}:
            return refused(verdict.problem or Problem("server.fault"))
        effects = [replace(each, source=inner, marks=(*each.marks, _RELEASED)) for each in verdict.effects]
        if effects and verdict.own:
            effects[0] = replace(effects[0], marks=(*effects[0].marks, *verdict.marks))
        return Verdict("applied", effects=(word, *effects), own=weighing.record)

    def _released(self, inner: Operation) -> Verdict:
        """An operation from escrow judged again, without the right that was lost."""
        if inner.problem is not None or inner.said is None:
            return refused(inner.problem or Problem("server.fault"))
        if (barred := self._unconfirmed(inner, late=True)) is not None:
            return barred
        origin = Origin(inner.said["terminal"], inner.said["incarnation"])
        weighing = self._weighing(origin, inner, forced=True, waived=True)
        if isinstance(weighing, Verdict):
            return weighing
        if weighing.kind.name == ESCROW:
            return refused(Problem("officer.unauthorised", "officer"))
        return self._settled(weighing) if weighing.verb.judge is by_sync else self._weigh(weighing)


def _unposted(problem: Problem) -> Verdict:
    return refused(problem, "escrowed" if problem.code == "officer.off_post" else "rejected")


def _moved(head: Head) -> Problem:
    return Problem("record.conflict", "base", version=head.version)


def _same(said: Mapping[str, Any], raw: bytes) -> bool:
    """Whether two operations differ in nothing but where they stand on their chains."""
    other = orjson.loads(raw)
    return {**said, "incarnation": 0, "n": 0} == {**other, "incarnation": 0, "n": 0}
