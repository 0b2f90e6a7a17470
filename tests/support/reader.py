"""A reader who keeps to the protocol's sections 7 and 8 and shares no code with the server: rows, cursors, digests."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterable
from typing import Any

import orjson

from tests.support.caller import Caller
from tests.support.hand import Hand
from tests.support.world import World

Row = dict[str, Any]


def term(row: Row) -> int:
    """A row's term, read as a number."""
    said = f"{row['id']}\n{row['version']}\n".encode() + orjson.dumps(row)
    return int.from_bytes(hashlib.sha256(said).digest(), "big")


def spelt(total: int) -> str:
    """A sum as it is sent."""
    return base64.urlsafe_b64encode((total % 2**256).to_bytes(32, "big")).decode().rstrip("=")


def digest(rows: Iterable[Row]) -> str:
    return spelt(sum(map(term, rows)))


def bucket(row: Row) -> int:
    return hashlib.sha256(row["id"].encode()).digest()[0]


class Copy:
    """What a reader holds: rows by id, cursors by partition. Whenever the server says what is up to date, the digest
    and the number of rows must be his own."""

    def __init__(self, hand: Hand, *, snapshots: bool = False) -> None:
        self.hand = hand
        self.rows: dict[str, Row] = {}
        self.cursors: dict[str, int] = {}
        self.gone: list[str] = []
        self.resets: list[str] = []
        self.removed: list[str] = []
        self.offered: list[str] = []
        self.epoch: int | None = None
        self._snapshots = snapshots

    @classmethod
    def of(cls, world: World, name: str, **options: bool) -> Copy:
        """An officer's copy on a terminal of its own, with nothing in it yet."""
        return cls(Hand(world).signed_in(name), **options)

    def ask(self, path: str, body: Any) -> dict[str, Any]:
        """A request of the officer's. Raises Problem."""
        return self.hand.wire.ask(self.hand.key, "POST", f"/v1/sync/{path}", body, self.hand.token)

    def of_partition(self, name: str) -> list[Row]:
        return [row for row in self.rows.values() if row["partition"] == name]

    def page(self, limit: int) -> bool:
        """Pulls one page; whether there is more."""
        body = {"partitions": self.cursors, "limit": limit, "snapshots": self._snapshots}
        page = self.ask("pull", body | ({} if self.epoch is None else {"epoch": self.epoch}))
        assert sum(len(part["rows"]) for part in page["partitions"]) <= limit
        names = [part["partition"] for part in page["partitions"]]
        assert len(set(names)) == len(names) and not set(names) & set(page["gone"])
        for part in page["partitions"]:
            self._take(part)
        for name in page["gone"]:
            self.drop(name)
            del self.cursors[name]
        self.gone += page["gone"]
        self.offered = page["snapshots"]
        self.epoch = page["epoch"]
        return bool(page["more"])

    def _take(self, part: dict[str, Any]) -> None:
        name, cursor = part["partition"], part["cursor"]
        if part.get("reset"):
            self.resets.append(name)
            self.drop(name)
        else:
            assert cursor != self.cursors.get(name)
        assert {row["partition"] for row in part["rows"]} <= {name}
        assert [row["seq"] for row in part["rows"]] == sorted(row["seq"] for row in part["rows"])
        for row in part["rows"]:
            if row["state"] == "removed":
                assert row["doc"] is None
                self.removed.append(row["id"])
                self.rows.pop(row["id"], None)
            else:
                self.rows[row["id"]] = row
        self.cursors[name] = cursor
        assert ("digest" in part) == ("present" in part)
        if "digest" in part:
            held = self.of_partition(name)
            assert (part["present"], part["digest"]) == (len(held), digest(held)), name

    def drop(self, name: str) -> None:
        """Throws a partition's rows away."""
        self.rows = {key: row for key, row in self.rows.items() if row["partition"] != name}

    def pull(self, limit: int = 500) -> Copy:
        """Pulls until there is no more."""
        while self.page(limit):
            pass
        return self

    def compare(self) -> dict[str, Any]:
        """Holds the digests of all that is held against the server's."""
        held = {name: {"cursor": at, "digest": digest(self.of_partition(name))} for name, at in self.cursors.items()}
        return self.ask("digests", {"partitions": held})

    def repair(self, name: str) -> None:
        """Sections 8's way to the rows that differ, and no further."""
        mine = self.of_partition(name)
        told = self.ask("buckets", {"partition": name})
        sums = [0] * 256
        for row in mine:
            sums[bucket(row)] += term(row)
        wrong = [at for at in range(256) if spelt(sums[at]) != told["sums"][at]]
        assert told["cursor"] == self.cursors[name]
        if not wrong:
            return
        said = self.ask("entries", {"partition": name, "cursor": self.cursors[name], "buckets": wrong})["entries"]
        listed = dict(said)
        suspect = {row["id"]: row for row in mine if bucket(row) in wrong}
        for record in suspect.keys() - listed.keys():
            del self.rows[record]
        wanted = [each for each, sign in said if each not in suspect or spelt(term(suspect[each]))[:8] != sign]
        if wanted:
            found = self.ask("rows", {"partition": name, "ids": wanted})["rows"]
            self.rows |= {row["id"]: row for row in found}

    def take_snapshot(self, name: str, piece: int | None = None) -> dict[str, Any]:
        """Has a partition's snapshot made, gets it (in pieces of so many bytes), and takes it in."""
        made = self.ask("snapshots", {"partition": name})
        packed = fetch(self.hand, made["snapshot"], made["size"], piece)
        assert len(packed) == made["size"]
        assert base64.urlsafe_b64encode(hashlib.sha256(packed).digest()).decode().rstrip("=") == made["sha256"]
        lines = gzip.decompress(packed).splitlines(keepends=True)
        assert all(line.endswith(b"\n") for line in lines)
        rows = [orjson.loads(line) for line in lines]
        assert [orjson.dumps(row) + b"\n" for row in rows] == lines
        self._take({"partition": name, "rows": rows, **{key: made[key] for key in ("cursor", "present", "digest")}})
        return made


def fetch(hand: Hand, snapshot: str, size: int, piece: int | None = None) -> bytes:
    """A snapshot's bytes, whole or in pieces."""
    path, found = f"/v1/sync/snapshots/{snapshot}", b""
    while len(found) < size:
        caller = Caller(hand.world, hand.key, hand.token)
        span = {} if piece is None else {"Range": f"bytes={len(found)}-{len(found) + piece - 1}"}
        response = caller.ask("GET", path, headers=caller.headers("GET", path) | span)
        assert response.status_code == (200 if piece is None else 206), response.data
        assert response.headers["Content-Type"] == "application/gzip"
        assert "Content-Encoding" not in response.headers
        found += response.data
    return found
