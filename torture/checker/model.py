"""Invariant 4 and the merge: the store's operations replayed in the server's order, three ways, field by field (§10)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from torture.checker.findings import Verdict
from torture.checker.store import MOST_CANDIDATES, Store, Version

EDITS = frozenset({("person", "change"), ("place", "change"), ("dynamic_info", "amend")})
WATCHES = {
    ("person", "release"): ("state", "cell"),
    ("place", "close"): ("state",),
    ("dynamic_info", "handle"): ("state",),
    ("dynamic_info", "withdraw"): ("state",),
}
REMOVES = frozenset({("dynamic_info", "withdraw"), ("place", "close")})
STRICT = {"person": {"cell", "state", "risk"}, "dynamic_info": {"severity"}}
DECISIONS = frozenset({"duty"})
BY_VALUE = frozenset(
    {("duty", verb) for verb in ("acknowledge", "complete", "cancel", "delegate", "snooze", "explain")}
)
"""What an operation of these has not seen does not matter, but for the values that it names."""
DERIVED = {
    "person": {"release"},
    "dynamic_info": {"handled", "state"},
    "duty": {"steps", "state", "level", "raised", "snoozed_until"},
}
"""Kind → keys of its documents that follow from an act without being named in it."""
CREATES = frozenset({"create", "open", "record", "report", "issue"})
Doc = dict[str, Any]
Hand = tuple[str, str] | None
"""An officer at a terminal; None: what a leader released from escrow is nobody's own."""


def check(store: Store, verdict: Verdict) -> None:
    """Replays a store."""
    _Replay(store, verdict).run()


@dataclass
class _Record:
    """The present version while it is replayed; ``doc`` is the last one that was not a removal's."""

    version: int = 0
    kind: str = ""
    state: str = ""
    doc: Doc = field(default_factory=dict)
    hands: list[Hand] = field(default_factory=list)
    """Whose each version is."""


