"""What outlives an incarnation or an epoch, and how a terminal ends. Part of the store."""

from __future__ import annotations

from typing import Any

import orjson

from headless.chain import canonical
from headless.luggage import Luggage
from headless.outbox import HELD, WAITING, Answer, Outbox
from headless.proof import Head

_TABLES = (
    "identity", "keys", "sessions", "queue", "past", "heads", "offers", "rows", "cursors", "downloads", "luggage", "facts",
)  # fmt: skip


class Successions(Outbox, Luggage):
    """New incarnations, new epochs, and the wipe."""

    def succeed(self, incarnation: int, genesis: str, head: Head) -> None:
        """Begin the incarnation that the server has issued to the key of `next_key`, in one transaction.

        The old chain is kept as evidence. Operations without a final outcome are wrapped again: the same `op` and all
        else as it was, with another number on the new chain. The officer must sign in again: tokens name the old key.
        """
        with self.transaction():
            old = self.identity()
            self._archive(old.incarnation)
            self._db.table("keys").insert({"incarnation": old.incarnation, "pem": old.pem})
            told = {"pem": old.next_pem, "incarnation": incarnation, "genesis": genesis}
            self._db.table("identity").update(1, {**told, "next_pem": None, "frozen": None})
            self._close_session()
            self._wrap(f"status IN ('{WAITING}', '{HELD}')")
            self._keep_head(head)
            self._note("safe", [head.epoch, 0])

    def _archive(self, incarnation: int) -> None:
        safe = self.safe_upto()
        for row in self._all("SELECT * FROM queue"):
            kept = {**row, "incarnation": incarnation, "safe": int(row["n"] <= safe), "wrapped": 0}
            self._db.table("past").insert(kept)
        self._run("DELETE FROM queue")
        self._run("DELETE FROM facts WHERE name = 'pruned'")

    def _wrap(self, which: str) -> int:
        """Put operations of earlier incarnations on the present chain, at its end. Returns how many."""
        identity = self.identity()
        found = self._all(f"SELECT * FROM past WHERE wrapped = 0 AND ({which}) ORDER BY incarnation, n")  # noqa: S608
        for row in found:
            n, prior = self._top() + 1, self._end()
            raw = _wrapped(row["raw"], identity.incarnation, n)
            self._append(n, prior, row["op"], row["kind"], row["verb"], row["record"], row["officer"], raw)
            self._run("UPDATE past SET wrapped = 1 WHERE incarnation = ? AND n = ?", row["incarnation"], row["n"])
        return len(found)

    # Epochs

    def stale(self, limit: int) -> list[int]:
        """Numbers whose outcome is an earlier epoch's word, while a newer one has opened; at most `limit`."""
        head = self.head()
        if head is None:
            return []
        sql = "SELECT n FROM queue WHERE epoch < ? ORDER BY n LIMIT ?"
        return [row["n"] for row in self._all(sql, head.epoch, limit)]

    def agreed(self) -> bool:
        """Whether the newest epoch has said what it knows of this chain."""
        head = self.head()
        return head is None or self.fact("agreed_epoch", 0) >= head.epoch

    def renounce(self, asked: list[int], answer: Answer) -> list[dict[str, Any]]:
        """Keep a newer epoch's word on the numbers asked for: those it does not have wait again. Returns new outcomes."""
        fresh = self.settle(answer)
        told = {outcome["n"] for outcome in answer.outcomes}
        with self.transaction():
            for n in asked:
                if n not in told:
                    self._reopen(n)
        return fresh

    def reopen(self, numbers: list[int]) -> int:
        """Offer these operations again, whatever their outcomes. Returns how many there are here."""
        with self.transaction():
            return sum(self._reopen(n) for n in numbers)

    def _reopen(self, n: int) -> int:
        return self._run("UPDATE queue SET status = 'waiting', epoch = NULL, outcome = NULL WHERE n = ?", n)

    def agree(self, epoch: int) -> None:
        """All of the present chain has the word of `epoch`.

        What ended incarnations had sent is offered again by this one, unless a verified backup had it: the server says
        what it knew already (`repeats`).
        """
        with self.transaction():
            if self.stale(1):
                return
            self._wrap("safe = 0")
            self._note("agreed_epoch", epoch)

    # The end

    def wipe(self, at: str) -> dict[str, Any]:
        """Destroy key, rows and queue; what stays is the receipt, which is returned. May be begun again at any line."""
        with self.transaction():
            identity = self.identity()
            receipt = {
                "facility": identity.facility,
                "terminal": identity.terminal,
                "incarnation": identity.incarnation,
                "captured": self._top(),
                "at": at,
            }
            for table in _TABLES:
                self._run(f"DELETE FROM {table}")  # noqa: S608 - table names are ours
            self._note("wiped", receipt)
            self._note("unscoured", True)
        self.scour()
        return receipt

    def scour(self) -> None:
        """After a wipe, leave nothing of what was deleted in the file, in its log, or beside it."""
        if not self.fact("unscoured", False):
            return
        self.sweep()
        self.burn()
        with self._lock:
            self._db.execute("VACUUM")
            with self.transaction():
                self._run("DELETE FROM facts WHERE name = 'unscoured'")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _wrapped(raw: bytes, incarnation: int, n: int) -> bytes:
    """The operation's bytes on another chain. Bytes that are no operation can only be carried as they are."""
    try:
        operation = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return bytes(raw)
    if not isinstance(operation, dict):
        return bytes(raw)
    return canonical(operation | {"incarnation": incarnation, "n": n})
