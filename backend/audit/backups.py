"""Backups: a copy of an embedded store beside a server under load, and the proof that a copy can be restored.

Only what a copy was shown to have, read back and verified from its first leaf on, may be forgotten by terminals: that is
``safe_upto`` (docs/protocol.md §6).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, make_url, select, update

from backend.audit.log import HeadKeys, append
from backend.audit.verify import Broken, Verified, verify
from backend.kernel.disk import settle
from backend.kernel.ids import unhash
from backend.storage import schema, tables
from backend.storage.door import Door, Transaction
from backend.storage.engine import Store

_F, _H, _T, _C, _B = (
    tables.facilities.c, tables.tree_heads.c, tables.terminals.c, tables.holds.c, tables.backups.c
)  # fmt: skip
_COVER = (
    update(tables.facilities)
    .where(_F.facility == bindparam("f"), _F.safe_size < bindparam("covered"))
    .values(safe_size=bindparam("covered"))
)
_KEEP = (
    update(tables.terminals)
    .where(_T.facility == bindparam("f"), _T.terminal == bindparam("t"), _T.incarnation == bindparam("i"))
    .where(_T.safe_n < bindparam("n"))
    .values(safe_n=bindparam("n"))
)


class Unfit(Exception):
    """The copy cannot stand in for this installation; says why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A facility as a copy has it: what was verified, and each terminal's incarnation and number that are safe there."""

    verified: Verified
    safe: tuple[tuple[str, int, int], ...]


def make(store: Store, target: Path) -> int:
    """Copies an embedded store, as it is at one moment, into a new file; returns the file's size in bytes.

    Others read and write all the while (SQLite's online backup of one snapshot of the write-ahead log). The file appears
    whole or not at all. Raises ValueError for PostgreSQL, which has its own tools, FileExistsError, and other OSErrors.
    """
    if not store.sqlite:
        raise ValueError("PostgreSQL is copied by its own tools (docs/operations.md)")
    if target.exists():
        raise FileExistsError(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.{os.getpid()}.draft")
    try:
        with (
            contextlib.closing(sqlite3.connect(str(store.engine.url.database))) as source,
            contextlib.closing(sqlite3.connect(draft)) as copy,
        ):
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE").close()
        settle(draft)
        draft.rename(target)
    except sqlite3.Error as fault:
        raise OSError(str(fault)) from fault
    finally:
        draft.unlink(missing_ok=True)
    settle(target.parent)
    return target.stat().st_size


def confirm(door: Door, key: HeadKeys, url: str) -> list[Confirmed]:
    """Reads a copy back, verifies all of it, and tells the live store what it covers. The copy is not changed.

    ``url``: SQLAlchemy's, of the copy. ``key``: the server's public key. Nothing is told unless every facility of the
    copy holds. Raises Unfit, Broken, Problem ``server.busy`` and ``server.behind``.
    """
    place = make_url(url).render_as_string(hide_password=True)
    copy = _opened(url)
    try:
        if schema.revision(copy) != schema.revision(door.store):
            raise Unfit("the copy has the schema of another version of the server")
        found = [_read(copy, facility, key) for facility in _facilities(copy)]
    finally:
        copy.close()
    if not found:
        raise Unfit("the copy has no facility")
    for each in found:
        _compare(door.store, each.verified)
    for each in found:
        door.write(each.verified.facility, partial(_tell, found=each, place=place))
    return found


def _opened(url: str) -> Store:
    if url.startswith("sqlite"):
        path = Path(str(make_url(url).database))
        if not path.is_file():
            raise Unfit(f"there is no file {path}")
        if Path(f"{path}-wal").exists():
            raise Unfit("the copy is in use, or was copied in the middle of work: make it with flask backup make")
    return Store(url, read_only=True)


def _facilities(copy: Store) -> Sequence[str]:
    with copy.reading() as connection:
        return connection.execute(select(_F.facility).order_by(_F.facility)).scalars().all()


def _read(copy: Store, facility: str, key: HeadKeys) -> Confirmed:
    try:
        held = verify(copy, facility, key, None)
    except Broken as broken:
        raise Unfit(f"{facility} in the copy does not hold, or is not of this installation: {broken}") from None
    with copy.reading() as connection:
        return Confirmed(held, tuple(_safe(connection, facility)))


def _safe(connection: Connection, facility: str) -> list[tuple[str, int, int]]:
    """(terminal, incarnation, n): everything up to n was received, and has its final outcome."""
    joined = (_C.facility == _T.facility) & (_C.terminal == _T.terminal) & (_C.incarnation == _T.incarnation)
    statement = (
        select(_T.terminal, _T.incarnation, _T.last_n, func.min(_C.n).label("waits"))
        .outerjoin(tables.holds, joined & _C.settled_at.is_(None))
        .where(_T.facility == facility)
        .group_by(_T.terminal, _T.incarnation, _T.last_n)
        .order_by(_T.terminal)
    )
    return [
        (row.terminal, row.incarnation, row.last_n if row.waits is None else min(row.last_n, row.waits - 1))
        for row in connection.execute(statement)
    ]


def _compare(live: Store, held: Verified) -> None:
    """The copy is an earlier moment of the live log, in its present epoch."""
    with live.reading() as connection:
        epoch = connection.execute(select(_F.epoch).where(_F.facility == held.facility)).scalar_one_or_none()
        root = connection.execute(_root(held)).scalar_one_or_none()
    if epoch is None:
        raise Unfit(f"this installation has no facility {held.facility}")
    if epoch != held.epoch:
        raise Unfit(
            f"{held.facility} in the copy is of epoch {held.epoch}, the present one is {epoch}: make another copy"
        )
    if root != unhash(held.root):
        raise Unfit(f"the log of {held.facility} in the copy is not a part of the present one")


def _root(held: Verified) -> Any:
    return select(_H.root).where(_H.facility == held.facility, _H.epoch == held.epoch, _H.size == held.size)


def _tell(transaction: Transaction, found: Confirmed, place: str) -> None:
    held = found.verified
    if transaction.tree.epoch != held.epoch:
        raise Unfit(f"an epoch of {held.facility} was opened meanwhile: make another copy")
    same = (_B.facility == held.facility, _B.epoch == held.epoch, _B.size == held.size)
    transaction.execute(delete(tables.backups).where(*same))
    row = {"facility": held.facility, "epoch": held.epoch, "size": held.size, "root": unhash(held.root)}
    transaction.insert(tables.backups, [row | {"place": place, "verified_at": transaction.now}])
    transaction.execute(_COVER, {"f": held.facility, "covered": held.size})
    safe = [{"f": held.facility, "t": terminal, "i": incarnation, "n": n} for terminal, incarnation, n in found.safe]
    if safe:
        transaction.execute(_KEEP, safe)
    append(transaction, "backup.verified", {"epoch": held.epoch, "size": held.size, "root": held.root, "place": place})
