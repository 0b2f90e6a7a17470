"""The terminal's file: its tables, its transactions, and small facts by name.

`Database.transaction` is the only owner of transactions: the connection is in autocommit mode, BEGIN IMMEDIATE and
COMMIT stand there and nowhere else. sqlite-utils 4 sees the open transaction and makes each of its writes a
savepoint within it (its `atomic`), so none of them commits by itself.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import sqlite_utils
from sqlite_utils import Migrations

from headless.digests import Sum, term
from headless.lead import Lead

BUSY_SECONDS = 30  # how long a second process on the same file waits for the first one's transaction

Columns = dict[str, type]
migrations = Migrations("headless")

_IDENTITY: Columns = {
    "id": int,
    "code": str,
    "pem": str,
    "server": str,
    "label": str,
    "facility": str,
    "terminal": str,
    "incarnation": int,
    "genesis": str,
    "server_key": str,
    "reader": str,
    "frozen": str,
}
_SESSIONS: Columns = {
    "session": str,
    "officer": str,
    "number": str,
    "name": str,
    "posts": str,
    "token": str,
    "expires_at": str,
    "current": int,
}
_QUEUE: Columns = {
    "n": int,
    "op": str,
    "kind": str,
    "verb": str,
    "record": str,
    "officer": str,
    "raw": bytes,
    "hash": str,
    "status": str,
    "epoch": int,
    "outcome": str,
}
_ROWS: Columns = {"id": str, "kind": str, "version": int, "seq": int, "partition": str, "body": str}
_HEADS: Columns = {"id": int, "epoch": int, "size": int, "root": str, "at": str, "jws": str}
_DOWNLOADS: Columns = {
    "partition": str,
    "snapshot": str,
    "cursor": int,
    "present": int,
    "digest": str,
    "size": int,
    "sha256": str,
}


@migrations()
def first(db: sqlite_utils.Database) -> None:
    """Identity, sessions, queue, rows with their cursors, the newest head."""
    db.table("identity").create(_IDENTITY, pk="id", not_null={"code", "pem", "server"})
    db.table("sessions").create(_SESSIONS, pk="session")
    known = set(_QUEUE) - {"n", "epoch", "outcome"}
    queue = db.table("queue").create(_QUEUE, pk="n", not_null=known, defaults={"status": "waiting"})
    queue.create_index(["op"], unique=True)
    for column in ("record", "kind", "status"):
        queue.create_index([column])
    db.table("cursors").create({"partition": str, "seq": int}, pk="partition")
    rows = db.table("rows").create(_ROWS, pk="id")
    for column in ("partition", "kind"):
        rows.create_index([column])
    db.table("heads").create(_HEADS, pk="id")


@migrations()
def lives(db: sqlite_utils.Database) -> None:
    """More than one incarnation and epoch: what belongs to earlier ones, and the key of the next one."""
    identity = db.table("identity")
    for column in ("asset", "next_pem", "old_pem"):
        identity.add_column(column, str)
    past = db.table("past").create({"incarnation": int, **_QUEUE, "safe": int, "wrapped": int}, pk=("incarnation", "n"))
    past.create_index(["op"])
    past.create_index(["record"])
    db.table("facts").create({"name": str, "value": str}, pk="name")
    held = list(db.query("SELECT epoch, size, root, at, jws, 0 AS shown FROM heads"))
    db.table("heads").drop()
    by_epoch = {**{name: type_ for name, type_ in _HEADS.items() if name != "id"}, "shown": int}
    db.table("heads").create(by_epoch, pk="epoch").insert_all(held)  # the newest of each epoch is kept as a witness


@migrations()
def digests(db: sqlite_utils.Database) -> None:
    """A term for each row, a digest for each partition, and snapshots that are being fetched."""
    db.table("rows").add_column("term", str)
    db.table("cursors").add_column("digest", str)
    sums: dict[str, Sum] = {}
    for row in list(db.query("SELECT id, version, partition, body FROM rows")):
        told = term(row["id"], row["version"], row["body"].encode())
        db.table("rows").update(row["id"], {"term": told})
        sums.setdefault(row["partition"], Sum()).add(told)
    for cursor in list(db.query("SELECT partition FROM cursors")):
        digest = sums.get(cursor["partition"], Sum())
        db.table("cursors").update(cursor["partition"], {"digest": digest.text()})
    db.table("downloads").create(_DOWNLOADS, pk="partition")


@migrations()
def keys(db: sqlite_utils.Database) -> None:
    """The keys of all earlier incarnations: a restored server may know only an old one."""
    db.table("keys").create({"incarnation": int, "pem": str}, pk="incarnation", not_null={"pem"})
    held = list(db.query("SELECT incarnation, old_pem AS pem FROM identity WHERE old_pem IS NOT NULL"))
    db.table("keys").insert_all({**row, "incarnation": row["incarnation"] - 1} for row in held)
    db.execute("ALTER TABLE identity DROP COLUMN old_pem")


@migrations()
def refresh(db: sqlite_utils.Database) -> None:
    """What gets a session its next access token, and whether its officer has to change his secret first."""
    for column, type_ in (("refresh_token", str), ("refresh_expires_at", str), ("must_change", int)):
        db.table("sessions").add_column(column, type_)


@migrations()
def luggage(db: sqlite_utils.Database) -> None:
    """Files that operations name, on their way."""
    columns: Columns = {"digest": str, "type": str, "size": int, "state": str, "upload": str, "problem": str}
    db.table("luggage").create(columns, pk="digest", not_null={"type", "size", "state"})


@migrations()
def offers(db: sqlite_utils.Database) -> None:
    """Heads that were shown, and await the proof that they continue those that were taken."""
    columns: Columns = {name: type_ for name, type_ in _HEADS.items() if name != "id"}
    db.table("offers").create(columns, pk="epoch")


class Database:
    """One terminal's file, for any number of threads and processes."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        # The file holds the key: nobody else may read it. SQLite gives its -wal and -shm the same mode.
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        self.lead = Lead(self.path)
        # One lock inside the process: threads that leave their waiting to SQLite can starve ("database is locked").
        self._lock = threading.RLock()
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        self._db = sqlite_utils.Database(connection)
        self._db.enable_wal()
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA secure_delete=ON")  # what one officer may no longer see is not left in free pages
        with self.transaction():
            migrations.apply(self._db)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
            self.lead.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable on leaving. Not nested: SQLite refuses a second BEGIN."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._db.rollback()
                raise

    def _all(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._db.query(sql, parameters))

    def _one(self, sql: str, *parameters: Any) -> dict[str, Any] | None:
        found = self._all(sql, *parameters)
        return found[0] if found else None

    def _run(self, sql: str, *parameters: Any) -> int:
        """A statement that changes rows, within a transaction. Returns how many."""
        return int(self._db.execute(sql, parameters).rowcount)

    def fact(self, name: str, otherwise: Any = None) -> Any:
        """A small fact by its name, as it was noted; `otherwise` when there is none."""
        row = self._one("SELECT value FROM facts WHERE name = ?", name)
        return otherwise if row is None else orjson.loads(row["value"])

    def note(self, name: str, value: Any) -> None:
        """Keep a small fact, in a transaction of its own."""
        with self.transaction():
            self._note(name, value)

    def _note(self, name: str, value: Any) -> None:
        self._db.table("facts").upsert({"name": name, "value": orjson.dumps(value).decode()}, pk="name")
