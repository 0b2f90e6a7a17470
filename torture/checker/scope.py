"""Invariants 3 and 6: whose scope holds what, computed from assignments, places and persons; what was sent and is held."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from torture.checker.findings import Verdict
from torture.checker.hashing import digest, sha, term
from torture.checker.history import History, Life
from torture.checker.store import Store

WARD = frozenset({"PAT", "DISC", "AUX"})
FACILITY = frozenset({"INT", "MED", "LEAD", "DIR", "AUD", "PROC"})
CASE = frozenset({"DISC", "LEAD", "DIR", "INT", "PROC", "AUD"})
Event = dict[str, Any]


@dataclass
class _Subject:
    """A place or a person by sequence number: since when he is where; None: gone."""

    kind: str
    since: list[int] = field(default_factory=list)
    places: list[str | None] = field(default_factory=list)
    present: list[bool] = field(default_factory=list)

    def at(self, seq: int) -> tuple[bool, str | None]:
        """(whether it is there, where)"""
        found = bisect_right(self.since, seq) - 1
        return (self.present[found], self.places[found]) if found >= 0 else (False, None)


class World:
    """Places, persons and disputes of one store by sequence number, and who was assigned to what at which moment."""

    def __init__(self, store: Store, grants: Grants) -> None:
        self.facility = store.facility.facility
        self.subjects: dict[str, _Subject] = {}
        self.posts = {row.officer: row.posts for row in store["officers"]}
        self.disputed = self._disputes(store)
        for versions in store.versions_of.values():
            for version in versions:
                self._enter(version.said)
        self.grants = grants

    def _enter(self, said: Event) -> None:
        if said["kind"] not in ("place", "person"):
            return
        subject = self.subjects.setdefault(said["id"], _Subject(said["kind"]))
        doc = said["doc"] or {}
        subject.since.append(said["seq"])
        subject.places.append(doc.get("parent" if said["kind"] == "place" else "cell"))
        subject.present.append(said["state"] in ("open", "held"))

    @staticmethod
    def _disputes(store: Store) -> dict[str, list[tuple[int, str, bool]]]:
        """Partition → (sequence number, conflict, open) of every step of its disputes."""
        found: dict[str, list[tuple[int, str, bool]]] = defaultdict(list)
        for versions in store.versions_of.values():
            for version in versions:
                said = version.said
                if said["kind"] == "conflict":
                    found[said["partition"]].append((said["seq"], said["id"], said["doc"]["state"] != "settled"))
        return {name: sorted(steps) for name, steps in found.items()}

    def gives(self, officer: str, partition: str, at: int, begin: int, end: int) -> bool:
        """Whether a partition was an officer's at sequence number ``at``, at some moment from ``begin`` to ``end`` (us)."""
        post = self.posts[officer]
        subject, record, compartment = partition.split("/")
        if compartment == "case" and (subject != "person" or post not in CASE):
            return False
        if subject == "facility":
            return post in FACILITY and record == self.facility
        known = self.subjects.get(record)
        present, place = known.at(at) if known is not None and known.kind == subject else (False, None)
        if post in FACILITY:
            return present or self._in_dispute(partition, at)
        if post not in WARD or not present:
            return False
        chain = [record] if subject == "place" else []
        while place is not None:
            above = self.subjects.get(place)
            there, over = above.at(at) if above is not None else (False, None)
            if not there:
                break
            chain.append(place)
            place = over
        return any(self.assigned(officer, each, begin, end) for each in chain)

    def gives_between(self, officer: str, partition: str, least: int, most: int, begin: int, end: int) -> bool:
        """Whether it was his at any sequence number of a span, at some moment of another."""
        known = self.subjects.get(partition.split("/")[1])
        steps = [*(known.since if known else ()), *(seq for seq, _, _ in self.disputed.get(partition, ()))]
        spots = {least, *(seq for seq in steps if least < seq <= most)}
        return any(self.gives(officer, partition, seq, begin, end) for seq in spots)

    def _in_dispute(self, partition: str, at: int) -> bool:
        return any({conflict: still for seq, conflict, still in self.disputed.get(partition, ()) if seq <= at}.values())

    def assigned(self, officer: str, place: str, begin: int, end: int) -> bool:
        """Whether a place can have been an officer's at some moment of a span."""
        now, possible = False, False
        for started, done, given in self.grants.get((officer, place), ()):
            if started > end:
                break
            if done >= begin:  # under way within the span: before and after are both possible
                possible = possible or now or given
            now = given
        return now or possible

    def partitions(self, officer: str, at: int, moment: int) -> set[str]:
        """An officer's whole scope."""
        names = [f"facility/{self.facility}/base"]
        for record, subject in self.subjects.items():
            names.append(f"{subject.kind}/{record}/base")
            names.append(f"{subject.kind}/{record}/case")
        return {name for name in names if self.gives(officer, name, at, moment, moment)}


Grants = dict[tuple[str, str], list[tuple[int, int, bool]]]
"""(officer, place) → (begun, done, given) of every grant and its end, in order."""


