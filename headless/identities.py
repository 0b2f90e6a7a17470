"""Who the terminal is and who is signed in at it. Part of the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from headless.errors import NotEnrolled, Wiped
from headless.heads import Heads
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
    """A sign-in. Operations go on naming it after its token has ended (protocol section 4).

    `must_change`: the server lets its officer change his secret and nothing else.
    """

    session: str
    officer: str
    number: str
    name: str
    posts: list[str]
    token: str
    expires_at: str
    refresh_token: str | None = None
    refresh_expires_at: str | None = None
    must_change: bool = False


class Identities(Heads):
    """Identity and sessions."""

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
            self._close_session()
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
        self._run("UPDATE sessions SET current = 0, token = NULL, refresh_token = NULL WHERE current = 1")

    def renew_session(self, session: Session) -> None:
        """Keep the next tokens of a session, if it is still the current one."""
        with self.transaction():
            self._run(
                "UPDATE sessions SET token = ?, expires_at = ?, refresh_token = ?, refresh_expires_at = ?, must_change = ?"
                " WHERE session = ? AND current = 1",
                session.token, session.expires_at, session.refresh_token, session.refresh_expires_at,
                int(session.must_change), session.session,
            )  # fmt: skip

    def session(self) -> Session | None:
        """The current session."""
        row = self._one(
            "SELECT session, officer, number, name, posts, token, expires_at, refresh_token, refresh_expires_at,"
            " must_change FROM sessions WHERE current = 1"
        )
        if row is None:
            return None
        row["posts"], row["must_change"] = orjson.loads(row["posts"]), bool(row["must_change"])
        return Session(**row)

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
