"""The terminal's own database: identity, sessions, queue, rows, cursors, newest head.

`Store.transaction` is the only owner of transactions: the connection is in autocommit mode, BEGIN IMMEDIATE and
COMMIT stand there and nowhere else. sqlite-utils 4 sees the open transaction and makes each of its writes a
savepoint within it (its `atomic`), so none of them commits by itself.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlite_utils import Database, Migrations

from headless.chain import MAX_BODY, frame, link
from headless.errors import Broken, NotEnrolled
from headless.proof import Head, Jwk

BUSY_SECONDS = 30  # how long a second process on the same file waits for the first one's transaction

migrations = Migrations("headless")


Columns = dict[str, type]

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


@migrations()
def first(db: Database) -> None:
    """The tables of version 1."""
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


@dataclass(frozen=True)
class Identity:
    """Who this terminal is. `frozen` says why it must not push; `reader` is the officer whose rows are held."""

    code: str
    pem: str
    server: str
    label: str
    facility: str
    terminal: str
    incarnation: int
    genesis: str
    server_key: Jwk
    reader: str | None
    frozen: dict[str, Any] | None


@dataclass(frozen=True)
class Session:
    """A sign-in. Operations go on naming it after its token has ended (protocol section 4)."""

    session: str
    officer: str
    number: str
    name: str
    posts: list[str]
    token: str
    expires_at: str


@dataclass(frozen=True)
class Queued:
    """One operation of this terminal; `outcome` is None and `status` "waiting" until the server's word is known."""

    n: int
    op: str
    kind: str
    verb: str
    record: str
    officer: str
    raw: bytes
    hash: str
    status: str
    outcome: dict[str, Any] | None

    @property
    def operation(self) -> dict[str, Any]:
        """The operation, read from its bytes."""
        parsed: dict[str, Any] = orjson.loads(self.raw)
        return parsed


@dataclass(frozen=True)
class Place:
    """Where the next operation will stand: its number, the hash before it, what came before on its record."""

    n: int
    prior: str
    previous: str | None
    anchor: Head


@dataclass(frozen=True)
class Batch:
    """Operations with consecutive numbers for one push; `captured` is the highest number in the queue."""

    prior: str
    operations: list[Queued]
    captured: int


