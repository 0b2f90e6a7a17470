"""Files that operations name, until the server has them and the operations are forgotten. Part of the store."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headless.chain import b64u
from headless.errors import Refused
from headless.identities import Identities

WAITING, COME, REFUSED = "waiting", "come", "refused"


@dataclass(frozen=True)
class Item:
    """A file that is carried. `upload`: under which id the server takes it in; `problem`: why it does not."""

    digest: str
    type: str
    size: int
    state: str
    upload: str | None
    problem: str | None


class Luggage(Identities):
    """The files themselves lie beside the database, named by their digests."""

    def stow(self, content: bytes, type_: str) -> str:
        """Keep a file, durably; the digest by which an operation names it. Raises Refused when there is nothing in it."""
        if not content:
            raise Refused("a file without content")
        digest = b64u(hashlib.sha256(content).digest())
        target = self.content(digest)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        fresh = target.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
        with self.transaction():
            told = {"digest": digest, "type": type_, "size": len(content), "state": WAITING}
            self._db.table("luggage").insert(told, pk="digest", ignore=True)
        return digest

    def content(self, digest: str) -> Path:
        """Where a file lies."""
        return self.path.with_name(f"{self.path.name}.files") / digest

    def carried(self, state: str | None = None) -> list[Item]:
        """The files, all or those of a state: `waiting`, `come` (the server has it), `refused`."""
        sql = "SELECT digest, type, size, state, upload, problem FROM luggage"
        rows = self._all(f"{sql} ORDER BY digest") if state is None else self._all(f"{sql} WHERE state = ?", state)
        return [Item(**row) for row in rows]

    def carried_one(self, digest: str) -> Item:
        """A file that is carried."""
        (row,) = self._all("SELECT digest, type, size, state, upload, problem FROM luggage WHERE digest = ?", digest)
        return Item(**row)

    def mark(self, digest: str, **told: Any) -> None:
        """Keep what became of a file: `state`, `upload`, `problem`."""
        with self.transaction():
            self._db.table("luggage").update(digest, told)

    def offer_again(self, epoch: int) -> None:
        """Once in each epoch: a restored server may know less than it said before it was."""
        if self.fact("luggage_epoch", 0) != epoch:
            with self.transaction():
                self._run("UPDATE luggage SET state = ?, upload = NULL WHERE state = ?", WAITING, COME)
                self._note("luggage_epoch", epoch)

    def unload(self) -> int:
        """Remove files that the server has and no operation kept here names. Returns how many."""
        kept = "SELECT 1 FROM (SELECT raw FROM queue UNION ALL SELECT raw FROM past) WHERE instr(CAST(raw AS TEXT), digest)"
        gone = self._all(f"SELECT digest FROM luggage WHERE state = ? AND NOT EXISTS ({kept})", COME)  # noqa: S608
        for row in gone:
            self.content(row["digest"]).unlink(missing_ok=True)
            with self.transaction():
                self._run("DELETE FROM luggage WHERE digest = ?", row["digest"])
        return len(gone)

    def burn(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.content("x").parent, ignore_errors=True)
