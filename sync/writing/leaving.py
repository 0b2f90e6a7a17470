"""When a revoked terminal may destroy what it has: all that it captured has come, and a copy that was read back has it.

Without the copy, a restore to an older one would take the only other place where those operations are.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import exists, select

from backend.identity.segments import Range, without
from backend.identity.terminals import Terminal
from backend.storage import tables
from backend.storage.door import Transaction

KEEP = "keep"
"""Everything has come; the terminal keeps it until a verified backup has it, and asks again."""
WIPE = "wipe"

_A, _F, _H, _O = tables.facilities.c, tables.forks.c, tables.tree_heads.c, tables.operations.c


def order(transaction: Transaction, end: Terminal, lacks: Sequence[Range]) -> str | None:
    """The word to a revoked terminal, of whose chain ``lacks`` never came. Rare, so it may look at all of a terminal."""
    if not _came(transaction, end, lacks):
        return None
    return WIPE if _covered(transaction, end) else KEEP


def _came(transaction: Transaction, end: Terminal, lacks: Sequence[Range]) -> bool:
    """Whether all that a chain lacks has come on a fork of it."""
    if not lacks:
        return True
    strays = select(_F.n).where(_F.facility == end.facility, _F.terminal == end.terminal)
    strays = strays.where(_F.incarnation == end.incarnation, _F.n.between(lacks[0][0], lacks[-1][1]))
    return not without(list(lacks), transaction.connection.execute(strays).scalars())


def _covered(transaction: Transaction, end: Terminal) -> bool:
    """Whether verified backups of the present epoch have every operation of the terminal, of all its incarnations.

    Forks have no leaf each: those must have come before the head up to which a backup goes.
    """
    connection, epoch = transaction.connection, transaction.tree.epoch
    size = connection.execute(select(_A.safe_size).where(_A.facility == end.facility)).scalar_one()
    head = (_H.facility == end.facility, _H.epoch == epoch, _H.size == size)
    at = connection.execute(select(_H.at).where(*head)).scalar_one_or_none()
    operations = exists().where(_O.facility == end.facility, _O.terminal == end.terminal)
    forks = exists().where(_F.facility == end.facility, _F.terminal == end.terminal)
    if at is not None:
        operations = operations.where(_O.epoch == epoch, _O.leaf >= size)
        forks = forks.where(_F.received_at >= at)
    return not connection.execute(select(operations | forks)).scalar_one()