class Store:
    """One terminal's database, for any number of threads and processes."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        file = Path(path)
        # The file holds the key: nobody else may read it. SQLite gives its -wal and -shm the same mode.
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        # One lock inside the process: threads that leave their waiting to SQLite can starve ("database is locked").
        self._lock = threading.RLock()
        connection = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        self._db = Database(connection)
        self._db.enable_wal()
        self._db.execute("PRAGMA synchronous=FULL")
        with self.transaction():
            migrations.apply(self._db)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

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

    # Identity

    def begin_enrolment(self, code: str, server: str, label: str, new_key: Callable[[], str]) -> tuple[str, bool]:
        """The key (PEM) for this code, stored before it is first used, and whether the answer is stored too.

        Another code gets another key: whether the first one's request has taken effect cannot be known.
        """
        with self.transaction():
            row = self._one("SELECT code, pem, terminal FROM identity")
            if row is not None and (row["terminal"] is not None or row["code"] == code):
                return row["pem"], row["terminal"] is not None
            pem = new_key()
            self._db.table("identity").upsert(
                {"id": 1, "code": code, "pem": pem, "server": server, "label": label}, pk="id"
            )
            return pem, False

    def finish_enrolment(
        self, facility: str, terminal: str, incarnation: int, genesis: str, server_key: Jwk, head: Head
    ) -> None:
        """Store the server's answer to the enrolment, and its first head."""
        with self.transaction():
            self._db.table("identity").update(
                1,
                {
                    "facility": facility,
                    "terminal": terminal,
                    "incarnation": incarnation,
                    "genesis": genesis,
                    "server_key": orjson.dumps(server_key).decode(),
                },
            )
            self._keep_head(head)

    def identity(self) -> Identity:
        """Raises NotEnrolled until the server's answer is stored."""
        row = self._one("SELECT * FROM identity WHERE terminal IS NOT NULL")
        if row is None:
            raise NotEnrolled("this terminal is not enrolled")
        row.pop("id")
        row["server_key"] = orjson.loads(row["server_key"])
        row["frozen"] = None if row["frozen"] is None else orjson.loads(row["frozen"])
        return Identity(**row)

    def server(self) -> str | None:
        """The server's base URL, as given at enrolment."""
        row = self._one("SELECT server FROM identity")
        return None if row is None else row["server"]

    def freeze(self, reason: dict[str, Any]) -> None:
        """Remember why nothing may be pushed any more."""
        with self.transaction():
            self._freeze(reason)

    def _freeze(self, reason: dict[str, Any]) -> None:
        self._db.table("identity").update(1, {"frozen": orjson.dumps(reason).decode()})

    # Sessions

    def open_session(self, session: Session) -> None:
        """Make it the current one. Rows that another officer pulled go: this one may not see them."""
        with self.transaction():
            self._db.execute("UPDATE sessions SET current = 0, token = NULL WHERE current = 1")
            values = {**vars(session), "posts": orjson.dumps(session.posts).decode(), "current": 1}
            self._db.table("sessions").upsert(values, pk="session")
            row = self._one("SELECT reader FROM identity")
            if row is not None and row["reader"] != session.officer:
                self._db.execute("DELETE FROM rows")
                self._db.execute("DELETE FROM cursors")
                self._db.table("identity").update(1, {"reader": session.officer})

    def close_session(self) -> None:
        """Nobody is signed in any more; the token is forgotten, the session's row stays."""
        with self.transaction():
            self._db.execute("UPDATE sessions SET current = 0, token = NULL WHERE current = 1")

    def session(self) -> Session | None:
        """The current session."""
        row = self._one(
            "SELECT session, officer, number, name, posts, token, expires_at FROM sessions WHERE current = 1"
        )
        if row is None:
            return None
        row["posts"] = orjson.loads(row["posts"])
        return Session(**row)

    # Heads

    def head(self) -> Head | None:
        """The newest verified head."""
        row = self._one("SELECT epoch, size, root, at, jws FROM heads")
        return None if row is None else Head(**row)

    def keep_head(self, head: Head) -> None:
        """Keep a verified head when it is newer. Raises Broken when it contradicts the one we hold."""
        with self.transaction():
            self._keep_head(head)

    def _keep_head(self, head: Head) -> None:
        known = self.head()
        if known is not None and (known.epoch, known.size) == (head.epoch, head.size) and known.root != head.root:
            raise Broken(f"head: two roots for size {head.size} of epoch {head.epoch}")
        if known is None or (known.epoch, known.size) < (head.epoch, head.size):
            self._db.table("heads").upsert({"id": 1, **vars(head)}, pk="id")

    # Queue

    def enqueue(self, op: str, kind: str, verb: str, record: str, officer: str, build: Callable[[Place], bytes]) -> int:
        """Give an operation its number and chain hash and keep its bytes, in one transaction. Returns `n`.

        `build` makes the bytes once the number is known; when it raises, the number is free again.
        """
        with self.transaction():
            anchor = self.head()
            if anchor is None:
                raise NotEnrolled("this terminal is not enrolled")
            last = self._one("SELECT n, hash FROM queue ORDER BY n DESC LIMIT 1")
            previous = self._one("SELECT op FROM queue WHERE record = ? ORDER BY n DESC LIMIT 1", record)
            n, prior = (1, self.identity().genesis) if last is None else (last["n"] + 1, last["hash"])
            raw = build(Place(n, prior, previous["op"] if previous else None, anchor))
            self._db.table("queue").insert(
                {
                    "n": n,
                    "op": op,
                    "kind": kind,
                    "verb": verb,
                    "record": record,
                    "officer": officer,
                    "raw": raw,
                    "hash": link(prior, n, raw),
                }
            )
            return int(n)

    def queue(self, *, kind: str | None = None, record: str | None = None, status: str | None = None) -> list[Queued]:
        """Operations by number, all or those of a kind, record or status."""
        wanted = {"kind": kind, "record": record, "status": status}
        given = {column: value for column, value in wanted.items() if value is not None}
        where = " AND ".join(f"{column} = :{column}" for column in given)
        with self._lock:
            rows = list(self._db.table("queue").rows_where(where or None, given, order_by="n"))
        return [_queued(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many operations there are of each status."""
        sql = "SELECT status, count(*) AS number FROM queue GROUP BY status ORDER BY status"
        return {row["status"]: row["number"] for row in self._all(sql)}

    def batch(self, start: int | None, limit: int, size: int = MAX_BODY) -> Batch:
        """The next operations to push, from `start` or the first without an outcome, up to `size` bytes of frames."""
        with self._lock:
            if start is None:
                waiting = self._one("SELECT min(n) AS n FROM queue WHERE status = 'waiting'")
                start = waiting["n"] if waiting else None
            if start is None:
                return Batch("", [], 0)
            before = self._one("SELECT hash FROM queue WHERE n = ?", start - 1)
            prior = self.identity().genesis if before is None else before["hash"]
            last = self._one("SELECT max(n) AS n FROM queue")
            chosen: list[Queued] = []
            for row in self._all("SELECT * FROM queue WHERE n >= ? ORDER BY n LIMIT ?", start, limit):
                queued = _queued(row)
                size -= len(frame(queued.n, queued.hash, queued.raw))
                if size < 0:
                    break
                chosen.append(queued)
            return Batch(prior, chosen, last["n"] if last else 0)

    def settle(self, epoch: int, next_: int, outcomes: list[dict[str, Any]], head: Head) -> list[dict[str, Any]]:
        """Keep an answer to a push: its outcomes and its head, in one transaction. Returns the new outcomes.

        Raises Broken when an operation would get a second, different outcome within an epoch. When the server
        expects a number that this database has never given, the database is an older copy: it is frozen.
        """
        with self.transaction():
            fresh = [outcome for outcome in outcomes if self._settle_one(epoch, outcome)]
            self._keep_head(head)
            last = self._one("SELECT max(n) AS n FROM queue")
            if last is not None and next_ > (last["n"] or 0) + 1:
                self._freeze({"code": "terminal.behind", "next": next_, "captured": last["n"]})
            return fresh

    def _settle_one(self, epoch: int, outcome: dict[str, Any]) -> bool:
        row = self._one("SELECT op, epoch, outcome FROM queue WHERE n = ?", outcome["n"])
        if row is None or outcome.get("op") not in (None, row["op"]):
            raise Broken(f"outcome of operation {outcome['n']}: not one of ours")
        if row["outcome"] is not None and row["epoch"] >= epoch:
            if orjson.loads(row["outcome"]) != outcome:
                raise Broken(f"outcome of operation {outcome['n']}: not the one given before")
            return False
        self._db.table("queue").update(
            outcome["n"],
            {"status": outcome["status"], "epoch": epoch, "outcome": orjson.dumps(outcome).decode()},
        )
        return True

    # Rows

    def cursors(self) -> dict[str, int]:
        """Partition -> the sequence number up to which it is held."""
        return {row["partition"]: row["seq"] for row in self._all("SELECT partition, seq FROM cursors")}

    def rows(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The rows held, in the server's order, all or those of a kind."""
        where, given = (None, []) if kind is None else ("kind = ?", [kind])
        with self._lock:
            found = list(self._db.table("rows").rows_where(where, given, order_by="seq, id", select="body"))
        return [orjson.loads(row["body"]) for row in found]

    def keep_page(self, sent: dict[str, int], partitions: list[dict[str, Any]], gone: list[str], head: Head) -> bool:
        """Rows, cursors and removals of one page of a pull, in one transaction.

        False, and nothing kept, when the cursors are no longer those `sent`: another puller was quicker.
        """
        with self.transaction():
            if self.cursors() != sent:
                return False
            for part in partitions:
                name = part["partition"]
                rows = [
                    {
                        "id": row["id"],
                        "kind": row["kind"],
                        "version": row["version"],
                        "seq": row["seq"],
                        "partition": name,
                        "body": orjson.dumps(row).decode(),
                    }
                    for row in part["rows"]
                ]
                self._db.table("rows").upsert_all(rows, pk="id")
                self._db.table("cursors").upsert({"partition": name, "seq": part["cursor"]}, pk="partition")
            for name in gone:
                self._db.execute("DELETE FROM rows WHERE partition = ?", (name,))
                self._db.execute("DELETE FROM cursors WHERE partition = ?", (name,))
            self._keep_head(head)
            return True


def _queued(row: dict[str, Any]) -> Queued:
    values = {key: value for key, value in row.items() if key != "epoch"}
    values["outcome"] = None if values["outcome"] is None else orjson.loads(values["outcome"])
    return Queued(**values)
