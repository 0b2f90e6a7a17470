"""The heads that a terminal has taken, those that it was shown and has no proof for, and the keys behind them. Part of the
store.
"""

from __future__ import annotations

from typing import Any

from headless.database import Database
from headless.errors import Contradiction
from headless.proof import Head, HeadKey, Jwk


class Heads(Database):
    """Of each epoch: the newest head that is proved to continue the first one, and the newest that was shown since."""

    def head(self) -> Head | None:
        """The newest head that was taken: the anchor of what is captured."""
        return self._head("SELECT epoch, size, root, at, jws FROM heads ORDER BY epoch DESC LIMIT 1")

    def witness(self) -> Head | None:
        """The head to show with the next push: the newest taken, or one of an earlier epoch that was not shown yet."""
        return self._head("SELECT epoch, size, root, at, jws FROM heads ORDER BY shown, epoch LIMIT 1")

    def offered(self) -> tuple[Head, Head] | None:
        """The newest head that was taken, and a larger one of its epoch that awaits its proof; None: nothing does."""
        held = self.head()
        shown = None if held is None else self._offer(held.epoch)
        return None if held is None or shown is None else (held, shown)

    def adopt(self, held: Head, shown: Head) -> None:
        """`shown` was proved to continue `held`: it is taken, and whatever smaller one was offered is forgotten."""
        with self.transaction():
            known = self._taken(held.epoch)
            if known == held:
                self._db.table("heads").upsert({**vars(shown), "shown": 0}, pk="epoch")
                self._run("DELETE FROM offers WHERE epoch = ? AND size <= ?", shown.epoch, shown.size)

    def keep_head(self, head: Head) -> None:
        """Keep a head whose signature holds. Raises Contradiction when another root was shown for its size."""
        with self.transaction():
            self._keep_head(head)

    def _keep_head(self, head: Head) -> None:
        """The first of an epoch is taken as it is, a larger one is offered, a smaller one is old."""
        taken = self._taken(head.epoch)
        if taken is None:
            self._begin_epoch(head)
            return
        offer = self._offer(head.epoch)
        for known in (taken, offer):
            if known is not None and known.size == head.size and known.root != head.root:
                raise Contradiction(known, head)
        if head.size > (offer or taken).size:
            self._db.table("offers").upsert(vars(head), pk="epoch")

    def _begin_epoch(self, head: Head) -> None:
        """Nobody can prove any more what an epoch that has ended had beyond what is left of it: its largest head bears
        witness to that.
        """
        self._db.table("heads").insert({**vars(head), "shown": 0})
        for offer in self._all("SELECT epoch, size, root, at, jws FROM offers WHERE epoch < ?", head.epoch):
            self._db.table("heads").upsert({**offer, "shown": 0}, pk="epoch")
        self._run("DELETE FROM offers WHERE epoch < ?", head.epoch)

    def _shown(self, shown: Head, epoch: int) -> None:
        """A server in `epoch` has taken a push that showed this head; one of an earlier epoch is shown once."""
        if shown.epoch < epoch:
            self._run("UPDATE heads SET shown = 1 WHERE epoch = ? AND size = ?", shown.epoch, shown.size)

    def _taken(self, epoch: int) -> Head | None:
        return self._head("SELECT epoch, size, root, at, jws FROM heads WHERE epoch = ?", epoch)

    def _offer(self, epoch: int) -> Head | None:
        return self._head("SELECT epoch, size, root, at, jws FROM offers WHERE epoch = ?", epoch)

    def _head(self, sql: str, *parameters: Any) -> Head | None:
        row = self._one(sql, *parameters)
        return None if row is None else Head(**row)

    # Keys

    def head_keys(self, pinned: Jwk) -> list[HeadKey]:
        """The keys of heads that are known, the oldest first; `pinned` is the one of the enrolment."""
        found = self.fact("head_keys")
        if found is None:
            return [HeadKey(pinned, (0, 0), None)]
        return [HeadKey(jwk, (after[0], after[1]), upto and (upto[0], upto[1])) for jwk, after, upto in found]

    def keep_head_keys(self, keys: list[HeadKey]) -> None:
        """In place of those that were known."""
        self.note("head_keys", [[each.jwk, each.after, each.upto] for each in keys])

    # Alarm

    def alarm(self) -> dict[str, Any] | None:
        """{held, shown, why, reported}: two heads of the server that do not agree, as signed. While it stands, nothing is
        asked of the server.
        """
        found: dict[str, Any] | None = self.fact("alarm")
        return found

    def raise_alarm(self, held: Head, shown: Head, why: str) -> None:
        """Remember it; the first one stands."""
        with self.transaction():
            if self.alarm() is None:
                self._note("alarm", {"held": held.jws, "shown": shown.jws, "why": why, "reported": False})

    def alarm_reported(self) -> None:
        """The server has heard of it."""
        with self.transaction():
            self._note("alarm", (self.alarm() or {}) | {"reported": True})

    def dismiss_alarm(self) -> bool:
        """Its holder goes on, from the head that was taken; what was offered is forgotten. Whether there was an alarm."""
        with self.transaction():
            self._run("DELETE FROM offers")
            return self._run("DELETE FROM facts WHERE name = 'alarm'") > 0
