"""What the log says, by what it speaks of. A log of millions of leaves is larger than memory: it is kept in a scratch file.

The scratch is a private SQLite database that vanishes with the verifier.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from backend.audit import reckoning
from backend.audit.checks.base import Broken
from backend.kernel.ids import sha256

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
    "terminal.approved": "active",
    "terminal.refused": "refused",
    "chain.forked": "frozen",
    "terminal.revoked": "revoked",
    "terminal.wiped": "wiped",
    "terminal.closed": "closed",
}
"""What makes or ends a terminal's rights → the state that it is in then."""
_OF_OFFICERS = frozenset({"officer.added", "officer.posted", "factor.added", "factor.removed", "confirmation.given"})
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
    alarms: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Terminal → digest and time of an alarm that nobody has settled."""
    rotations: list[tuple[int, int, dict[str, Any]]] = field(default_factory=list)
    """(epoch, position, leaf)"""
    files: dict[str, tuple[int, str, str, str]] = field(default_factory=dict)
    """Digest → size, type, terminal and time of a file that has come and is not forgotten."""
    postings: dict[str, dict[str, str]] = field(default_factory=dict)
    """Officer → since when (text) he held which posts, the oldest first."""
    factors: dict[str, tuple[str, str, str, bool]] = field(default_factory=dict)
    """Factor → officer, sort, digest of its key, whether it is there still."""
    confirmations: dict[str, bytes] = field(default_factory=dict)
    """Confirmation → digest of what its leaf says of it."""
    reckoned: tuple[int, int, int, str, str] | None = None
    """Of the duty rules: epoch and number of the last version that they were told of, their clock, their pack, the digest of
    what they have in mind."""
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
        elif act in ("terminal.report", "head.alarm"):
            kept = self.reports if act == "terminal.report" else self.alarms
            kept[leaf["terminal"]] = (leaf["report"], leaf["at"])
        elif act == "head.alarm.settled":
            del self.alarms[leaf["terminal"]]
        elif act == "key.rotated":
            self.rotations.append((epoch, position, leaf))
        elif act in ("file.stored", "file.forgotten"):
            self._note_file(leaf)
        elif act in _OF_OFFICERS:
            self._note_officer(act, leaf)
        elif act == reckoning.ACT:
            self.reckoned = (leaf["epoch"], leaf["seq"], leaf["clock"], leaf["pack"], leaf["watches"])
        elif act == "backup.verified":
            self.backups.append(leaf)
        elif act in ("witness.shown", "epoch.opened"):
            for witness in leaf["witnesses"] if act == "epoch.opened" else [leaf]:
                self._show(witness)

    def _note_operation(self, epoch: int, position: int, leaf: dict[str, Any]) -> None:
        said = tuple(leaf[name] for name in _FACTS)
        self._put("final" if leaf["act"] == "operation" else "receipt", (*said, epoch, position))
        if "row" in leaf:
            self._put("version", (leaf["record"], leaf["version"], leaf["row"]))
        for record, version, row in leaf.get("also", ()):
            self._put("version", (record, version, row))

    def _note_file(self, leaf: dict[str, Any]) -> None:
        if leaf["act"] == "file.forgotten":
            del self.files[leaf["digest"]]
        else:
            self.files[leaf["digest"]] = (leaf["size"], leaf["type"], leaf["terminal"], leaf["at"])

    def _note_officer(self, act: str, leaf: dict[str, Any]) -> None:
        if act in ("officer.added", "officer.posted"):
            self.postings.setdefault(leaf["officer"], {})[leaf["at"]] = " ".join(leaf["posts"])
        elif act == "factor.added":
            self.factors[leaf["factor"]] = (leaf["officer"], leaf["sort"], leaf["key"], True)
        elif act == "factor.removed":
            self.factors[leaf["factor"]] = (*self.factors[leaf["factor"]][:3], False)
        else:
            names = ("officer", "session", "terminal", "factor", "digest", "proof", "expires", "at")
            self.confirmations[leaf["confirmation"]] = sha256(orjson.dumps([leaf[name] for name in names]))

    def _note_terminal(self, act: str, leaf: dict[str, Any]) -> None:
        terminal = leaf["terminal"]
        if act == "chain.forked":
            self.forks.append(leaf)
            if self.states.get(terminal) == "active":
                self.states[terminal] = "frozen"
            return
        self.states[terminal] = leaf.get("state", _OF_TERMINALS[act])
        if act in ("terminal.enrolled", "incarnation.issued"):
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
