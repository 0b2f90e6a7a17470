"""What the log says, by what it speaks of. A log of millions of leaves is larger than memory: it is kept in a scratch file.

The scratch is a private SQLite database that vanishes with the verifier.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from backend.audit.checks.base import Broken

_AT_ONCE = 5_000
_SCRATCH = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -32768;
CREATE TABLE final (terminal, incarnation, n, op, hash, status, outcome, at, epoch, position);
CREATE TABLE receipt (terminal, incarnation, n, op, hash, status, outcome, at, epoch, position);
CREATE TABLE version (record, version, digest);
"""
_OF_TERMINALS = {
    "terminal.enrolled": "active",
    "incarnation.issued": "active",
    "chain.forked": "frozen",
    "terminal.revoked": "revoked",
    "terminal.wiped": "wiped",
    "terminal.closed": "closed",
}
"""What makes or ends a terminal's rights → the state that it is in then."""
_FACTS = ("terminal", "incarnation", "n", "op", "hash", "status", "outcome", "at")


class Said(NamedTuple):
    """A leaf about an operation: its final outcome, or the receipt of one in custody. Digests as base64url."""

    terminal: str
    incarnation: int
    n: int
    op: str | None
    hash: str
    status: str
    outcome: str
    at: str
    epoch: int
    position: int

    @property
    def key(self) -> tuple[str, int, int]:
        return self.terminal, self.incarnation, self.n


class Version(NamedTuple):
    """A version of a record, and the digest of its bytes as base64url."""

    record: str
    version: int
    digest: str

    @property
    def key(self) -> tuple[str, int]:
        return self.record, self.version


@dataclass
class Told:
    """Filled by the walk over the log, leaf by leaf, then read in sorted order. Few things are kept in memory:
    ``keys``: (terminal, incarnation) → thumbprint; ``states``: what each terminal has come to; ``forks``, ``backups``:
    their leaves; ``witnesses``: what was shown.
    """

    keys: dict[tuple[str, int], str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    reports: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Terminal → digest and time of what it last reported of itself."""
    forks: list[dict[str, Any]] = field(default_factory=list)
    backups: list[dict[str, Any]] = field(default_factory=list)
    witnesses: set[tuple[int, int, str, str]] = field(default_factory=set)
    """(epoch, size, source, root)"""

    def __post_init__(self) -> None:
        self._scratch = sqlite3.connect("", isolation_level=None)
        self._scratch.executescript(_SCRATCH)
        self._pending: dict[str, list[tuple[Any, ...]]] = {"final": [], "receipt": [], "version": []}

    def close(self) -> None:
        self._scratch.close()

    def note(self, epoch: int, position: int, leaf: dict[str, Any]) -> None:
        """Takes in a leaf. Raises Broken when it does not say what a leaf of its act says."""
        try:
            self._note(epoch, position, leaf)
        except (KeyError, TypeError, ValueError):
            raise Broken(f"leaf {position} of epoch {epoch} cannot be read") from None

    def _note(self, epoch: int, position: int, leaf: dict[str, Any]) -> None:
        act = leaf["act"]
        if act == "operation" or act == "held":
            self._note_operation(epoch, position, leaf)
        elif act in _OF_TERMINALS:
            self._note_terminal(act, leaf)
        elif act == "terminal.report":
            self.reports[leaf["terminal"]] = (leaf["report"], leaf["at"])
        elif act == "backup.verified":
            self.backups.append(leaf)
        elif act == "witness.shown":
            self._show(leaf)
        elif act == "epoch.opened":
            for witness in leaf["witnesses"]:
                self._show(witness)

    def _note_operation(self, epoch: int, position: int, leaf: dict[str, Any]) -> None:
        said = tuple(leaf[name] for name in _FACTS)
        self._put("final" if leaf["act"] == "operation" else "receipt", (*said, epoch, position))
        if "row" in leaf:
            self._put("version", (leaf["record"], leaf["version"], leaf["row"]))
        for record, version, row in leaf.get("also", ()):
            self._put("version", (record, version, row))

    def _note_terminal(self, act: str, leaf: dict[str, Any]) -> None:
        terminal = leaf["terminal"]
        if act == "chain.forked":
            self.forks.append(leaf)
            if self.states.get(terminal) == "active":
                self.states[terminal] = "frozen"
            return
        self.states[terminal] = _OF_TERMINALS[act]
        if _OF_TERMINALS[act] == "active":
            self.keys[terminal, leaf["incarnation"]] = leaf["key"]

    def _show(self, said: dict[str, Any]) -> None:
        self.witnesses.add((said["epoch"], said["size"], said["source"], said["root"]))

    def _put(self, table: str, row: tuple[Any, ...]) -> None:
        pending = self._pending[table]
        pending.append(row)
        if len(pending) >= _AT_ONCE:
            self._flush(table)

    def _flush(self, table: str) -> None:
        rows = self._pending[table]
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self._scratch.execute("BEGIN")
            self._scratch.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - our own names
            self._scratch.execute("COMMIT")
            rows.clear()

    def finals(self) -> Iterator[Said]:
        """Leaves of final outcomes, by chain and number."""
        return (Said(*row) for row in self._sorted("final", "terminal, incarnation, n, epoch, position"))

    def receipts(self) -> Iterator[Said]:
        """Leaves of receipts, by chain and number."""
        return (Said(*row) for row in self._sorted("receipt", "terminal, incarnation, n, epoch, position"))

    def versions(self) -> Iterator[Version]:
        """Versions of records, by record and number."""
        return (Version(*row) for row in self._sorted("version", "record, version"))

    def _sorted(self, table: str, order: str) -> sqlite3.Cursor:
        self._flush(table)
        return self._scratch.execute(f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608 - our own names
