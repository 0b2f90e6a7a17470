"""The high-water mark: nothing is written to a database that is older than what this installation has signed.

Whoever is shown a head by the server may show it again. A head that is the server's own and not in the log proves that
something was lost: of the present epoch, the database was turned back in silence and writing stops until an epoch
is opened; of an older epoch, it is kept as a witness of what that epoch lost (docs/protocol.md §12).
"""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import and_, bindparam, outerjoin, select

from backend.audit import witness
from backend.audit.log import HeadKeys, append, read_head
from backend.audit.witness import Kept
from backend.kernel.ids import b64
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Transaction, Tree
from backend.storage.engine import Store

RETRY_AFTER = 60
ADVICE = (
    "The database is older than what this server has signed: it was restored, or is another one. Reads go on, writes are "
    "refused, terminals keep their queues. Bring the newest copy back, or open an epoch: "
    "flask epoch open --facility F --reason TEXT --operator NAME (docs/operations.md)."
)
_MOST_KNOWN = 20_000
_NOTHING = (0, 0)
_NO_SIZE = 2**63 - 1
_log = structlog.get_logger(__name__)

Rank = tuple[int, int]
"""Epoch and size: what orders the heads of an installation."""

_F, _H, _W = tables.facilities.c, tables.tree_heads.c, tables.witnesses.c
_SAME = and_(_H.facility == _F.facility, _H.epoch == bindparam("e"), _H.size == bindparam("s"))
_PLACE = (
    select(_F.epoch, _F.size, _H.root)
    .select_from(outerjoin(tables.facilities, tables.tree_heads, _SAME))
    .where(_F.facility == bindparam("f"))
)
_ENTERED = select(_W.size).where(
    _W.facility == bindparam("f"), _W.epoch == bindparam("e"), _W.size == bindparam("s"), _W.source == bindparam("o")
)


@dataclass(frozen=True, slots=True)
class Witness:
    """A head that this server signed and its log does not hold. ``source``: who showed it; root as base64url."""

    facility: str
    source: str
    epoch: int
    size: int
    root: str
    head: str

    def facts(self) -> dict[str, Any]:
        """How a leaf names it."""
        return {"source": self.source, "epoch": self.epoch, "size": self.size, "root": self.root}

    def row(self, now: int) -> dict[str, Any]:
        """Its row in ``witnesses``."""
        return {
            "facility": self.facility,
            "epoch": self.epoch,
            "size": self.size,
            "source": self.source,
            "head": self.head,
            "seen_at": now,
        }


