"""What must be known to judge a batch, read in one statement a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, select, text

from backend.facts.occupancy import Occupancy, Register
from backend.files.shelf import Files
from backend.identity.confirmations import Confirmation, Confirmations
from backend.identity.sessions import Session, Sessions
from backend.kernel.clock import FARTHEST_STEP_MS
from backend.kernel.framing import Frame
from backend.kernel.ids import UUID7, b64, moment_of
from backend.kernel.kind import REMOVED, Head, Needs, Policy
from backend.records.registry import kinds
from backend.storage import tables
from backend.storage.engine import Store
from sync.judging.accept import Acceptance, Operation
from sync.judging.authority import Ground
from sync.judging.disputes import CONFLICT
from sync.judging.grounds import Grounds

_R, _O, _H, _V, _D = tables.records.c, tables.operations.c, tables.tree_heads.c, tables.versions.c, tables.disputes.c
_E, _F = tables.epochs.c, tables.facilities.c
_PRESENT = text("state IN ('held', 'open')")
Anchor = tuple[int, int]
ESCROW = "escrow"
FARTHEST_BACK = 7 * 24 * 3_600_000
"""A head count is held against the register of its own moment, at most so many milliseconds back."""


@dataclass(slots=True)
class Original:
    """An operation that came before under the same id."""

    terminal: str
    incarnation: int
    n: int
    status: str
    raw: bytes
    outcome: bytes


@dataclass(slots=True)
class State:
    """``fates``: status by op, of operations that came before. ``anchors``: (root as base64url, at) by (epoch, size).
    ``lost``: sessions that a restore has lost. ``disputes``: record → its open conflict. ``originals``: operations of
    this batch that came before. ``escrowed``: operations in escrow that this batch speaks of. ``files``: digests, among those
    that it names, of files that have come. ``confirmations``: those that its decisions name. ``heads`` also hold whoever is
    lodged in a cell that was asked for."""

    sessions: dict[str, Session]
    heads: dict[str, Head]
    fates: dict[str, str]
    anchors: dict[Anchor, tuple[str, int]]
    register: Register
    ground: Ground = field(default_factory=Ground)
    lost: dict[str, Session] = field(default_factory=dict)
    disputes: dict[str, str] = field(default_factory=dict)
    originals: dict[str, Original] = field(default_factory=dict)
    escrowed: dict[str, Operation] = field(default_factory=dict)
    files: frozenset[str] = frozenset()
    confirmations: dict[str, Confirmation] = field(default_factory=dict)
    facility_type: str = ""


def _head(row: Any) -> Head:
    doc = orjson.loads(row.body)["doc"]
    return Head(
        row.id, row.kind, row.version, row.seq, row.partition, row.place, row.state, row.terminal, row.body, doc,
        row.author, row.since,
    )  # fmt: skip


class Reader:
    """Reads State. Anchors are remembered: a signed head never changes once it is committed."""

    def __init__(self, store: Store, acceptance: Acceptance) -> None:
        self._store = store
        self._acceptance = acceptance
        self._anchors: dict[tuple[str, Anchor], tuple[str, int]] = {}
        here: Any = bindparam("f")
        heads = select(tables.records).where(_R.facility == here, store.among(_R.id, "ids"))
        fates = select(_O.op, _O.status).where(_O.facility == here, store.among(_O.op, "ids"))
        anchor = select(_H.root, _H.at).where(
            _H.facility == here, _H.epoch == bindparam("e"), _H.size == bindparam("s")
        )
        before = select(_V.body).where(_V.facility == here, _V.id == bindparam("id"), _V.version == bindparam("v"))
        disputed = select(_D.record, _D.conflict).where(_D.facility == here, store.among(_D.record, "ids"))
        originals = select(_O.op, _O.terminal, _O.incarnation, _O.n, _O.status, _O.hash, _O.raw, _O.outcome)
        originals = originals.where(_O.facility == here, store.among(_O.op, "ids"))
        self._heads, self._fates, self._anchor = map(store.prepare, (heads, fates, anchor))
        self._before, self._disputed, self._originals = map(store.prepare, (before, disputed, originals))
        opened = select(_E.opened_at).where(_E.facility == here, _E.epoch == bindparam("e"))
        self._epoch = store.prepare(opened)
        lodged = select(tables.records).where(
            _R.facility == here, tables.LODGED, _PRESENT, store.among(_R.place, "places")
        )
        self._lodged = store.prepare(lodged)
        self._types: dict[str, str] = {}
        self._type = store.prepare(select(_F.type).where(_F.facility == here))
        self._files = Files(store)
        self._sessions = Sessions(store)
        self._confirmations = Confirmations(store)
        self._occupancy = Occupancy(store)
        self._grounds = Grounds(store)

    def read(self, connection: Connection, facility: str, operations: list[Operation], epoch: int, now: int) -> State:
        """The state that these operations of one facility need."""
        escrowed = self._read_escrowed(connection, facility, operations)
        concerned = [*operations, *escrowed.values()]
        said = [operation.said for operation in concerned if operation.said is not None]
        fates = self._read_fates(connection, facility, operations)
        heads, needs, open_ = self._read_records(connection, facility, concerned)
        asked = {each["session"] for each in said} | {each["session"] for each in _seconds(said)}
        sessions = self._sessions.several(connection, facility, sorted(asked))
        lost = self._read_lost(connection, facility, said, sessions, epoch)
        every = [*sessions.values(), *lost.values()]
        ground = self._grounds.read(connection, facility, every, heads, _named(concerned, heads))
        again = {each.op for each in operations if each.op and each.op in fates}
        return State(
            sessions,
            heads,
            fates,
            self._read_anchors(connection, facility, {(a["epoch"], a["size"]) for a in (s["anchor"] for s in said)}),
            self._occupancy.read(
                connection,
                facility,
                [cell for need in needs for cell in need.headcounts],
                _earliest(concerned, now),
                now,
            ),
            ground,
            lost,
            open_,
            self._read_originals(connection, facility, again),
            escrowed,
            self._files.come(connection, facility, {digest for each in said for digest in each["attachments"]}),
            self._read_confirmations(connection, facility, concerned, epoch),
            self._read_type(connection, facility),
        )

    def _read_type(self, connection: Connection, facility: str) -> str:
        """Of what type the facility is: it is founded so, and never changes."""
        if facility not in self._types:
            row = self._type.first(connection, {"f": facility})
            self._types[facility] = row.type if row else ""
        return self._types[facility]

    def _read_records(
        self, connection: Connection, facility: str, operations: list[Operation]
    ) -> tuple[dict[str, Head], list[Needs], dict[str, str]]:
        """Heads of all records concerned, what verbs want to know, and the open conflicts of records to be edited."""
        right = [each for each in operations if each.problem is None]
        edited = [each.said["record"] for each in right if each.said and _may_dispute(each)]
        open_ = self._read_disputes(connection, facility, edited)
        needs = list(_needs(right, {}, creating=True))
        first = {each.said["record"] for each in operations if each.said}.union(*(need.records for need in needs))
        heads = self._read_heads(connection, facility, first | set(open_.values()))
        targets = {heads[each].doc["record"] for each in first if each in heads and heads[each].kind == CONFLICT}
        open_ |= self._read_disputes(connection, facility, sorted(targets - open_.keys()))
        heads |= self._read_heads(connection, facility, (targets | set(open_.values())) - heads.keys())
        later = [*_needs(right, heads, creating=False), *_needs_of_settlements(right, heads)]
        heads |= self._read_heads(connection, facility, {r for need in later for r in need.records} - heads.keys())
        needs += later
        cells = {cell for need in needs for cell in need.residents}
        return self._read_lodged(connection, facility, cells) | heads, needs, open_

    def _read_lodged(self, connection: Connection, facility: str, cells: set[str]) -> dict[str, Head]:
        """Whoever is lodged in these cells, and the open places of these wards."""
        if not cells:
            return {}
        asked = {"f": facility, "places": self._store.listed(sorted(cells))}
        return {row.id: _head(row) for row in self._lodged.all(connection, asked)}

    def _read_heads(self, connection: Connection, facility: str, records: Iterable[str]) -> dict[str, Head]:
        ids = sorted(records)
        if not ids:
            return {}
        rows = self._heads.all(connection, {"f": facility, "ids": self._store.listed(ids)})
        return {row.id: self._living(connection, facility, row) if row.state == REMOVED else _head(row) for row in rows}

    def _living(self, connection: Connection, facility: str, row: Any) -> Head:
        """The head of a removed record, with the document of its last version before that."""
        before = self._before.first(connection, {"f": facility, "id": row.id, "v": row.version - 1})
        doc = orjson.loads(before.body)["doc"] if before is not None else {}
        return Head(
            row.id, row.kind, row.version, row.seq, row.partition, row.place, row.state, row.terminal, row.body, doc,
        row.author, row.since,
        )  # fmt: skip

    def _read_disputes(self, connection: Connection, facility: str, records: list[str]) -> dict[str, str]:
        if not records:
            return {}
        asked = {"f": facility, "ids": self._store.listed(records)}
        return dict(self._disputed.tuples(connection, asked))

    def _read_fates(self, connection: Connection, facility: str, operations: list[Operation]) -> dict[str, str]:
        ops = {each.op for each in operations if each.op}
        ops |= {needed for each in operations if each.said for needed in each.said["after"]}
        rows = self._fates.tuples(connection, {"f": facility, "ids": self._store.listed(sorted(ops))})
        return dict(rows)

    def _read_originals(self, connection: Connection, facility: str, ops: Collection[str]) -> dict[str, Original]:
        if not ops:
            return {}
        asked = {"f": facility, "ids": self._store.listed(sorted(ops))}
        return {
            row.op: Original(row.terminal, row.incarnation, row.n, row.status, row.raw, row.outcome)
            for row in self._originals.all(connection, asked)
        }

    def _read_escrowed(
        self, connection: Connection, facility: str, operations: list[Operation]
    ) -> dict[str, Operation]:
        wanted = [each.fields["op"] for each in operations if each.kind and each.kind.name == ESCROW and each.fields]
        if not wanted:
            return {}
        rows = self._originals.all(connection, {"f": facility, "ids": self._store.listed(wanted)})
        return {
            row.op: self._acceptance.accept(Frame(row.n, row.hash, row.raw), row.terminal, row.incarnation)
            for row in rows
            if row.status == "escrowed"
        }

    def _read_lost(
        self,
        connection: Connection,
        facility: str,
        said: list[Mapping[str, Any]],
        sessions: Mapping[str, Session],
        epoch: int,
    ) -> dict[str, Session]:
        """Sessions that are not known and are older than the epoch: begun after the backup that was restored.

        Their terminals need no new sign-in to go on pushing, and hear of the epoch only with an answer.
        """
        unknown = [each for each in said if each["session"] not in sessions] if epoch > 1 else []
        if not unknown:
            return {}
        before = self._reaches(connection, facility, epoch)
        named = {
            each["session"]: (each["officer"], each["terminal"])
            for each in unknown
            if each["anchor"]["epoch"] < epoch or moment_of(each["session"]) < before
        }
        return self._sessions.lost(connection, facility, named) if named else {}

    def _read_confirmations(
        self, connection: Connection, facility: str, operations: list[Operation], epoch: int
    ) -> dict[str, Confirmation]:
        """The confirmations that decisions name; those that a restore may have lost stand there as lost."""
        wanted = dict(_confirmations(operations))
        if not wanted:
            return {}
        found = self._confirmations.several(connection, facility, wanted)
        if epoch > 1 and (unknown := wanted.keys() - found.keys()):
            before = self._reaches(connection, facility, epoch)
            lost = (each for each in unknown if wanted[each] < epoch or moment_of(each) < before)
            found |= dict.fromkeys(lost, Confirmation(lost=True))
        return found

    def _reaches(self, connection: Connection, facility: str, epoch: int) -> int:
        """Ids from before this moment may be of the epoch before, made by a server whose clock has been set back since."""
        began = self._epoch.first(connection, {"f": facility, "e": epoch})
        return began.opened_at + FARTHEST_STEP_MS if began else 0

    def _read_anchors(
        self, connection: Connection, facility: str, wanted: set[Anchor]
    ) -> dict[Anchor, tuple[str, int]]:
        found = {}
        for anchor in wanted:
            known = self._anchors.get((facility, anchor))
            if known is None:
                key = {"f": facility, "e": anchor[0], "s": anchor[1]}
                row = self._anchor.first(connection, key)
                if row is None:
                    continue
                known = (b64(row.root), row.at)
                self._remember((facility, anchor), known)
            found[anchor] = known
        return found

    def _remember(self, key: tuple[str, Anchor], value: tuple[str, int]) -> None:
        if len(self._anchors) >= 10_000:
            self._anchors.clear()
        self._anchors[key] = value


def _seconds(said: list[Mapping[str, Any]]) -> Iterator[Mapping[str, str]]:
    """The second signers that operations name."""
    for each in said:
        if (signoff := each["signoff"]) is not None and "second" in signoff:
            yield signoff["second"]


def _confirmations(operations: list[Operation]) -> Iterator[tuple[str, int]]:
    """The confirmations that decisions name, each with the epoch of the head that its operation names."""
    for each in operations:
        if each.problem is None and each.verb is not None and each.verb.confirm and each.said is not None:
            yield each.said["signoff"]["confirmation"], each.said["anchor"]["epoch"]


def _earliest(operations: list[Operation], now: int) -> int:
    """From when on it must be known where persons were: a device's clock may be wrong by years, a count is of days."""
    return max(min((each.observed_at for each in operations if each.problem is None), default=now), now - FARTHEST_BACK)


