"""Rows out of the fake server: pages, resets, snapshots, digests (protocol sections 7 and 8)."""

from __future__ import annotations

import gzip
import json
from typing import Any

from tests.headless.fake_crypto import b64, digest, uuid7
from tests.headless.fake_kinds import State
from tests.headless.fake_refusals import Failure

Row = dict[str, Any]
FILLING = 1 << 41
"""Added to the cursor of a partition that is begun anew, below where its tombstones were buried: cursors are opaque."""


def sent(row: Row) -> bytes:
    """A row's bytes."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()


def term(row: Row) -> bytes:
    """What it adds to the digest."""
    return digest(f"{row['id']}\n{row['version']}\n".encode() + sent(row))


def summed(rows: list[Row]) -> str:
    """The digest of rows."""
    total = sum(int.from_bytes(term(row), "big") for row in rows) % 2**256
    return b64(total.to_bytes(32, "big"))


def bucket(row: Row) -> int:
    """0-255."""
    return digest(row["id"].encode())[0]


class Rows:
    """What may be read. `floors`: partition -> up to where its tombstones were buried."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.floors: dict[str, int] = {}
        self.many = 1000
        self.snapshots: dict[str, tuple[str, bytes]] = {}

    def of(self, partition: str) -> list[Row]:
        """All rows of a partition, tombstones too, in their order."""
        rows = [row for row in self.state.rows.values() if row["partition"] == partition]
        return sorted(rows, key=lambda row: int(row["seq"]))

    def present(self, partition: str) -> list[Row]:
        """Those that were not taken away."""
        return [row for row in self.of(partition) if row["state"] != "removed"]

    def remove(self, record: str, now: str) -> None:
        """Take a record away: a tombstone."""
        row = self.state.rows[record]
        self.state.put(record, row["kind"], row["partition"], "removed", None, now, {})  # type: ignore[arg-type]

    def bury(self, partition: str) -> None:
        """Forget the tombstones of a partition: who has not heard of them must begin anew."""
        for row in self.of(partition):
            if row["state"] == "removed":
                del self.state.rows[row["id"]]
                self.floors[partition] = max(self.floors.get(partition, 0), row["seq"])

    def page(self, scope: set[str], held: dict[str, int], limit: int, fresh: bool, snapshots: bool) -> dict[str, Any]:
        """One page over all partitions, in the order of sequence numbers. `fresh`: the terminal is of another epoch."""
        at = self.state.seq
        resets = {name for name in held if fresh or 0 < held[name] < self.floors.get(name, 0)}
        since = {name: 0 if name in resets else held.get(name, 0) % FILLING for name in scope}
        whole = {name for name in scope if snapshots and name not in held and len(self.present(name)) > self.many}
        news = sorted(
            (row for name in scope - whole for row in self.of(name) if row["seq"] > since[name]),
            key=lambda row: int(row["seq"]),
        )
        chosen, more = news[:limit], len(news) > limit
        upto = chosen[-1]["seq"] if more else at
        partitions = []
        for name in sorted(scope - whole):
            rows = [row for row in chosen if row["partition"] == name]
            if not rows and name in held and name not in resets:
                continue
            whole_of_it = upto >= self.newest(name)
            partly = upto + FILLING if upto < self.floors.get(name, 0) else upto
            entry = {"partition": name, "cursor": self.newest(name) if whole_of_it else partly, "rows": rows}
            if name in resets:
                entry["reset"] = True
            if whole_of_it:
                entry |= {"present": len(self.present(name)), "digest": summed(self.present(name))}
            partitions.append(entry)
        told = {"at": at, "more": more, "partitions": partitions, "snapshots": sorted(whole)}
        return told | {"gone": sorted(set(held) - scope)}

    def snapshot(self, partition: str) -> dict[str, Any]:
        """A partition as a file."""
        rows = self.present(partition)
        content = gzip.compress(b"".join(sent(row) + b"\n" for row in rows))
        id_ = uuid7()
        self.snapshots[id_] = (partition, content)
        told = {"snapshot": id_, "partition": partition, "cursor": self.newest(partition), "present": len(rows)}
        return told | {"digest": summed(rows), "size": len(content), "sha256": b64(digest(content))}

    # Repair

    def compared(self, scope: set[str], held: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """Which partitions differ, have news, or have left the scope."""
        gone = sorted(set(held) - scope)
        stale = [name for name in held if name in scope and held[name]["cursor"] < self.newest(name)]
        same = [name for name in held if name in scope and held[name]["digest"] == summed(self.present(name))]
        differ = [name for name in held if name not in {*gone, *stale, *same}]
        return {"at": self.state.seq, "differ": differ, "stale": stale, "gone": gone}

    def newest(self, partition: str) -> int:
        """The sequence number of a partition's last change."""
        return max([self.floors.get(partition, 0), *(int(row["seq"]) for row in self.of(partition))])

    def told(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """Buckets, entries or rows of a partition."""
        name = body["partition"]
        rows = self.present(name)
        said = {"partition": name, "cursor": self.newest(name)}
        if what == "buckets":
            sums = [summed([row for row in rows if bucket(row) == at]) for at in range(256)]
            return said | {"present": len(rows), "sums": sums}
        if what == "entries":
            listed = [row for row in rows if bucket(row) in body["buckets"]]
            return said | {"entries": [[row["id"], b64(term(row))[:8]] for row in listed]}
        if len(body["ids"]) > 500:
            raise Failure(422, "field.invalid", field="ids")
        return said | {"rows": [row for row in rows if row["id"] in body["ids"]]}
