"""Checking a facility from its first leaf to its last signed head, through all epochs, and its rows against the leaves.

Reads the store only; trusts nothing in it but the server's public key, which is given. Names the first thing that is
wrong and stops there: what follows a break proves nothing. Memory does not grow with the log (``checks.told``).

Not covered, since no leaf holds their digest: names and secrets of officers, assignments, labels of terminals, sessions,
which pull was given when, and what a held operation still waits for.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from sqlalchemy import select

from backend.audit.checks import chains, decisions, duties, files, kept, log
from backend.audit.checks.base import Broken, View
from backend.audit.checks.rows import Records
from backend.audit.checks.told import Told
from backend.audit.log import HeadKeys
from backend.storage import tables
from backend.storage.engine import Store

__all__ = ["Broken", "Verified", "verify"]


@dataclass(frozen=True, slots=True)
class Verified:
    """What held: the present epoch and its root; counts over all epochs; the size of the present epoch."""

    facility: str
    epoch: int
    size: int
    leaves: int
    operations: int
    versions: int
    heads: int
    root: str


def verify(store: Store, facility: str, key: HeadKeys, witness: str | None) -> Verified:
    """Verifies a facility in one consistent view. ``witness``: a head kept elsewhere that the log must contain.

    Raises Broken, and LookupError for an unknown facility.
    """
    with store.reading() as connection:
        of = tables.facilities.c.facility
        state = connection.execute(select(tables.facilities).where(of == facility)).one_or_none()
        if state is None:
            raise LookupError(facility)
        with View(connection, facility, key, state) as view, contextlib.closing(Told()) as told:
            return _verify(view, told, witness)


def _verify(view: View, told: Told, witness: str | None) -> Verified:
    state, claimed = view.state, view.head(view.state.head)
    if (claimed["epoch"], claimed["size"]) != (state.epoch, state.size):
        raise Broken(f"the signed head speaks of {claimed['size']} leaves, the facility of {state.size}")
    epochs = log.walk(view, told, claimed)
    kept.check_witnesses(view, told)
    if witness is not None:
        kept.check_head(view, view.head(witness), epochs)
    safe_size = kept.check_backups(view, told)
    operations = chains.check_operations(view, told, safe_size)
    kept.check_forks(view, told)
    kept.check_keys(view, told)
    kept.check_reports(view, told)
    kept.check_alarms(view, told)
    files.check_files(view, told)
    files.check_attachments(view)
    decisions.check_postings(view, told)
    decisions.check_factors(view, told)
    decisions.check_confirmations(view, told)
    duties.check_duties(view, told)
    versions = Records(view).check(told)
    leaves, heads = sum(each.size for each in epochs), sum(each.heads for each in epochs)
    return Verified(view.facility, state.epoch, state.size, leaves, operations, versions, heads, claimed["root"])
