"""Invariants 3 and 6 beside the pull: what streams name and show, what snapshots give."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any

from torture.checker.findings import Verdict
from torture.checker.hashing import sha
from torture.checker.history import History, Life
from torture.checker.scope import World
from torture.checker.store import Store

SLACK = 6_000_000
"""Microseconds in which a stream may still go by a scope that has changed: servers look every two seconds, late when busy."""
Event = dict[str, Any]


def check(history: History, stores: list[Store], worlds: dict[int, World], verdict: Verdict) -> None:
    """Checks every stream and every snapshot of every terminal."""
    by_epoch = {store.facility.epoch: store for store in stores}
    clocks = {epoch: _Clock(history, epoch, store) for epoch, store in by_epoch.items()}
    for life in history.lives.values():
        for event in life.taken:
            _check_taken(life, event, worlds[event["epoch"]], clocks[event["epoch"]], verdict)
        for begun, events in life.heard.items():
            _check_stream(life, begun, events, by_epoch, worlds, clocks, verdict)


class _Clock:
    """Between which sequence numbers a facility stood at a moment, by what pulls were told."""

    def __init__(self, history: History, epoch: int, store: Store) -> None:
        pulls = [pull for life in history.lives.values() for pull in life.pulls if pull["epoch"] == epoch]
        self._told = sorted((pull["us"], pull["at"]) for pull in pulls)
        self._asked = sorted((pull["sent"], pull["at"]) for pull in pulls)
        self._last: int = store.facility.seq
        for each in (self._told, self._asked):
            highest = 0
            for place, (us, at) in enumerate(each):
                highest = max(highest, at)
                each[place] = (us, highest)

    def least(self, us: int) -> int:
        """All up to this number had been committed."""
        found = bisect_right(self._told, (us, 2**60)) - 1
        return self._told[found][1] if found >= 0 else 0

    def most(self, us: int) -> int:
        """Nothing beyond this number had been committed."""
        found = bisect_left(self._asked, (us, 0))
        return self._asked[found][1] if found < len(self._asked) else self._last


def _check_taken(life: Life, event: Event, world: World, clock: _Clock, verdict: Verdict) -> None:
    """A snapshot's partition is the officer's while its last piece is asked for; its rows are in their place."""
    verdict.counts["snapshots"] += 1
    verdict.counts["pieces"] += event["pieces"]
    name, sent, us = event["partition"], event["sent"], event["us"]
    if not world.gives_between(event["officer"], name, clock.least(sent), clock.most(us), sent, us):
        what = f"{life.who} was given a snapshot of {name}, outside the scope of {event['officer']}"
        verdict.add(6, "snapshot.scope", what, life.terminal, name.split("/")[1])
    for record, version, seq, state, partition in event["rows"]:
        if partition != name or seq > event["cursor"] or state == "removed":
            what = f"{life.who}: {record}/{version} ({seq}, {state}) of {partition} in a snapshot of {name}"
            verdict.add(6, "snapshot.misplaced", what, life.terminal, record)


def _check_stream(
    life: Life, begun: int, events: list[Event], stores: dict[int, Store], worlds: dict[int, World],
    clocks: dict[int, _Clock], verdict: Verdict,
) -> None:  # fmt: skip
    """Positions rise; names and rows are of the officer's scope; a row is the store's, byte for byte."""
    verdict.counts["streams"] += 1
    position = (0, 0)
    for event in events:
        said, us = event["said"], event["us"]
        verdict.counts[f"stream {event['event']}"] += 1
        if "at" in said:
            if (said["epoch"], said["at"]) < position:
                verdict.add(3, "stream.back", f"{life.who}: {said} after {position}", life.terminal)
            position = (said["epoch"], said["at"])
        if position[0] not in stores:
            verdict.add(5, "epoch.unknown", f"{life.who} heard of epoch {position[0]}", life.terminal)
            return
        store, world, clock = stores[position[0]], worlds[position[0]], clocks[position[0]]
        earlier = max(begun, us - SLACK)
        for name in said.get("partitions", ()):
            if not world.gives_between(event["officer"], name, clock.least(earlier), clock.most(us), earlier, us):
                what = f"{life.who} heard of {name} at {said['at']}, outside the scope of {event['officer']}"
                verdict.add(6, "stream.scope", what, life.terminal, name.split("/")[1])
        if event["event"] == "alarm":
            _check_alarm(life, event, (earlier, clock.most(us)), store, world, verdict)


def _check_alarm(
    life: Life, event: Event, span: tuple[int, int], store: Store, world: World, verdict: Verdict
) -> None:  # fmt: skip
    """``span``: since when (us), and up to which sequence number, the officer may have been given the partition."""
    (record, version, digest), name = event["said"]["row"], event["said"]["partition"]
    row = store.bodies.get((record, version))
    if row is None or sha(row.raw)[:16].hex() != digest or row.said["partition"] != name:
        verdict.add(3, "stream.row", f"{life.who} was shown {record}/{version}, and it is not the store's", record)
    elif not world.gives_between(event["officer"], name, row.said["seq"], span[1], span[0], event["us"]):
        what = f"{life.who} was shown {record}/{version} of {name}, outside the scope of {event['officer']}"
        verdict.add(6, "stream.alarm", what, life.terminal, record)
