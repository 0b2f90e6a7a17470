"""Invariants 1 and 2: what was acknowledged is there, once, with the bytes that were told; one effect each."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

from torture.checker.findings import Verdict
from torture.checker.history import History, Life, Outcome
from torture.checker.store import Store

FINAL = frozenset({"applied", "merged", "conflict", "rejected", "quarantined", "escrowed"})
EFFECTIVE = frozenset({"applied", "merged"})


def check(history: History, stores: list[Store], verdict: Verdict) -> None:
    """Holds every outcome that any terminal was told against the store of its epoch, and against the last one."""
    by_epoch = {store.facility.epoch: store for store in reversed(stores)}
    for life in history.lives.values():
        _check_told(life, by_epoch, stores[-1], verdict)
        _check_answers(life, by_epoch, verdict)
        _check_schemas(life, history.upgraded, verdict)
    for store in stores:
        check_effects(store, verdict)
    for row in stores[-1]["operations"]:
        verdict.statuses[row.status] += 1


def _check_told(life: Life, by_epoch: dict[int, Store], last: Store, verdict: Verdict) -> None:
    finals: dict[tuple[int, int, int], Outcome] = {}
    for told in life.told:
        verdict.counts["outcomes told"] += 1
        key = (told.epoch, told.incarnation, told.n)
        first = finals.get(key)
        if told.said["status"] in FINAL:
            finals.setdefault(key, told)
        if first is not None and told.said["status"] == "held":
            # A receipt on its way while the final outcome overtook it; it must have been one.
            place = (life.terminal, told.incarnation, told.n, told.raw)
            store = by_epoch.get(told.epoch)
            if store is not None and place not in store.receipts:
                verdict.add(2, "receipt.changed", f"{life.who} got a receipt that is not kept", told.said["op"])
        elif first is not None and first.raw != told.raw:
            what = f"{life.who} was told two things of {told.incarnation}/{told.n}: {first.raw[:300]!r}, {told.raw[:300]!r}"
            verdict.add(2, "outcome.changed", what, told.said["op"], life.terminal)
        elif first is None:
            _check_one(life, told, by_epoch, last, verdict)


def _check_schemas(life: Life, upgraded: int, verdict: Verdict) -> None:
    """Nothing takes effect of a push with an operation that its server cannot read yet (426); a revoked terminal's goes
    into escrow unread."""
    newer = {place: each for place, each in life.captured.items() if any(b'"schema":2,' in made.raw for made in each)}
    sent: dict[tuple[int, int], int] = {}
    for push in life.pushes:
        places = [(push["incarnation"], n) for n in range(push["first"], push["last"] + 1)]
        # An older image of a device gives a number again: what was captured last was sent.
        made = [[each for each in newer[place] if each.us < push["us"]][-1:] for place in places if place in newer]
        unread = any(b'"schema":2,' in each.raw for last in made for each in last)
        if push["us"] > upgraded or push["route"] == "evacuate" or not unread:
            for place in places:
                sent.setdefault(place, push["us"])
    for told in life.told:
        if sent.get((told.incarnation, told.n), told.us) >= told.us:
            what = f"{life.who} was told of {told.incarnation}/{told.n}, which came only with what cannot be read"
            verdict.add(2, "schema.applied", what, told.said["op"], life.terminal)


def _check_one(life: Life, told: Outcome, by_epoch: dict[int, Store], last: Store, verdict: Verdict) -> None:
    store = by_epoch.get(told.epoch)
    if store is None:
        verdict.add(5, "epoch.unknown", f"{life.who} was told of epoch {told.epoch}", life.terminal)
        return
    row = store.by_place.get((life.terminal, told.incarnation, told.n))
    name = f"{told.said['status']} {told.incarnation}/{told.n} ({told.said['op']}) of {life.who}"
    stray = told.said["status"] == "quarantined" and (told.said.get("problem") or {}).get("code") == "chain.fork"
    if row is None:
        if not stray:
            verdict.add(1, "outcome.lost", f"{name} was acknowledged and is not there", told.said["op"], life.terminal)
        return
    if told.said["status"] == "held":
        place = (life.terminal, told.incarnation, told.n, told.raw)
        receipt = row.outcome == told.raw if row.status == "held" else place in store.receipts
        if not receipt:
            verdict.add(2, "receipt.changed", f"{name}: its receipt is not kept", told.said["op"], life.terminal)
        return
    if row.outcome != told.raw and not stray:
        verdict.add(
            2, "outcome.differs", f"{name}: the store has {row.outcome[:300]!r}", told.said["op"], life.terminal
        )
    op = told.said["op"]
    if store is not last and op is not None and op not in last.by_op and not _excused(life, told):
        verdict.add(1, "outcome.not_offered", f"{name} is not in the last epoch", op, life.terminal)


def _excused(life: Life, told: Outcome) -> bool:
    """The device had lost it, or was lost, before it could offer it again."""
    final = life.final
    lost = (told.incarnation, told.n) in life.lost or any(
        told.incarnation == incarnation and last < told.n for incarnation, last, _, _ in life.went_back
    )
    return lost or not final or bool(final["gone"]) or bool(final["frozen"])


def _check_answers(life: Life, by_epoch: dict[int, Store], verdict: Verdict) -> None:
    """What a server has of a chain never shrinks within an epoch, and it has all that it says it has."""
    _check_standing(life, by_epoch, verdict)
    highest: dict[tuple[int, int], int] = defaultdict(int)
    asked: dict[tuple[int, int], int] = {}
    for answer in life.answers:
        key = (answer["epoch"], answer["incarnation"])
        if (
            answer["next"] < highest[key]
            and answer["route"] == "push"
            and asked.get(key, 0) < answer["us"] - 20_000_000
        ):
            verdict.add(1, "chain.shrank", f"{life.who}: next was {highest[key]}, is {answer['next']}", life.terminal)
        if answer["next"] >= highest[key]:
            highest[key], asked[key] = answer["next"], answer["us"]


def _check_standing(life: Life, by_epoch: dict[int, Store], verdict: Verdict) -> None:
    """No number below the highest ``next`` that was told is missing from the store; none is said to be missing that is
    below it."""
    highest: dict[tuple[int, int], int] = defaultdict(int)
    for answer in life.answers:
        key = (answer["epoch"], answer["incarnation"])
        for n in range(max(1, highest[key]), answer["next"]):
            if life.sent.get((answer["incarnation"], n), answer["us"]) >= answer["us"]:
                what = f"{life.who} was told that {answer['next']} is the next one and had not sent {n} yet"
                verdict.add(1, "standing.false", what, life.terminal)
        highest[key] = max(highest[key], answer["next"])
        if any(first < answer["next"] for first, _ in answer["missing"] or []):
            what = f"{life.who}: next is {answer['next']}, missing {answer['missing']}"
            verdict.add(1, "standing.contradicts", what, life.terminal)
    for (epoch, incarnation), following in highest.items():
        store = by_epoch.get(epoch)
        if store is None:
            continue
        had = {row.n for row in store["operations"] if (row.terminal, row.incarnation) == (life.terminal, incarnation)}
        forked = {row.n for row in store["forks"] if (row.terminal, row.incarnation) == (life.terminal, incarnation)}
        lacking = [n for n in range(1, following) if n not in had and n not in forked]
        if lacking:
            what = f"{life.who} was told that {following} is the next one; {lacking[:10]} are not in the store"
            verdict.add(1, "standing.false", what, life.terminal)


def check_effects(store: Store, verdict: Verdict) -> None:
    """One version for each operation that took effect, none for the others; sequence numbers are used once."""
    made: dict[str, Counter[str]] = defaultdict(Counter)
    kinds: dict[str, set[str]] = defaultdict(set)
    for (record, _), version in store.bodies.items():
        made[version.said["op"]][record] += 1
        kinds[version.said["op"]].add(version.said["kind"])
    for op, records in made.items():
        twice = [record for record, times in records.items() if times > 1]
        if twice:
            verdict.add(1, "effect.twice", f"{op} made two versions of {twice}", op, *twice)
        if op not in store.by_op:
            verdict.add(1, "effect.alone", f"{op} made a version of {list(records)} and is not there", op, *records)
    released = _released(store)
    for row in store["operations"]:
        if row.op is not None:
            _check_effect(store, row, set(made.get(row.op, ())), kinds.get(row.op, set()), released, verdict)
    _check_sequence(store, verdict)


def _released(store: Store) -> set[str]:
    return {
        versions[-1].said["doc"]["op"]
        for versions in store.versions_of.values()
        if versions[-1].said["kind"] == "escrow" and versions[-1].said["state"] == "released"
    }


def _check_effect(
    store: Store, row: Any, records: set[str], kinds: set[str], released: set[str], verdict: Verdict
) -> None:
    name = f"{row.status} {row.op}"
    if row.status in EFFECTIVE:
        said = json.loads(row.outcome)
        version = store.bodies.get((said["record"], said["version"]))
        if version is None:
            verdict.add(1, "effect.lost", f"{name} made {said['record']}/{said['version']}, which is not there", row.op)
        elif row.status == "applied" and version.said["op"] != row.op:
            verdict.add(1, "effect.other", f"{name}: {said['record']}/{said['version']} is not its own", row.op)
    elif row.status in ("conflict", "escrowed"):
        if kinds - {"conflict"} and row.op not in released:
            verdict.add(1, "effect.forbidden", f"{name} made a version of {sorted(records)}", row.op, *records)
    elif records:
        verdict.add(1, "effect.forbidden", f"{name} made a version of {sorted(records)}", row.op, *records)


def _check_sequence(store: Store, verdict: Verdict) -> None:
    numbers = sorted(version.said["seq"] for version in store.bodies.values())
    if numbers != list(range(1, store.facility.seq + 1)):
        verdict.add(5, "sequence.gaps", f"{len(numbers)} versions are not numbered 1 to {store.facility.seq}")
    for record, versions in store.versions_of.items():
        told = [(version.said["version"], version.said["seq"]) for version in versions]
        if [number for number, _ in told] != list(range(1, len(told) + 1)) or told != sorted(
            told, key=lambda one: one[1]
        ):
            verdict.add(1, "versions.order", f"versions of {record} are {told}", record)