def _may_dispute(operation: Operation) -> bool:
    kind, verb = operation.kind, operation.verb
    return (
        kind is not None and verb is not None and not verb.creates and kind.policy in {Policy.SHARED, Policy.DECISION}
    )


def _needs(operations: list[Operation], heads: dict[str, Head], *, creating: bool) -> Iterator[Needs]:
    """What verbs want to know. Those that create say it without their record's head, so one read serves them all."""
    for operation in operations:
        said, verb = operation.said, operation.verb
        if verb is not None and said is not None and verb.creates == creating:
            yield verb.needs(operation.fields, heads.get(said["record"]))


def _needs_of_settlements(operations: list[Operation], heads: dict[str, Head]) -> Iterator[Needs]:
    """What the verbs of a conflict's candidates want to know, should their values be chosen."""
    for operation in operations:
        conflict = heads.get(operation.said["record"]) if operation.said else None
        if conflict is None or conflict.kind != CONFLICT:
            continue
        target, kind = heads.get(conflict.doc["record"]), kinds()[conflict.doc["kind"]]
        for candidate in conflict.doc["candidates"]:
            yield kind.verbs[candidate["verb"]].needs(candidate["fields"], target)


def _named(operations: list[Operation], heads: dict[str, Head]) -> set[str]:
    """Ids among the values of disputes that are to be settled: those of places decide whose scope covers them."""
    found: set[str] = set()
    for operation in operations:
        conflict = heads.get(operation.said["record"]) if operation.said else None
        if conflict is not None and conflict.kind == CONFLICT:
            found |= set(ids_in(conflict.doc))
    return found


def ids_in(doc: Mapping[str, Any]) -> Iterator[str]:
    """The ids among the values of a dispute."""
    for values in (doc["server"], *(each["fields"] for each in doc["candidates"])):
        for value in values.values():
            if isinstance(value, str) and UUID7.fullmatch(value):
                yield value
