"""Who the terminal is and who is signed in at it; the newest heads. Part of the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from headless.database import Database
from headless.errors import Broken, NotEnrolled, Wiped
from headless.proof import Head, Jwk


@dataclass(frozen=True)
class Identity:
    """Who this terminal is. `frozen` says why it must not push; `reader` is the officer whose rows are held.

    `next_pem` is the key of an incarnation that has been asked for.
    """

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
    asset: str | None
    next_pem: str | None


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


class Identities(Database):
    """Identity, sessions and heads."""

    def begin_enrolment(
        self, code: str, server: str, label: str, new_key: Callable[[], str], asset: str | None = None
    ) -> tuple[str, bool]:
        """The key (PEM) for this code, stored before it is first used, and whether the answer is stored too.

        Another code gets another key: whether the first one's request has taken effect cannot be known.
        """
        with self.transaction():
            row = self._one("SELECT code, pem, terminal FROM identity")
            if row is not None and (row["terminal"] is not None or row["code"] == code):
                return row["pem"], row["terminal"] is not None
            made = {"id": 1, "code": code, "pem": new_key(), "server": server, "label": label, "asset": asset}
            self._db.table("identity").upsert(made, pk="id")
            self._run("DELETE FROM facts WHERE name = 'wiped'")
            return str(made["pem"]), False

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
            self._note("agreed_epoch", head.epoch)

    def identity(self) -> Identity:
        """Raises NotEnrolled until the server's answer is stored, and Wiped after the end."""
        row = self._one("SELECT * FROM identity WHERE terminal IS NOT NULL")
        if row is None:
            receipt = self.fact("wiped")
            if receipt is not None:
                raise Wiped(receipt)
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

    def next_key(self, new_key: Callable[[], str]) -> str:
        """The key of the next incarnation (PEM), stored before it is first used."""
        with self.transaction():
            row = self._one("SELECT next_pem FROM identity")
            if row is not None and row["next_pem"] is not None:
                return str(row["next_pem"])
            pem = new_key()
            self._db.table("identity").update(1, {"next_pem": pem})
            return pem

    def former_keys(self) -> list[tuple[int, str]]:
        """The earlier incarnations with their keys (PEM), the newest first: a restored server may know only one of them."""
        return [
            (row["incarnation"], row["pem"])
            for row in self._all("SELECT incarnation, pem FROM keys ORDER BY incarnation DESC")
        ]

    # Sessions

    def open_session(self, session: Session) -> None:
        """Make it the current one. Rows that another officer pulled go: this one may not see them."""
        with self.transaction():
            self._run("UPDATE sessions SET current = 0, token = NULL WHERE current = 1")
            values = {**vars(session), "posts": orjson.dumps(session.posts).decode(), "current": 1}
            self._db.table("sessions").upsert(values, pk="session")
            row = self._one("SELECT reader FROM identity")
            if row is not None and row["reader"] != session.officer:
                self._run("DELETE FROM rows")
                self._run("DELETE FROM cursors")
                self._run("DELETE FROM downloads")
                self._db.table("identity").update(1, {"reader": session.officer})
        self.sweep()

    def close_session(self) -> None:
        """Nobody is signed in any more; the token is forgotten, the session's row stays."""
        with self.transaction():
            self._close_session()

    def _close_session(self) -> None:
        self._run("UPDATE sessions SET current = 0, token = NULL WHERE current = 1")

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
        row = self._one("SELECT epoch, size, root, at, jws FROM heads ORDER BY epoch DESC LIMIT 1")
        return None if row is None else Head(**row)

    def witness(self) -> Head | None:
        """The head to show with the next push: the newest, or one of an earlier epoch that was not shown yet."""
        row = self._one("SELECT epoch, size, root, at, jws FROM heads ORDER BY shown, epoch LIMIT 1")
        return None if row is None else Head(**row)

    def keep_head(self, head: Head) -> None:
        """Keep a verified head when it is newer. Raises Broken when it contradicts the one we hold."""
        with self.transaction():
            self._keep_head(head)

    def _keep_head(self, head: Head) -> None:
        """Of each epoch the newest one is kept: those of earlier epochs are witnesses of what they saw."""
        row = self._one("SELECT epoch, size, root, at, jws FROM heads WHERE epoch = ?", head.epoch)
        known = None if row is None else Head(**row)
        if known is not None and known.size == head.size and known.root != head.root:
            raise Broken(f"head: two roots for size {head.size} of epoch {head.epoch}")
        if known is None or known.size < head.size:
            self._db.table("heads").upsert({**vars(head), "shown": 0}, pk="epoch")

    def _shown(self, shown: Head, epoch: int) -> None:
        """A server in `epoch` has taken a push that showed this head; one of an earlier epoch is shown once."""
        if shown.epoch < epoch:
            self._run("UPDATE heads SET shown = 1 WHERE epoch = ? AND size = ?", shown.epoch, shown.size)

    # Files beside the database

    def file(self, partition: str) -> str:
        """Where a partition's snapshot is fetched to."""
        return f"{self.path}.snapshot-{partition.replace('/', '-')}"

    def sweep(self) -> None:
        """Remove the files of snapshots that nobody fetches any more: another officer's, or one that was stored."""
        with self._lock:
            wanted = {self.file(row["partition"]) for row in self._all("SELECT partition FROM downloads")}
            for found in self.path.parent.glob(f"{self.path.name}.snapshot-*"):
                if str(found) not in wanted:
                    found.unlink(missing_ok=True)
