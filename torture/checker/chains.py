"""Chains: what stands in the store is what was captured, linked; what is missing is explained by a terminal's loss."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from torture.checker.findings import Verdict
from torture.checker.hashing import data, genesis, link, text
from torture.checker.history import Captured, History, Life
from torture.checker.store import Store


def check(history: History, stores: list[Store], verdict: Verdict) -> None:
    """Checks every chain of the last store, the server's own too, that everything captured is where it should be, and
    that nobody was told to destroy what no verified backup has."""
    store = stores[-1]
    chains: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for row in store["operations"]:
        chains[row.terminal, row.incarnation].append(row)
    thumbprints = {(row.terminal, row.incarnation): row.thumbprint for row in store["terminals"]}
    thumbprints |= {(row.terminal, row.incarnation): row.thumbprint for row in store["incarnations"]}
    for (terminal, incarnation), rows in chains.items():
        life = history.lives.get(terminal)
        start = genesis(store.facility.facility, terminal, incarnation, thumbprints.get((terminal, incarnation), ""))
        _check_links(life, sorted(rows, key=lambda row: row.n), start, verdict)
    for life in history.lives.values():
        _check_captured(life, store, verdict)
        for each in stores:
            _check_orders(history, life, each, verdict)


def _check_orders(history: History, life: Life, store: Store, verdict: Verdict) -> None:
    """``wipe`` only when a backup that was verified in the epoch has every leaf of the terminal; ``keep`` only before."""
    epoch, mine = store.facility.epoch, (life.terminal,)
    final = {(row.terminal, row.incarnation, row.n): row for row in store["operations"] if row.terminal in mine}
    # What was in custody had its receipt's leaf until its end, which may have come after the order.
    first = final | {(row.terminal, row.incarnation, row.n): row for row in store["holds"] if row.terminal in mine}
    least, last = (
        max((row.leaf for row in each.values() if row.epoch == epoch), default=-1) for each in (first, final)
    )  # fmt: skip
    verified = [event for event in history.director if event["what"] == "verified" and event["epoch"] == epoch]
    for answer in life.answers:
        if answer["epoch"] != epoch or answer["order"] is None:
            continue
        verdict.counts["orders"] += 1
        begun = max((event["size"] for event in verified if event["begin"] < answer["us"]), default=-1)
        done = max((event["size"] for event in verified if event["us"] < answer["sent"]), default=-1)
        what = f"{life.who} is told to {answer['order']}: its last leaf is {last}, a verified backup has {begun}"
        if answer["order"] == "wipe" and final and least >= begun:
            verdict.add(1, "wipe.early", what, life.terminal)
        forked = any(row.terminal in mine for row in store["forks"])
        if answer["order"] == "keep" and last < done and not forked:
            verdict.add(1, "wipe.withheld", what, life.terminal)


def _check_links(life: Life | None, rows: list[Any], start: bytes, verdict: Verdict) -> None:
    before, n = start, 0
    for row in rows:
        name = f"number {row.n} of {life.who if life else 'the server'}, incarnation {row.incarnation}"
        if life is not None and life.genesis.get(row.incarnation) not in (None, text(start)):
            verdict.add(5, "chain.genesis", f"{name}: another genesis than its terminal was given", row.terminal)
        made = _made(life, row) if life is not None else None
        if life is not None and made is None:
            verdict.add(5, "chain.bytes", f"{name} is not what its terminal captured", row.op, row.terminal)
        if row.n == n + 1 and link(before, row.n, row.raw) != row.hash:
            verdict.add(5, "chain.link", f"{name} does not follow from the one before it", row.op, row.terminal)
        before, n = row.hash, row.n
    verdict.counts["links"] += len(rows)


def _made(life: Life, row: Any) -> Captured | None:
    for made in life.captured.get((row.incarnation, row.n), ()):
        if made.raw == row.raw and data(made.hash) == row.hash:
            return made
    return None


def _check_captured(life: Life, store: Store, verdict: Verdict) -> None:
    """All that a terminal captured is in the store, unless the terminal itself lost it, or was never let back in."""
    final = life.final
    stuck = bool(final) and (final["gone"] and not life.wiped or final["frozen"])
    if stuck and life.gone != "incarnation.taken":
        verdict.add(
            1, "terminal.stuck", f"{life.who} has no way to go on: {life.gone or final['frozen']}", life.terminal
        )
    present = {(row.hash, row.n) for row in store["operations"] if row.terminal == life.terminal}
    forked = {(row.hash, row.n) for row in store["forks"] if row.terminal == life.terminal}
    lost_ops = {made.op for place in life.lost for made in life.captured.get(place, ()) if made.op is not None}
    for (incarnation, n), each in life.captured.items():
        verdict.counts["captured"] += len(each)
        for made in each:
            key = (data(made.hash), n)
            if key in present or (made.op is not None and made.op in store.by_op):
                continue
            if (
                key in forked
                or (incarnation, n) in life.lost
                or made.op in lost_ops
                or _forgotten(life, made)
                or _wrapped(life, made)
            ):
                verdict.counts["lost on the device"] += 1
            elif stuck:
                verdict.remarks[f"stuck: {life.who}"] += 1
            elif life.wiped:
                what = f"{life.who} was told to destroy {incarnation}/{n}, and the store does not have it"
                verdict.add(1, "wipe.early", what, made.op, life.terminal)
            elif not final:
                verdict.remarks[f"no end: {life.who}"] += 1
            else:
                what = f"{life.who} captured {made.tag} {incarnation}/{n} and the store does not have it"
                verdict.add(1, "capture.lost", what, made.op, life.terminal)


def _forgotten(life: Life, made: Captured) -> bool:
    """Captured after an image that was put back later: the device no longer has it."""
    return any(
        made.incarnation == incarnation and last < made.n and made.us < us
        for incarnation, last, _, us in life.went_back
    )


def _wrapped(life: Life, made: Captured) -> bool:
    """Bytes without an id that were put on a newer chain: there they are looked for."""
    if made.op is not None:
        return False
    word = f"wrapped from {made.incarnation}/{made.n}"
    return any(other.why == word for each in life.captured.values() for other in each)
