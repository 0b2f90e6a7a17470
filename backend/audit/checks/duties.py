"""The memory of the duty rules is that of which the newest leaf tells: nobody was taken off what is watched."""

from __future__ import annotations

from sqlalchemy import select

from backend.audit.checks.base import Broken, View
from backend.audit.checks.told import Told
from backend.audit.reckoning import digest, weight
from backend.storage import tables

_E, _W = tables.engines.c, tables.watches.c


def check_duties(view: View, told: Told) -> None:
    """The cursor and the watches."""
    row = view.connection.execute(select(tables.engines).where(_E.facility == view.facility)).one_or_none()
    found = None if row is None else (row.epoch, row.seq, row.at, row.pack)
    if found != (None if told.reckoned is None else told.reckoned[:4]):
        raise Broken("the cursor of the duty rules differs from its leaf")
    watches = view.stream(select(_W.key, _W.body).where(_W.facility == view.facility))
    total = sum(weight(each.key, each.body) for each in watches)
    if digest(total) != (digest(0) if told.reckoned is None else told.reckoned[4]):
        raise Broken("what the duty rules have in mind differs from its leaf")