class _Replay:
    def __init__(self, store: Store, verdict: Verdict) -> None:
        self.store, self.verdict = store, verdict
        self.now: dict[str, _Record] = {}
        self.dispute: dict[str, Version] = {}
        self.made = _made_by_leaf(store)

    def run(self) -> None:
        for row in self.store.in_order:
            effects = self.made.get((row.epoch, row.leaf), [])
            said = json.loads(row.raw) if row.status in _JUDGED else None
            if said is not None:
                self._judge(row, said, effects)
            for record, version in effects:
                self._enter(record, self.store.bodies[record, version])
        self.verdict.counts["replayed"] += len(self.store.in_order)

    def _enter(self, record: str, version: Version) -> None:
        said = version.said
        known = self.now.setdefault(record, _Record())
        if said["version"] != known.version + 1:
            what = f"{record}: version {said['version']} was made after {known.version}"
            self.verdict.add(1, "versions.skip", what, record, said["op"])
        known.version, known.kind, known.state = said["version"], said["kind"], said["state"]
        known.doc = said["doc"] if said["doc"] is not None else known.doc
        released = any(mark["code"] == "escrow.released" for mark in said["marks"])
        known.hands.append(None if released else (said["terminal"], said["author"]["officer"]))
        if said["kind"] == "conflict":
            self._dispute(record, version)

    def _dispute(self, record: str, version: Version) -> None:
        """Nothing is ever taken out of a dispute."""
        doc = version.said["doc"]
        number = version.said["version"]
        if number > 1:
            before = self.store.bodies[record, number - 1].said["doc"]
            for part in ("candidates", "settlements"):
                if doc[part][: len(before[part])] != before[part]:
                    self.verdict.add(4, "conflict.shrank", f"{record}/{number} has lost {part}", record, doc["record"])
        if len(doc["candidates"]) > MOST_CANDIDATES:
            self.verdict.add(4, "conflict.crowded", f"{record} has {len(doc['candidates'])} candidates", record)
        other = self.dispute.get(doc["record"])
        if doc["state"] == "settled":
            if other is not None and other.said["id"] == record:
                del self.dispute[doc["record"]]
            return
        if other is not None and other.said["id"] != record:
            self.verdict.add(4, "conflict.two", f"{doc['record']} has two open disputes", doc["record"], record)
        self.dispute[doc["record"]] = version

    # Judging

    def _judge(self, row: Any, said: Doc, effects: list[tuple[str, int]]) -> None:
        kind, verb = said["kind"], said["verb"]
        if kind == "conflict":
            self._settlement(row, said, effects)
        elif verb in CREATES or kind == "escrow":
            self._creation(row, said, effects)
        elif row.status == "conflict":
            self._conflict(row, said, effects)
        elif (kind, verb) in EDITS:
            self._edit(row, said, effects)
        elif kind in DECISIONS or (kind, verb) in WATCHES:
            self._transition(row, said)

    def _creation(self, row: Any, said: Doc, effects: list[tuple[str, int]]) -> None:
        record = said["record"]
        if record in self.now:
            self.verdict.add(1, "create.twice", f"{row.op} created {record} again", row.op, record)
        version = self.store.bodies.get((record, 1))
        if (record, 1) not in effects or version is None:
            self.verdict.add(1, "create.nothing", f"{row.op} is {row.status} and created nothing", row.op, record)
            return
        doc = version.said["doc"] or {}
        changed = [name for name, value in said["fields"].items() if name in doc and doc[name] != value]
        absent = [name for name in said["fields"] if name not in doc]
        if version.said["doc"] is not None and (changed or absent):
            self.verdict.add(4, "create.value", f"{row.op}: {changed + absent} are not what was said", row.op, record)

    def _edit(self, row: Any, said: Doc, effects: list[tuple[str, int]]) -> None:
        known, record = self.now.get(said["record"]), said["record"]
        if known is None:
            self.verdict.add(7, "edit.nothing", f"{row.op} took effect on {record}, which is not there", row.op, record)
            return
        seen, fields = said.get("seen", {}), said["fields"]
        changes = {name: value for name, value in fields.items() if known.doc.get(name) != value}
        self._allowed(row, said, known, changes, seen)
        mine = [version for other, version in effects if other == record]
        if not mine:
            if changes:
                self.verdict.add(
                    4, "edit.lost", f"{row.op} is {row.status}; {sorted(changes)} is nowhere", row.op, record
                )
            return
        after = self.store.bodies[record, mine[-1]].said["doc"] or {}
        derived = DERIVED.get(said["kind"], set())
        wrong = {
            name for name in {*known.doc, *after} - derived if after.get(name) != {**known.doc, **fields}.get(name)
        }
        if wrong:
            what = f"{row.op} made {record}/{mine[-1]}, where {sorted(wrong)} is not what three ways make of it"
            self.verdict.add(4, "merge.value", what, row.op, record)
        if (row.status == "merged") != self._moved(said, known):
            self.verdict.add(
                4, "merge.name", f"{row.op} is {row.status}, its base {said['base']} of {known.version}", row.op
            )
        self.verdict.counts["edits"] += 1

    def _allowed(self, row: Any, said: Doc, known: _Record, changes: Doc, seen: Doc) -> None:
        """An edit that took effect: nothing that it overwrote was unseen, disputed, removed, or moved under a strict field."""
        record, name = said["record"], f"{row.op} ({row.status}) of {row.terminal}"
        if known.state == "removed":
            self.verdict.add(4, "tombstone.edited", f"{name} changed {record}, which was removed", row.op, record)
        unseen = [each for each in changes if known.doc.get(each) != seen.get(each)]
        if unseen:
            what = f"{name} overwrote {unseen} of {record}, whose value it had not seen"
            self.verdict.add(4, "merge.overwrote", what, row.op, record)
        dispute = self.dispute.get(record)
        if dispute is not None and set(changes) & set(dispute.said["doc"]["server"]):
            self.verdict.add(4, "conflict.bypassed", f"{name} changed what is in dispute of {record}", row.op, record)
        strict = STRICT.get(said["kind"], set()) & set(changes)
        if strict and self._moved(said, known):
            self.verdict.add(4, "merge.strict", f"{name} merged {sorted(strict)} of {record}", row.op, record)

    def _moved(self, said: Doc, known: _Record) -> bool:
        """Whether any version above the one that the terminal held is another's."""
        return any(hand != (said["terminal"], said["officer"]) for hand in known.hands[said["base"] :])

    def _wary(self, said: Doc, known: _Record) -> set[str]:
        """Fields whose values an operation must not pass over because the record has moved, whatever stands there."""
        if not self._moved(said, known) or (said["kind"], said["verb"]) in BY_VALUE:
            return set()
        seen = set(said.get("seen", {}))
        whole = said["kind"] in DECISIONS or (said["kind"], said["verb"]) in REMOVES or not seen
        return (seen or {"state"}) if whole else seen & STRICT.get(said["kind"], set())

    def _transition(self, row: Any, said: Doc) -> None:
        known, record = self.now.get(said["record"]), said["record"]
        if known is None:
            self.verdict.add(7, "edit.nothing", f"{row.op} took effect on {record}, which is not there", row.op, record)
            return
        if wary := self._wary(said, known):
            self.verdict.add(4, "decision.merged", f"{row.op} rests on {wary} of an outdated {record}", row.op, record)
        for name, value in said.get("seen", {}).items():
            stands = known.doc.get(name, known.state if name == "state" else None)
            if stands != value:
                what = f"{row.op} rests on {name}={value!r} of {record}, where {stands!r} stands"
                self.verdict.add(4, "watch.overwrote", what, row.op, record)

    def _conflict(self, row: Any, said: Doc, effects: list[tuple[str, int]]) -> None:
        """A dispute has a reason, and the operation is a candidate in it with what it said and saw."""
        record, known = said["record"], self.now.get(said["record"])
        outcome = json.loads(row.outcome)
        made = [self.store.bodies[each] for each in effects if each[0] == outcome.get("conflict")]
        bids = [bid for version in made for bid in version.said["doc"]["candidates"] if bid["op"] == row.op]
        if not bids or any(bid["fields"] != said["fields"] or bid["seen"] != said.get("seen", {}) for bid in bids):
            self.verdict.add(4, "conflict.value", f"{row.op}: what it said is not in its dispute", row.op, record)
        if known is None:
            return
        for version in made[-1:]:
            server = version.said["doc"]["server"]
            wrong = [name for name in said["fields"] if name in server and known.doc.get(name) != server[name]]
            if wrong and (said["kind"], said["verb"]) in EDITS:
                what = f"{row.op}: its dispute says another server's value of {wrong} than stands in {record}"
                self.verdict.add(4, "conflict.server", what, row.op, record)
        if not self._disputable(row, said, known):
            self.verdict.add(
                4, "conflict.unfounded", f"{row.op} is a conflict on {record}, and nothing differs", row.op, record
            )
        self.verdict.counts["conflicts"] += 1

    def _disputable(self, row: Any, said: Doc, known: _Record) -> bool:
        fields, seen = said["fields"], said.get("seen", {})
        if known.state == "removed":
            return True
        dispute = self.dispute.get(said["record"])
        values = {**known.doc, "state": known.doc.get("state", known.state)}
        edits = (said["kind"], said["verb"]) in EDITS
        changes = {
            name for name in (fields if edits else seen) if values.get(name) != (fields if edits else {}).get(name)
        }
        if dispute is not None and changes & set(dispute.said["doc"]["server"]):
            return True
        if changes & self._wary(said, known) or (not edits and self._wary(said, known)):
            return True
        return any(values.get(name) != seen.get(name) for name in changes)

    def _settlement(self, row: Any, said: Doc, effects: list[tuple[str, int]]) -> None:
        """A settlement that took effect had seen everything; every one that could be judged stays in the list."""
        conflict, fields = said["record"], said["fields"]
        known = self.now.get(conflict)
        if known is None:
            self.verdict.add(7, "settle.nothing", f"{row.op} settled {conflict}, which is not there", row.op, conflict)
            return
        doc, record = known.doc, known.doc["record"]
        about = (row.op, conflict, record)
        self.verdict.counts["settlements"] += 1
        if row.status == "merged":
            return
        after = [self.store.bodies[each].said["doc"] for each in effects if each[0] == conflict]
        listed = [entry for each in after for entry in each["settlements"] if entry["op"] == row.op]
        if not listed:
            self.verdict.add(4, "settle.unlisted", f"{row.op} ({row.status}) is not in the list of {conflict}", *about)
        if row.status != "applied":
            return
        if set(fields["saw"]) != {bid["op"] for bid in doc["candidates"]}:
            self.verdict.add(4, "settle.blind", f"{row.op} settled {conflict} without having seen every value", *about)
        stands = self.now.get(record, _Record())
        for name in fields["choice"]:
            here = stands.doc.get(name, stands.state if name == "state" else None)
            if fields["server"].get(name) != here:
                self.verdict.add(4, "settle.outdated", f"{row.op}: {name} of {record} is {here!r} now", *about)
        self._chosen(row, said, doc, effects, about)

    def _chosen(self, row: Any, said: Doc, doc: Doc, effects: list[tuple[str, int]], about: tuple[Any, ...]) -> None:
        record, bids = doc["record"], {bid["op"]: bid for bid in doc["candidates"]}
        made = [self.store.bodies[each].said for each in effects if each[0] == record]
        after = made[-1]["doc"] if made else self.now.get(record, _Record()).doc
        for name, picked in said["fields"]["choice"].items():
            if picked == "server" or (after is not None and (doc["kind"], bids[picked]["verb"]) not in EDITS):
                continue
            if after is None or after.get(name) != bids[picked]["fields"].get(name):
                self.verdict.add(4, "settle.value", f"{row.op} chose {name} of {picked}, which does not stand", *about)


_JUDGED = frozenset({"applied", "merged", "conflict"})


def _made_by_leaf(store: Store) -> dict[tuple[int, int], list[tuple[str, int]]]:
    """(epoch, position) of a final outcome's leaf → versions that were made by it, in their order."""
    found: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for leaf in store["leaves"]:
        said = json.loads(leaf.body)
        if said["act"] == "operation":
            first = [(said["record"], said["version"])] if "row" in said else []
            made = [*first, *((record, version) for record, version, _ in said.get("also", []))]
            if made:
                made = [each for each in made if each in store.bodies]
                found[leaf.epoch, leaf.position] = sorted(made, key=lambda each: store.bodies[each].said["seq"])
    return found
