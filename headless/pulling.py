"""Rows in: pages, resets, snapshots, repair (protocol sections 7 and 8). Part of the terminal."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Any

import orjson

from headless.chain import b64u
from headless.digests import SHOWN, bucket, by_bucket, total
from headless.errors import Broken, Problem
from headless.rows import Download
from headless.vigilance import Vigilant

MOST_ROWS = 500  # ids that /v1/sync/rows takes
ROUNDS = 4  # how often a repair begins again because the partition has moved on meanwhile
SNAPSHOTS = "/v1/sync/snapshots"


@dataclass
class Pulled:
    """What a pull brought.

    `rows`: how many; `gone`: partitions that have left the officer's scope; `snapshots`: partitions taken whole;
    `repaired`: partitions whose rows had differed from the server's.
    """

    rows: int = 0
    gone: list[str] = field(default_factory=list)
    snapshots: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)

    def add(self, other: Pulled) -> None:
        """What another pull brought after this one."""
        self.rows += other.rows
        self.gone += other.gone
        self.snapshots += other.snapshots
        self.repaired += other.repaired


@dataclass
class Repaired:
    """What a repair did: partitions that had differed, rows fetched, rows removed."""

    partitions: list[str] = field(default_factory=list)
    fetched: int = 0
    removed: int = 0


class Pulling(Vigilant):
    """The rows of the officer's scope, and nothing else."""

    def pull(self, limit: int = 500, *, snapshots: bool = True) -> Pulled:
        """Fetch the rows of the officer's scope until there are no more, `limit` rows a page (protocol section 7).

        Each partition's digest is checked when it is complete; what differs is repaired. Operations that wait are not
        touched. Raises NotSignedIn, Problem, Offline, Broken.
        """
        with self._vigil(), self.store.lead.held():
            pulled = Pulled()
            differ: set[str] = set()
            for download in self.store.downloads():
                self._take(download.partition, pulled)
            more = True
            while more:
                more = self._page(limit, snapshots, pulled, differ)
            if differ:
                pulled.repaired = self._repair(differ & set(self.store.cursors()), Repaired()).partitions
            return pulled

    def _page(self, limit: int, snapshots: bool, pulled: Pulled, differ: set[str]) -> bool:
        """One page. Returns whether there is more."""
        sent, (epoch, _) = self.store.cursors(), self.store.pulled()
        body = {"partitions": sent, "limit": limit, "snapshots": snapshots}
        page = self.ask("POST", "/v1/sync/pull", body if epoch is None else body | {"epoch": epoch})
        try:
            moved = any(sent.get(part["partition"], -1) != part["cursor"] for part in page["partitions"])
            if page["more"] and not (moved or page["gone"] or page["snapshots"] or page["epoch"] != epoch):
                raise Broken("pull: more is promised, and nothing moves")
            kept = self.store.keep_page(sent, page, self._verified(page["head"]))
        except (KeyError, TypeError) as error:
            raise Broken(f"pull: {error!r}") from error
        if not kept.kept:
            return True
        pulled.rows += sum(len(part["rows"]) for part in page["partitions"])
        pulled.gone += page["gone"]
        differ.difference_update(part["partition"] for part in page["partitions"])
        differ.update(kept.differ)
        for partition in page["snapshots"]:
            self._take(partition, pulled)
        return bool(page["more"] or page["snapshots"])

    # Snapshots

    def _take(self, partition: str, pulled: Pulled) -> None:
        """Fetch a partition whole, going on where an earlier attempt ended, and store it in one transaction."""
        for _ in range(ROUNDS):
            try:
                download = self._download(partition)
                file = self._fetched(download)
            except Problem as problem:
                if problem.code not in ("snapshot.gone", "range.invalid", "partition.forbidden"):
                    raise
                self.store.drop_download(partition)
                if problem.code == "partition.forbidden":
                    return
                continue
            try:
                pulled.rows += self.store.keep_snapshot(download, _lines(file))
            except (Broken, KeyError, TypeError, ValueError, EOFError, OSError, zlib.error) as error:
                self.store.drop_download(partition)
                raise Broken(f"snapshot of {partition}: {error!r}") from error
            pulled.snapshots.append(partition)
            return
        raise Broken(f"snapshot of {partition}: gone each time, or not the bytes that were told")

    def _download(self, partition: str) -> Download:
        known = [download for download in self.store.downloads() if download.partition == partition]
        if known:
            return known[0]
        told = self.ask("POST", SNAPSHOTS, {"partition": partition})
        try:
            download = Download(**{name: told[name] for name in Download.__dataclass_fields__})
        except KeyError as error:
            raise Broken(f"snapshot: {error!r}") from error
        if download.partition != partition:
            raise Broken("snapshot: of another partition")
        self.store.begin_download(download)
        return download

    def _fetched(self, download: Download) -> Path:
        """The snapshot's file, complete. Raises Problem `range.invalid` when it is not what was told: begin again."""
        file = Path(self.store.file(download.partition))
        with open(file, "ab+", opener=_private) as into:
            if into.seek(0, 2) < download.size:
                path = f"{SNAPSHOTS}/{download.snapshot}"
                self._authorised(lambda token: self.wire.fetch(self._key(), path, token, into))
            into.seek(0)
            told = b64u(file_digest(into, "sha256").digest())
        if told != download.sha256:
            raise Problem(416, {"code": "range.invalid", "en": "the bytes fetched are not those of the snapshot"})
        return file

    # Repair

    def repair(self) -> Repaired:
        """Compare every partition held with the server's, by the bytes on the disk, and fetch only what differs (section 8).

        Raises NotSignedIn, Problem, Offline, Broken.
        """
        with self._vigil(), self.store.lead.held():
            return self._repair(None, Repaired())

    def _repair(self, suspects: set[str] | None, done: Repaired) -> Repaired:
        for _ in range(ROUNDS):
            if suspects is None:
                suspects = self._compared()
            suspects = {name for name in suspects if not self._mended(name, done)}
            if not suspects:
                return done
            self._pull_plainly()  # they have moved on: news first
            suspects &= set(self.store.cursors())
        if suspects:
            raise Broken(f"digest: {', '.join(sorted(suspects))} cannot be made like the server's")
        return done

    def _pull_plainly(self) -> None:
        pulled, differ, more = Pulled(), set[str](), True
        while more:
            more = self._page(MOST_ROWS, False, pulled, differ)

    def _compared(self) -> set[str]:
        """Partitions that differ, by the server's word; what is stale is pulled first, and compared after."""
        for _ in range(ROUNDS):
            cursors, digests = self.store.cursors(), self.store.audit()
            held = {name: {"cursor": cursor, "digest": digests[name]} for name, cursor in cursors.items()}
            told = self.ask("POST", "/v1/sync/digests", {"partitions": held})
            try:
                differ, stale, gone = set(told["differ"]), told["stale"], told["gone"]
            except (KeyError, TypeError) as error:
                raise Broken(f"digests: {error!r}") from error
            self.store.leave(gone)
            if not stale:
                return differ
            self._pull_plainly()
        return differ | set(stale)

    def _mended(self, partition: str, done: Repaired) -> bool:
        """Whether the partition is like the server's afterwards; False: it has moved on, pull first."""
        cursor, terms = self.store.cursors()[partition], self.store.terms(partition)
        told = self._asked("buckets", {"partition": partition}, "sums")
        if told["cursor"] != cursor:
            return False
        mine = by_bucket(terms.items())
        buckets = [at for at, sum_ in enumerate(told["sums"]) if sum_ != mine[at]]
        if not buckets:
            return True
        entries = self._asked(
            "entries", {"partition": partition, "cursor": told["cursor"], "buckets": buckets}, "entries"
        )
        if entries["cursor"] != cursor:
            return False
        theirs = dict(entries["entries"])
        wanted = [id_ for id_, shown in theirs.items() if terms.get(id_, "")[:SHOWN] != shown]
        removed = [id_ for id_ in terms if bucket(id_) in set(buckets) and id_ not in theirs]
        rows: list[dict[str, Any]] = []
        for at in range(0, len(wanted), MOST_ROWS):
            part = self._asked("rows", {"partition": partition, "ids": wanted[at : at + MOST_ROWS]}, "rows")
            if part["cursor"] != cursor:
                return False
            rows += part["rows"]
        if not self.store.mend(partition, cursor, rows, removed):
            return False
        if partition not in done.partitions:
            done.partitions.append(partition)
        done.fetched += len(rows)
        done.removed += len(removed)
        return total(self.store.terms(partition).values()) == total(told["sums"])

    def _asked(self, what: str, body: dict[str, Any], *needed: str) -> dict[str, Any]:
        told = self.ask("POST", f"/v1/sync/{what}", body)
        if not {"cursor", *needed} <= set(told):
            raise Broken(f"{what}: {sorted(told)}")
        return told


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(file) as lines:
        for line in lines:
            row: dict[str, Any] = orjson.loads(line)
            yield row
