"""Epochs: where the log of each began and ended, why, and what witnesses prove that it lost."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from backend.audit import epochs
from backend.audit.views.names import moment
from backend.kernel.ids import b64
from backend.storage import tables
from backend.storage.engine import Store

_F, _B = tables.facilities.c, tables.backups.c


def page(store: Store, facility: str) -> dict[str, Any]:
    """``{epoch, size, safe_size, head, backup, epochs}``: the log as it is, and its epochs, the newest first."""
    found = [_epoch(each) for each in reversed(epochs.epochs(store, facility))]
    with store.reading() as connection:
        here = connection.execute(select(tables.facilities).where(_F.facility == facility)).one()
        backup = _newest_backup(connection, facility)
    now = {"epoch": here.epoch, "size": here.size, "safe_size": here.safe_size, "head": here.head}
    return now | {"backup": backup, "epochs": found}


def _epoch(epoch: epochs.Epoch) -> dict[str, Any]:
    return {
        "epoch": epoch.epoch,
        "present": epoch.present,
        "opened_at": moment(epoch.opened_at),
        "reason": epoch.reason,
        "operator": epoch.operator,
        "size": epoch.size,
        "root": epoch.root,
        "lost": epoch.lost,
        "shown_by": list(epoch.shown_by),
    }


def _newest_backup(connection: Connection, facility: str) -> dict[str, Any] | None:
    wanted = select(tables.backups).where(_B.facility == facility).order_by(_B.epoch.desc(), _B.size.desc()).limit(1)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        return None
    return {"epoch": row.epoch, "size": row.size, "root": b64(row.root), "verified_at": moment(row.verified_at)}
