"""Epochs: after a restore or a failover the log begins again, and says where it ended before (docs/protocol.md §12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select, update

from backend.audit import merkle
from backend.audit.highwater import HighWater, Witness
from backend.audit.log import append
from backend.kernel.ids import b64, unhash
from backend.storage import tables
from backend.storage.door import Door, Transaction, Tree
from backend.storage.engine import Store

_F, _E, _W, _H, _T = (
    tables.facilities.c, tables.epochs.c, tables.witnesses.c, tables.tree_heads.c, tables.terminals.c
)  # fmt: skip
_FORGET = update(tables.facilities).where(_F.facility == bindparam("of_facility")).values(safe_size=0)
_CLAMP = (
    update(tables.terminals)
    .where(_T.facility == bindparam("of_facility"), _T.safe_n > _T.last_n)
    .values(safe_n=_T.last_n)
)


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch of a facility. ``size``: its leaves in this log, 0 of one that was lost whole; ``root`` as base64url.

    ``lost``: so many leaves at least were signed and are no longer there; ``shown_by``: who proved it.
    ``opened_at`` in milliseconds, None for the first and for one that was lost whole; so are reason and operator.
    """

    epoch: int
    opened_at: int | None
    reason: str | None
    operator: str | None
    size: int
    root: str
    present: bool
    lost: int
    shown_by: tuple[str, ...]


def open_epoch(door: Door, highwater: HighWater, facility: str, reason: str, operator: str) -> Epoch:
    """Ends the present epoch where the database has it, and opens the next one that was never signed.

    Its first leaf names size and root of the one before, why, who, and every signed head that proves something lost.
    Right also when nothing is lost: after a failover. Raises ValueError for an empty word, UnknownFacility,
    Problem ``server.busy``.
    """
    if not (reason.strip() and operator.strip()) or len(reason) > 500 or len(operator) > 80:
        raise ValueError("an epoch needs a reason (up to 500 signs) and an operator (up to 80)")

    def work(transaction: Transaction) -> int:
        tree = transaction.tree
        shown = highwater.witnesses(facility)
        lacking = [each for each in shown if not _held(transaction, each)]
        epoch = 1 + max([tree.epoch, *(each.epoch for each in shown)])
        previous = {"epoch": tree.epoch, "size": tree.size, "root": b64(merkle.root(tree.peaks))}
        transaction.tree = Tree(epoch, 0, [], "")
        transaction.key = ""  # the copy may be older than the newest key
        facts = {"epoch": epoch, "previous": previous, "reason": reason, "operator": operator}
        append(transaction, "epoch.opened", facts | {"witnesses": [each.facts() for each in lacking]})
        _enter(transaction, facts, lacking)
        return epoch

    epoch = door.reopen(facility, work)
    highwater.settle(facility)
    return next(each for each in epochs(door.store, facility) if each.epoch == epoch)


def _held(transaction: Transaction, shown: Witness) -> bool:
    """Whether the log holds a head, or the database knows already that it does not."""
    of_log = (_H.facility == shown.facility, _H.epoch == shown.epoch, _H.size == shown.size)
    known = (_W.facility == shown.facility, _W.epoch == shown.epoch, _W.size == shown.size, _W.source == shown.source)
    roots = transaction.connection.execute(select(_H.root).where(*of_log)).scalars()
    if any(b64(root) == shown.root for root in roots):
        return True
    return transaction.connection.execute(select(_W.head).where(*known)).first() is not None


def _enter(transaction: Transaction, facts: dict[str, Any], lacking: list[Witness]) -> None:
    row = {
        "facility": transaction.facility,
        "epoch": facts["epoch"],
        "opened_at": transaction.now,
        "reason": facts["reason"],
        "operator": facts["operator"],
        "previous_size": facts["previous"]["size"],
        "previous_root": unhash(facts["previous"]["root"]),
    }
    transaction.insert(tables.epochs, [row])
    transaction.insert(tables.witnesses, [each.row(transaction.now) for each in lacking])
    here = {"of_facility": transaction.facility}
    transaction.execute(_FORGET, here)
    transaction.execute(_CLAMP, here)


def epochs(store: Store, facility: str) -> list[Epoch]:
    """All epochs of a facility, the oldest first, those that were lost whole among them.

    Raises LookupError for an unknown facility.
    """
    with store.reading() as connection:
        state = connection.execute(select(tables.facilities).where(_F.facility == facility)).one_or_none()
        if state is None:
            raise LookupError(facility)
        opened = connection.execute(select(tables.epochs).where(_E.facility == facility).order_by(_E.epoch)).all()
        shown = connection.execute(select(tables.witnesses).where(_W.facility == facility)).all()
    packed = state.peaks
    root = merkle.root([packed[at : at + 32] for at in range(0, len(packed), 32)])
    rows: dict[int, Any] = {row.epoch: row for row in opened}
    numbers = [*({1} - rows.keys()), *rows]
    ends = {before: (rows[after].previous_size, rows[after].previous_root) for before, after in _steps(numbers)}
    ends[numbers[-1]] = (state.size, root)
    every = sorted({*numbers, *(row.epoch for row in shown)})
    return [_epoch(each, rows.get(each), ends.get(each), shown, each == state.epoch) for each in every]


def _steps(numbers: list[int]) -> list[tuple[int, int]]:
    return list(zip(numbers, numbers[1:], strict=False))


def _epoch(number: int, row: Any, end: tuple[int, bytes] | None, shown: Any, present: bool) -> Epoch:
    size, root = end or (0, merkle.EMPTY_ROOT)
    proofs = [each for each in shown if each.epoch == number]
    lost = max((max(each.size - size, 1) for each in proofs), default=0)
    sources = tuple(sorted({each.source for each in proofs}))
    if row is None:
        return Epoch(number, None, None, None, size, b64(root), present, lost, sources)
    return Epoch(number, row.opened_at, row.reason, row.operator, size, b64(root), present, lost, sources)