def _grants(history: History) -> list[Grants]:
    """The grants of each epoch's store: a restore takes back what was given and taken since its copy was made."""
    ids = history.founded["ids"]
    found: Grants = defaultdict(list)
    for number, wards in history.founded["wards"].items():
        for ward in wards:
            found[ids[number], ids[ward]].append((0, 0, True))
    copy, stores = _copied(found), list[Grants]()
    for event in history.director:
        words = event.get("words") or []
        if event["what"] == "admin.end" and event["exit"] == 0 and words[:1] == ["officers"] and len(words) == 5:
            given = words[1] == "assign"
            found[ids[words[3]], words[4]].append((event["begin"], event["us"], given))
        elif event["what"] == "backup":
            copy = _copied(found)
        elif event["what"] == "restore.begin":
            stores.append(found)
            found = _copied(copy)
    return [*stores, found]


def _copied(grants: Grants) -> Grants:
    return defaultdict(list, {key: list(steps) for key, steps in grants.items()})


def check(history: History, stores: list[Store], verdict: Verdict) -> dict[int, World]:
    """Checks what was sent at any time, what is held at the end, and the partitions' own sums. Returns the epochs' worlds."""
    worlds = {
        store.facility.epoch: World(store, grants) for store, grants in zip(stores, _grants(history), strict=True)
    }
    for life in history.lives.values():
        for pull in life.pulls:
            _check_pull(life, pull, worlds.get(pull["epoch"]), verdict)
    last = stores[-1]
    for life in history.lives.values():
        if life.final and life.final["reader"] is not None:
            _check_held(life, last, worlds[last.facility.epoch], verdict)
    _check_partitions(last, verdict)
    _check_damage(history, verdict)
    return worlds


def _check_pull(life: Life, pull: Event, world: World | None, verdict: Verdict) -> None:
    if world is None:
        verdict.add(5, "epoch.unknown", f"{life.who} pulled from epoch {pull['epoch']}", life.terminal)
        return
    for name, cursor, _, _, _, rows in pull["parts"]:
        verdict.counts["rows sent"] += len(rows)
        if not world.gives(pull["officer"], name, pull["at"], pull["sent"], pull["us"]):
            what = f"{life.who} was sent {len(rows)} rows of {name}, outside the scope of {pull['officer']} at {pull['at']}"
            verdict.add(6, "scope.sent", what, life.terminal, name.split("/")[1])
        for record, version, seq, _, partition in rows:
            if partition != name or seq > pull["at"] or seq > cursor:
                what = f"{life.who} was sent {record}/{version} ({seq}) of {partition} in {name} up to {cursor}"
                verdict.add(6, "pull.misplaced", what, life.terminal, record)


def _check_held(life: Life, store: Store, world: World, verdict: Verdict) -> None:
    """The rows held are those of the scope, byte for byte."""
    final = life.final
    scope = world.partitions(final["reader"], store.facility.seq, final["us"])
    expected: dict[str, dict[str, list[Any]]] = {name: {} for name in scope}
    for row in store["records"]:
        if row.partition in scope and row.state != "removed":
            expected[row.partition][row.id] = [row.version, sha(row.body)[:16].hex()]
    held = final["rows"]
    for name in sorted(set(held) - scope):
        if held[name]:
            verdict.add(6, "scope.kept", f"{life.who} still holds {len(held[name])} rows of {name}", life.terminal)
    for name, rows in expected.items():
        mine = held.get(name, {})
        for record in sorted(set(rows) | set(mine)):
            if rows.get(record) != mine.get(record):
                what = f"{life.who} holds {mine.get(record)} of {record} in {name}, the server has {rows.get(record)}"
                verdict.add(3, "rows.differ", what, life.terminal, record)
        verdict.counts["rows held"] += len(mine)


def _check_partitions(store: Store, verdict: Verdict) -> None:
    """What the partitions say of themselves follows from their records."""
    by_name: dict[str, list[Any]] = defaultdict(list)
    for row in store["records"]:
        by_name[row.partition].append(row)
    for row in store["partitions"]:
        rows = by_name.pop(row.partition, [])
        present = [each for each in rows if each.state != "removed"]
        true = (max((each.seq for each in rows), default=0), len(rows), len(present))
        if row.digest is not None and row.digest != digest(term(each.id, each.version, each.body) for each in present):
            verdict.add(3, "partition.digest", f"the digest of {row.partition} is not that of its rows", row.partition)
        told = (row.seq, row.count, row.present if row.digest is not None or row.present else true[2])
        if told != true:
            verdict.add(3, "partition.counts", f"{row.partition} counts {told}, has {true}", row.partition)
    for name in by_name:
        verdict.add(3, "partition.missing", f"{name} has records and no row of its own", name)


def _check_damage(history: History, verdict: Verdict) -> None:
    """A digest that a pull brought is the one of the rows that it completes, unless the device had spoilt its own."""
    damaged: set[tuple[str, str]] = set()
    for event in history.events:
        key = (event["who"], event.get("partition", ""))
        if event["what"] == "damaged":
            damaged.add(key)
        elif event["what"] == "mended":
            damaged.discard(key)
            verdict.counts["repairs"] += 1
        elif event["what"] == "differs" and key not in damaged:
            said = {name: event[name] for name in ("cursor", "mine", "theirs", "present", "held")}
            verdict.add(
                3, "digest.differs", f"{event['who']}: {event['partition']} {json.dumps(said)}", event["partition"]
            )
