"""Rows, their cursors and digests, and snapshots that are being fetched. Part of the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from headless.digests import Sum, body_of, term, total
from headless.errors import Broken
from headless.identities import Identities
from headless.proof import Head

REMOVED = "removed"


@dataclass(frozen=True)
class Download:
    """A snapshot that is being fetched, as the server described it."""

    partition: str
    snapshot: str
    cursor: int
    present: int
    digest: str
    size: int
    sha256: str


@dataclass
class Kept:
    """What became of a page: whether it was kept, and the partitions whose digest is not the server's."""

    kept: bool
    differ: list[str]


_KEEP = "INSERT OR REPLACE INTO rows (id, kind, version, seq, partition, body, term) VALUES (?, ?, ?, ?, ?, ?, ?)"
"""Plain SQL: thousands of rows come in a pull, and sqlite-utils would build and inspect it for each."""


class Rows(Identities):
    """The rows of the officer's scope, exactly as the server sent them."""

    def cursors(self) -> dict[str, int]:
        """Partition -> the sequence number up to which it is held."""
        return {row["partition"]: row["seq"] for row in self._all("SELECT partition, seq FROM cursors")}

    def pulled(self) -> tuple[int | None, int]:
        """The epoch in which rows were pulled (None: never), and the facility's number up to which that was complete."""
        epoch, at = self.fact("pulled", (None, 0))
        return epoch, at

    def rows(self, kind: str | None = None, record: str | None = None) -> list[dict[str, Any]]:
        """The rows held, in the server's order: all, those of a kind, or a record's."""
        wanted = {"kind": kind, "id": record}
        given = {column: value for column, value in wanted.items() if value is not None}
        where = " AND ".join(f"{column} = :{column}" for column in given)
        with self._lock:
            found = list(self._db.table("rows").rows_where(where or None, given, order_by="seq, id", select="body"))
        return [orjson.loads(row["body"]) for row in found]

    # Pages of a pull

    def keep_page(self, sent: dict[str, int], page: dict[str, Any], head: Head) -> Kept:
        """Rows, cursors and removals of one page of a pull, in one transaction.

        Nothing is kept when the cursors are no longer those `sent`: another puller was quicker. A page of another epoch
        makes every cursor worthless: sequence numbers of two epochs are not compared.
        """
        with self.transaction():
            if self.cursors() != sent:
                return Kept(False, [])
            epoch, at = self.pulled()
            if epoch is not None and page["epoch"] != epoch:
                if page["epoch"] < epoch:
                    raise Broken(f"pull: epoch {page['epoch']} after {epoch}")
                self._run("DELETE FROM cursors")
                at = 0
            differ = [part["partition"] for part in page["partitions"] if not self._keep_part(part)]
            for name in page["gone"]:
                self._leave(name)
            if not page["more"] and not page["snapshots"]:
                at = page["at"]
                self._run("DELETE FROM rows WHERE partition NOT IN (SELECT partition FROM cursors)")
            self._note("pulled", [page["epoch"], at])
            self._keep_head(head)
        if page["gone"]:
            self.sweep()
        return Kept(True, differ)

    def _keep_part(self, part: dict[str, Any]) -> bool:
        """One partition's rows; whether its digest is the one told, where one is told."""
        name, cursor = part["partition"], part["cursor"]
        known = self._one("SELECT digest FROM cursors WHERE partition = ?", name)
        if known is None or part.get("reset"):
            self._run("DELETE FROM rows WHERE partition = ?", name)
            known = None
        sum_ = Sum(known["digest"] if known else None)
        self._keep_rows(name, part["rows"], sum_)
        digest = sum_.text()
        self._db.table("cursors").upsert({"partition": name, "seq": cursor, "digest": digest}, pk="partition")
        return self._holds(name, part.get("digest"), part.get("present"))

    def _keep_rows(self, partition: str, rows: Iterable[dict[str, Any]], sum_: Sum) -> int:
        """Replace, add and remove rows, moving the partition's sum with them. Returns how many came."""
        count = 0
        for row in rows:
            count += 1
            old = self._db.execute("SELECT term FROM rows WHERE id = ?", (row["id"],)).fetchone()
            if old is not None:
                sum_.subtract(old[0])
            if row["state"] == REMOVED:
                self._run("DELETE FROM rows WHERE id = ?", row["id"])
                continue
            body = body_of(row)
            term_ = term(row["id"], row["version"], body)
            sum_.add(term_)
            self._run(_KEEP, row["id"], row["kind"], row["version"], row["seq"], partition, body.decode(), term_)
        return count

    def _holds(self, partition: str, digest: str | None, present: int | None) -> bool:
        held = self._one(
            "SELECT digest, (SELECT count(*) FROM rows WHERE rows.partition = cursors.partition) AS present"
            " FROM cursors WHERE partition = ?",
            partition,
        )
        assert held is not None
        return (digest is None or held["digest"] == digest) and (present is None or held["present"] == present)

    def leave(self, partitions: list[str]) -> None:
        """These have left the officer's scope."""
        with self.transaction():
            for name in partitions:
                self._leave(name)
        self.sweep()

    def _leave(self, name: str) -> None:
        for table in ("rows", "cursors", "downloads"):
            self._run(f"DELETE FROM {table} WHERE partition = ?", name)  # noqa: S608 - table names are ours

    # Snapshots

    def downloads(self) -> list[Download]:
        """Snapshots that have been begun."""
        return [Download(**row) for row in self._all("SELECT * FROM downloads ORDER BY partition")]

    def begin_download(self, download: Download) -> None:
        """Remember what is being fetched, before a byte of it comes."""
        with self.transaction():
            self._db.table("downloads").upsert(vars(download), pk="partition")

    def drop_download(self, partition: str) -> None:
        """It is not there any more, or cannot be used."""
        with self.transaction():
            self._run("DELETE FROM downloads WHERE partition = ?", partition)
        self.sweep()

    def keep_snapshot(self, download: Download, rows: Iterable[dict[str, Any]]) -> int:
        """A whole partition in one transaction, in place of whatever was held of it. Returns how many rows came.

        Raises Broken, keeping nothing, when the rows do not sum up to what was told.
        """
        with self.transaction():
            self._run("DELETE FROM rows WHERE partition = ?", download.partition)
            sum_ = Sum()
            count = self._keep_rows(download.partition, rows, sum_)
            told = {"partition": download.partition, "seq": download.cursor, "digest": sum_.text()}
            self._db.table("cursors").upsert(told, pk="partition")
            self._run("DELETE FROM downloads WHERE partition = ?", download.partition)
            if not self._holds(download.partition, download.digest, download.present):
                raise Broken(f"snapshot of {download.partition}: not the rows that were told")
        self.sweep()
        return count

    # Repair

    def audit(self) -> dict[str, str]:
        """Partition -> its digest, counted anew from the bytes held: a row that has changed by itself shows."""
        found: dict[str, list[str]] = {name: [] for name in self.cursors()}
        for row in self._all("SELECT id, version, partition, body FROM rows"):
            found.setdefault(row["partition"], []).append(term(row["id"], row["version"], row["body"].encode()))
        return {name: total(terms) for name, terms in found.items()}

    def terms(self, partition: str) -> dict[str, str]:
        """Record -> its term, counted anew from the bytes held."""
        found = self._all("SELECT id, version, body FROM rows WHERE partition = ?", partition)
        return {row["id"]: term(row["id"], row["version"], row["body"].encode()) for row in found}

    def mend(self, partition: str, cursor: int, rows: list[dict[str, Any]], removed: list[str]) -> bool:
        """Keep what differed, in one transaction. False, and nothing kept, when the cursor has moved meanwhile."""
        with self.transaction():
            if self.cursors().get(partition) != cursor:
                return False
            for id_ in removed:
                self._run("DELETE FROM rows WHERE id = ? AND partition = ?", id_, partition)
            self._keep_rows(partition, rows, Sum())
            digest = total(self.terms(partition).values())
            self._db.table("cursors").update(partition, {"digest": digest})
            return True
