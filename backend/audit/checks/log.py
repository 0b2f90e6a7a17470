"""The log itself: every leaf in its place, every head the root of the leaves before it, every epoch begun as it must be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import select

from backend.audit import merkle
from backend.audit.checks.base import Broken, View
from backend.audit.checks.told import Told
from backend.kernel.clock import to_text
from backend.kernel.ids import b64
from backend.storage import tables

_L, _N, _H, _E = tables.leaves.c, tables.nodes.c, tables.tree_heads.c, tables.epochs.c


@dataclass(slots=True)
class Epoch:
    """An epoch as the walk leaves it: its leaves, their root, how many heads were right, the first that was not."""

    number: int
    size: int = 0
    peaks: list[bytes] = field(default_factory=list)
    heads: int = 0
    suspect: int | None = None

    @property
    def root(self) -> bytes:
        return merkle.root(self.peaks)

    def ends_at(self, size: int, root: str, who: str) -> None:
        """Raises Broken unless this is the size and root that ``who`` says the epoch has."""
        if self.size != size:
            raise Broken(f"the log of epoch {self.number} has {self.size} leaves, {who} {size}")
        if b64(self.root) != root:
            where = f"; one before {self.suspect}" if self.suspect else ""
            raise Broken(f"the leaves of epoch {self.number} do not come to the signed root: a leaf was changed{where}")
        if self.suspect is not None:
            raise Broken(f"the head of size {self.suspect} is not the root of the first {self.suspect} leaves")


def walk(view: View, told: Told, claimed: dict[str, Any]) -> list[Epoch]:
    """All epochs, the oldest first. ``claimed``: size and root of the newest signed head. Raises Broken."""
    heads, nodes = _Heads(view), _Nodes(view)
    epochs: list[Epoch] = []
    opened = {row.epoch: row for row in view.connection.execute(select(tables.epochs).where(_here(view, _E)))}
    statement = select(_L.epoch, _L.position, _L.body).where(_here(view, _L)).order_by(_L.epoch, _L.position)
    for row in view.stream(statement):
        if not epochs or row.epoch != epochs[-1].number:
            epochs.append(Epoch(row.epoch))
        epoch = epochs[-1]
        if row.position != epoch.size:
            raise Broken(f"leaf {epoch.size} is missing in epoch {epoch.number}")
        leaf = _read(row)
        if row.position == 0:
            _begins(epochs, leaf, opened.pop(row.epoch, None))
        epoch.size, epoch.peaks, full = merkle.grow(epoch.size, epoch.peaks, [merkle.leaf_hash(row.body)])
        heads.compare(epoch)
        nodes.compare(epoch, full)
        told.note(row.epoch, row.position, leaf)
    if not epochs or epochs[-1].number != view.state.epoch:
        raise Broken(f"the log has no leaves of epoch {view.state.epoch}, of which the facility speaks")
    epochs[-1].ends_at(claimed["size"], claimed["root"], "its signed head")
    heads.finish()
    nodes.finish()
    if opened:
        raise Broken(f"epoch {min(opened)} is said to have been opened, but has no leaves")
    return epochs


def _here(view: View, columns: Any) -> Any:
    return columns.facility == view.facility


def _read(row: Any) -> dict[str, Any]:
    try:
        leaf = orjson.loads(row.body)
        if isinstance(leaf, dict) and isinstance(leaf.get("act"), str):
            return leaf
    except ValueError:
        pass
    raise Broken(f"leaf {row.position} of epoch {row.epoch} cannot be read")


def _begins(epochs: list[Epoch], leaf: dict[str, Any], row: Any) -> None:
    """The first leaf of an epoch: a break is accepted only where it says where the epoch before ended."""
    try:
        _follows(epochs, leaf, row)
    except (KeyError, TypeError):
        raise Broken(f"leaf 0 of epoch {epochs[-1].number} cannot be read") from None


def _follows(epochs: list[Epoch], leaf: dict[str, Any], row: Any) -> None:
    epoch = epochs[-1].number
    if len(epochs) == 1:
        if leaf["act"] != "facility.founded" or row is not None:
            raise Broken(f"the log begins with epoch {epoch}, and not with the facility's founding")
        return
    before = epochs[-2]
    if leaf["act"] != "epoch.opened" or leaf.get("epoch") != epoch or row is None:
        raise Broken(f"epoch {epoch} does not begin with its opening")
    previous = leaf["previous"]
    if previous["epoch"] != before.number:
        raise Broken(
            f"epoch {epoch} says that it follows epoch {previous['epoch']}, the log that it follows {before.number}"
        )
    before.ends_at(previous["size"], previous["root"], f"the first leaf of epoch {epoch}")
    said = (previous["size"], previous["root"], leaf["reason"], leaf["operator"], leaf["at"])
    if said != (row.previous_size, b64(row.previous_root), row.reason, row.operator, to_text(row.opened_at)):
        raise Broken(f"the row of epoch {epoch} differs from its first leaf")


class _Nodes:
    """The kept roots of full subtrees, read beside the leaves in the order in which these complete them.

    A wrong one is named only after the leaves were shown to be the ones that were signed: it may be they that are wrong.
    """

    def __init__(self, view: View) -> None:
        complete = (_N.position + 1).bitwise_lshift(_N.level)
        order = (_N.epoch, complete, _N.level)
        statement = select(_N.epoch, _N.level, _N.position, _N.hash).where(_here(view, _N)).order_by(*order)
        self._rows: Iterator[Any] = view.stream(statement)
        self._wrong: str | None = None

    def compare(self, epoch: Epoch, full: list[merkle.Node]) -> None:
        """Holds the subtrees that a leaf completed against the rows that come next."""
        for node in full:
            row = next(self._rows, None)
            if self._wrong is None and (row is None or tuple(row) != (epoch.number, *node)):
                self._wrong = f"the root of subtree {node.position} of level {node.level} of epoch {epoch.number}"

    def finish(self) -> None:
        """Raises Broken."""
        surplus = next(self._rows, None)
        if self._wrong is None and surplus is not None:
            self._wrong = f"the root of subtree {surplus.position} of level {surplus.level} of epoch {surplus.epoch}"
        if self._wrong is not None:
            raise Broken(f"{self._wrong} is not that of its leaves")


class _Heads:
    """The heads that were signed, read beside the leaves in the same order."""

    def __init__(self, view: View) -> None:
        statement = select(_H.epoch, _H.size, _H.root).where(_here(view, _H)).order_by(_H.epoch, _H.size)
        self._rows: Iterator[Any] = view.stream(statement)
        self._next = next(self._rows, None)

    def compare(self, epoch: Epoch) -> None:
        """Holds the head of just this size, if one was signed, against the leaves so far."""
        row = self._next
        if row is None or (row.epoch, row.size) > (epoch.number, epoch.size):
            return
        if (row.epoch, row.size) < (epoch.number, epoch.size):
            self._stray(row)
        if row.root == epoch.root:
            epoch.heads += 1
        elif epoch.suspect is None:
            epoch.suspect = row.size
        self._next = next(self._rows, None)

    def finish(self) -> None:
        if self._next is not None:
            self._stray(self._next)

    @staticmethod
    def _stray(row: Any) -> None:
        raise Broken(f"the head of size {row.size} of epoch {row.epoch} is not one of this log")