class HighWater:
    """What was signed, by facility. ``key`` verifies the server's heads; ``folder`` has the witness files."""

    def __init__(self, store: Store, key: HeadKeys, folder: Path) -> None:
        self._store = store
        self._key = key
        self._folder = folder
        self._place, self._entered = store.prepare(_PLACE), store.prepare(_ENTERED)
        self._guard = threading.Lock()
        self._marks: dict[str, Rank] = {}
        self._told: dict[str, Rank] = {}
        self._known: dict[str, None] = {}
        self._passed: dict[str, dict[str, str]] = defaultdict(dict)
        self._late: dict[str, dict[tuple[int, int, str], Witness]] = defaultdict(dict)
        for kept in witness.everything(folder):
            self._weigh(kept)

    def check(self, facility: str, epoch: int, size: int) -> None:
        """Raises Problem ``server.behind`` when something larger than (epoch, size) was signed."""
        mark = self._marks.get(facility, _NOTHING)
        if mark > (epoch, size):
            self._doubt(facility)
            self._tell(facility, (epoch, size))
            raise Problem("server.behind", retry_after=RETRY_AFTER)
        if mark[0] < epoch:
            self._begun(facility, (epoch, size))

    def behind(self, facility: str, epoch: int, size: int) -> bool:
        """Whether something larger than (epoch, size) was signed."""
        return self._marks.get(facility, _NOTHING) > (epoch, size)

    def kept(self, facility: str, tree: Tree) -> None:
        """Takes note of a head that was committed."""
        rank = (tree.epoch, tree.size)
        if self._marks.get(facility, _NOTHING)[0] < tree.epoch:
            self._begun(facility, rank)
        with self._guard:
            self._raise(facility, rank)
            self._remember(tree.head)

    def shown(self, facility: str, head: str, source: str) -> None:
        """Takes note of a head that a terminal shows; one that is not ours says nothing.

        Raises Problem ``server.behind`` when it proves that the present epoch of the log was turned back.
        """
        if head in self._known:
            self._passed[facility][source] = head
        elif self._weigh(Kept(facility, source, head)):
            raise Problem("server.behind", retry_after=RETRY_AFTER)

    def closing(self, transaction: Transaction) -> None:
        """Enters what older epochs were shown to have lost, each witness once."""
        if transaction.facility not in self._late:
            return
        late = self._late[transaction.facility]
        for found in list(late.values()):
            key = {"f": found.facility, "e": found.epoch, "s": found.size, "o": found.source}
            if self._entered.first(transaction.connection, key) is not None:
                late.pop((found.epoch, found.size, found.source), None)
                continue
            transaction.insert(tables.witnesses, [found.row(transaction.now)])
            append(transaction, "witness.shown", found.facts())

    def witnesses(self, facility: str) -> list[Witness]:
        """The largest head of each epoch and source among those kept in files, of those that this server signed."""
        largest: dict[tuple[int, str], Witness] = {}
        for kept in witness.everything(self._folder):
            found = self._read(kept) if kept.facility == facility else None
            if found is not None:
                key = (found.epoch, found.source)
                largest[key] = max(largest.get(key, found), found, key=lambda each: each.size)
        return [largest[key] for key in sorted(largest)]

    def heads(self, facility: str) -> list[str]:
        """The heads of ``witnesses``, as they were signed."""
        return [each.head for each in self.witnesses(facility)]

    def settle(self, facility: str) -> None:
        """Keeps the newest head in its file at once: an epoch was opened, and the files must not speak of the old one."""
        with self._store.reading() as connection:
            head = connection.execute(select(_F.head).where(_F.facility == facility)).scalar_one()
        witness.keep(self._folder, facility, head)

    def _read(self, kept: Kept) -> Witness | None:
        try:
            said = read_head(kept.head, self._key)
            found = Witness(kept.facility, kept.source, said["epoch"], said["size"], said["root"], kept.head)
        except (ValueError, KeyError):
            return None
        return found if said["facility"] == kept.facility else None

    def _begun(self, facility: str, rank: Rank) -> None:
        """The log is in a later epoch than was known here."""
        with self._guard:
            self._raise(facility, rank)
        self._doubt(facility)

    def _doubt(self, facility: str) -> None:
        """The log was turned back, or begun again: what it was known to hold it may lack, and who showed it is a witness."""
        with self._guard:
            self._known.clear()
            passed = self._passed.pop(facility, {})
        for source, head in passed.items():
            try:
                self._weigh(Kept(facility, source, head))
            except Problem:  # the database is out of reach at this moment
                self._passed[facility].setdefault(source, head)

    def _weigh(self, kept: Kept) -> bool:
        """Holds a head against the log; whether it proves that the present epoch was turned back."""
        found = self._read(kept)
        if found is None:
            return False
        with self._store.reading() as connection:
            key = {"f": found.facility, "e": found.epoch, "s": found.size}
            place = self._place.first(connection, key)
        if place is not None and place.root is not None and b64(place.root) == found.root:
            with self._guard:
                self._remember(kept.head)
                self._raise(found.facility, (found.epoch, found.size))
            return False
        return self._lacking(found, place)

    def _lacking(self, found: Witness, place: Any) -> bool:
        """The log lacks a head. ``place``: the facility's epoch and size, None when it is not in the database at all."""
        witness.keep_shown(self._folder, Kept(found.facility, found.source, found.head))
        present = _NOTHING if place is None else (place.epoch, place.size)
        with self._guard:
            if found.epoch < present[0]:
                self._late[found.facility][found.epoch, found.size, found.source] = found
                self._remember(found.head)
                return False
            # One of a size that the log has passed belongs to another log: no growth of this one makes up for it.
            size = found.size if (found.epoch, found.size) > present else _NO_SIZE
            self._raise(found.facility, (found.epoch, size))
        self._tell(found.facility, present)
        return True

    def _tell(self, facility: str, present: Rank) -> None:
        """On standard error, once for each mark that the database does not come up to."""
        with self._guard:
            mark = self._marks[facility]
            if self._told.get(facility) == mark:
                return
            self._told[facility] = mark
        # No size stands for: whatever this log grows to, it is another one.
        signed = {"epoch": mark[0], "size": mark[1] if mark[1] < _NO_SIZE else None}
        has = {"epoch": present[0], "size": present[1]}
        _log.error("server behind", facility=facility, signed=signed, has=has, advice=ADVICE)

    def _raise(self, facility: str, rank: Rank) -> None:
        if rank > self._marks.get(facility, _NOTHING):
            self._marks[facility] = rank

    def _remember(self, head: str) -> None:
        self._known[head] = None
        while len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
