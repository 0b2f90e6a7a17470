"""The reading half of a terminal in memory: pull, and repair by digests (docs/protocol.md §7, §8)."""

from __future__ import annotations

from typing import Any

from torture import taking
from torture.held import NOTHING, term
from torture.keys import b64u, sha
from torture.light import Light

MOST_ROWS = 200_000
"""More than any run makes: who was given so many and is promised more pulls for ever."""
STILL = 3
"""So many pages one after the other that promise more and bring nothing: that pull never ends."""
BUCKETS = "/v1/sync/buckets"


def pull(light: Light, limit: int, pages: int = MOST_ROWS, *, snapshots: bool = False) -> bool:
    """Pulls until there is no more, at most so many pages; whether it came to the end. ``snapshots``: large partitions
    that it does not have yet are taken whole."""
    rows = still = 0
    for _ in range(pages):
        held = light.held
        body = {"partitions": held.cursors, "limit": limit, "epoch": held.epoch, "snapshots": snapshots}
        sent = light.journal.note("pull", officer=light.reader, limit=limit, epoch=held.epoch)
        answer = light.asked("pull", "POST", "/v1/sync/pull", body)
        if answer is None or not answer.ok:
            return False
        told = answer.json()
        _note(light, sent, told)
        _keep(light, told)
        if not all(_whole(light, partition) for partition in told["snapshots"]):
            return False
        if not (told["more"] or told["snapshots"]):
            return True
        brought = sum(len(part["rows"]) for part in told["partitions"]) + len(told["snapshots"])
        rows, still = rows + brought, 0 if brought or told["gone"] else still + 1
        if still == STILL or rows >= MOST_ROWS:
            light.journal.note("endless", route="pull", rows=rows, still=still, limit=limit)
            return False
    return False


def _whole(light: Light, partition: str) -> bool:
    """Takes a partition as a snapshot in the place of what is held of it; whether it came to its end."""
    held, download = light.held, taking.take(light, partition)
    if download is None:
        return False
    said, rows = download.said, download.rows()
    light.journal.note(
        "taken", officer=light.reader, sent=download.sent, epoch=held.epoch, partition=partition, cursor=said["cursor"],
        pieces=download.pieces, rows=_listed(rows),
    )  # fmt: skip
    held.empty(partition)
    for row in rows:
        held.keep(row)
    held.cursors[partition] = said["cursor"]
    _compare(light, said)
    return True


def _listed(rows: list[dict[str, Any]]) -> list[list[Any]]:
    return [[row["id"], row["version"], row["seq"], row["state"], row["partition"]] for row in rows]


def _note(light: Light, sent: int, told: dict[str, Any]) -> None:
    parts = [
        [
            part["partition"], part["cursor"], bool(part.get("reset")), part.get("present"), part.get("digest"),
            _listed(part["rows"]),
        ]
        for part in told["partitions"]
    ]  # fmt: skip
    light.journal.note(
        "pulled", officer=light.reader, sent=sent, epoch=told["epoch"], at=told["at"], more=told["more"],
        parts=parts, gone=told["gone"], head=told["head"],
    )  # fmt: skip


def _keep(light: Light, told: dict[str, Any]) -> None:
    held = light.held
    for name in told["gone"]:
        held.leave(name)
    for part in told["partitions"]:
        if part.get("reset"):
            held.empty(part["partition"])
        for row in part["rows"]:
            held.keep(row)
        held.cursors[part["partition"]] = part["cursor"]
        if part.get("digest") is not None:
            _compare(light, part)
    held.epoch = told["epoch"]
    if told["epoch"] > light.epoch:
        light.opens(told["epoch"])
    light.hear(told["head"])


def _compare(light: Light, part: dict[str, Any]) -> None:
    name = part["partition"]
    present = light.held.counts.get(name, 0)
    if light.held.digest(name) != part["digest"] or present != part["present"]:
        light.journal.note(
            "differs", partition=name, cursor=part["cursor"], mine=light.held.digest(name), theirs=part["digest"],
            present=part["present"], held=present,
        )  # fmt: skip


def damage(light: Light) -> None:
    """Spoils a row that is held, as a bad disk does; ``repair`` finds out."""
    names = sorted({row.partition for row in light.held.rows.values()})
    if not names or BUCKETS not in light.routes:
        return
    name = light.chance.choice(names)
    mine = sorted(record for record, row in light.held.rows.items() if row.partition == name)
    record = light.chance.choice(mine)
    light.journal.note("damaged", partition=name, record=record)
    light.held.drop(record)


def repair(light: Light) -> None:
    """Compares digests and fetches again what differs."""
    held = light.held
    if BUCKETS not in light.routes or not held.cursors or light.seat is None:
        return
    asked = {name: {"cursor": seq, "digest": held.digest(name)} for name, seq in held.cursors.items()}
    answer = light.asked("digests", "POST", "/v1/sync/digests", {"partitions": asked})
    if answer is None or not answer.ok:
        return
    told = answer.json()
    light.journal.note("digests", differ=told["differ"], stale=len(told["stale"]), gone=told["gone"])
    for name in told["gone"]:
        held.leave(name)
    for name in told["differ"]:
        if not _mend(light, name):
            return


def _mend(light: Light, name: str) -> bool:
    """Repairs one partition, bucket by bucket; whether it could be done at this cursor."""
    held, cursor = light.held, light.held.cursors[name]
    answer = light.asked("buckets", "POST", BUCKETS, {"partition": name})
    if answer is None or not answer.ok or answer.json()["cursor"] != cursor:
        return False
    sums = answer.json()["sums"]
    mine = _buckets(light, name)
    wrong = [at for at in range(256) if sums[at] != mine[at]]
    answer = light.asked("entries", "POST", "/v1/sync/entries", {"partition": name, "cursor": cursor, "buckets": wrong})
    if answer is None or not answer.ok or answer.json()["cursor"] != cursor:
        return False
    wanted = _stale(light, name, wrong, answer.json()["entries"])
    if wanted:
        answer = light.asked("rows", "POST", "/v1/sync/rows", {"partition": name, "ids": wanted[:500]})
        if answer is None or not answer.ok or answer.json()["cursor"] != cursor:
            return False
        for row in answer.json()["rows"]:
            held.keep(row)
    light.journal.note("mended", partition=name, rows=len(wanted), buckets=len(wrong))
    return True


def _bucket(record: str) -> int:
    return sha(record.encode())[0]


def _buckets(light: Light, name: str) -> list[str]:
    sums = [0] * 256
    for record, row in light.held.rows.items():
        if row.partition == name:
            sums[_bucket(record)] += term(record, row.version, row.raw)
    return [b64u((each % (1 << 256)).to_bytes(32, "big")) if each else NOTHING for each in sums]


def _stale(light: Light, name: str, wrong: list[int], entries: list[list[str]]) -> list[str]:
    """Drops what the entries do not list; returns what has to be fetched."""
    listed = dict(entries)
    mine = {
        record: b64u(term(record, row.version, row.raw).to_bytes(32, "big"))[:8]
        for record, row in light.held.rows.items()
        if row.partition == name and _bucket(record) in wrong
    }
    for record in mine.keys() - listed.keys():
        light.held.drop(record)
    return sorted(record for record, begin in listed.items() if mine.get(record) != begin)
