"""The rows that a terminal in memory holds, as pulls brought them, with the digest of each partition (§7, §8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from torture.keys import b64u, sha

NOTHING = "A" * 43


class Row(NamedTuple):
    """A row: its bytes as they came, and what they say."""

    partition: str
    version: int
    seq: int
    raw: bytes
    said: dict[str, Any]


def term(record: str, version: int, raw: bytes) -> int:
    """What a row adds to its partition's digest."""
    return int.from_bytes(sha(record.encode(), b"\n", str(version).encode(), b"\n", raw), "big")


@dataclass
class Held:
    """Cursors and rows of one reader. ``epoch`` is the one in which they were given."""

    epoch: int = 1
    cursors: dict[str, int] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    sums: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    """How many rows of each partition."""
    downloads: dict[str, Any] = field(default_factory=dict)
    """Snapshots that have not come to their end, by partition."""

    def keep(self, said: dict[str, Any]) -> None:
        """Takes one row of an answer."""
        self.drop(said["id"])
        if said["state"] == "removed":
            return
        raw = orjson.dumps(said)
        self.rows[said["id"]] = Row(said["partition"], said["version"], said["seq"], raw, said)
        self._add(said["partition"], term(said["id"], said["version"], raw), 1)

    def drop(self, record: str) -> None:
        """Removes a row, if it is held."""
        row = self.rows.pop(record, None)
        if row is not None:
            self._add(row.partition, -term(record, row.version, row.raw), -1)

    def _add(self, partition: str, amount: int, rows: int) -> None:
        self.sums[partition] = (self.sums.get(partition, 0) + amount) % (1 << 256)
        self.counts[partition] = self.counts.get(partition, 0) + rows

    def empty(self, partition: str) -> None:
        """Removes a partition's rows; its cursor stays."""
        for record in [key for key, row in self.rows.items() if row.partition == partition]:
            del self.rows[record]
        self.sums.pop(partition, None)
        self.counts.pop(partition, None)

    def leave(self, partition: str) -> None:
        """Removes a partition that has left the scope."""
        self.empty(partition)
        self.cursors.pop(partition, None)

    def digest(self, partition: str) -> str:
        """The digest of what is held of a partition."""
        return b64u(self.sums.get(partition, 0).to_bytes(32, "big"))

    def dump(self) -> dict[str, dict[str, list[Any]]]:
        """Partition → record → [version, first half of the SHA-256 of its bytes]."""
        found: dict[str, dict[str, list[Any]]] = {name: {} for name in self.cursors}
        for record, row in self.rows.items():
            found.setdefault(row.partition, {})[record] = [row.version, short(row.raw)]
        return found


def short(raw: bytes) -> str:
    """What a journal keeps of a row's bytes: the first 16 bytes of their SHA-256."""
    return sha(raw)[:16].hex()
