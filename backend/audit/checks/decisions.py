"""Who may and who confirmed: posts by their time, second factors and confirmations are what their leaves say."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import select

from backend.audit.checks.base import Broken, View
from backend.audit.checks.told import Told
from backend.kernel.clock import to_text
from backend.kernel.ids import b64, sha256
from backend.storage import tables

_P, _O, _F, _C = tables.postings.c, tables.officers.c, tables.factors.c, tables.confirmations.c
_ALWAYS = 0
"""Since when the posts of an officer count whom an installation had before posts had a history."""


def check_postings(view: View, told: Told) -> None:
    """Every officer holds, and held, the posts that the log gives him."""
    rows: dict[str, list[tuple[int, str]]] = {}
    for row in view.stream(select(tables.postings).where(_P.facility == view.facility).order_by(_P.officer, _P.since)):
        rows.setdefault(row.officer, []).append((row.since, row.posts))
    present = {
        row.officer: row.posts for row in view.stream(select(_O.officer, _O.posts).where(_O.facility == view.facility))
    }
    for officer in sorted(rows.keys() | told.postings.keys() | present.keys()):
        said, had = told.postings.get(officer, {}), rows.get(officer, [])
        first = next(iter(said), None)
        is_ = {first if first is not None and since == _ALWAYS else to_text(since): posts for since, posts in had}
        if is_ != said or present.get(officer) != (had[-1][1] if had else None):
            raise Broken(f"the posts of officer {officer} differ from their leaves")


def check_factors(view: View, told: Told) -> None:
    """Every second factor was added as its leaf says, and removed where one says so."""
    rows = view.stream(select(tables.factors).where(_F.facility == view.facility))
    is_ = {row.factor: (row.officer, row.sort, b64(sha256(bytes(row.key))), row.removed_at is None) for row in rows}
    for factor in sorted(is_.keys() | told.factors.keys()):
        if is_.get(factor) != told.factors.get(factor):
            raise Broken(f"factor {factor} differs from its leaf")


def check_confirmations(view: View, told: Told) -> None:
    """Every confirmation is as it was given; the operation that used it, if one did, names it."""
    found = set()
    for row in view.stream(select(tables.confirmations).where(_C.facility == view.facility)):
        found.add(row.confirmation)
        if told.confirmations.get(row.confirmation) != _digest(row):
            raise Broken(f"confirmation {row.confirmation} differs from its leaf")
        if (row.op is None) != (row.spent_at is None) or (row.op is not None and not _names(view, row)):
            raise Broken(f"confirmation {row.confirmation} was not used by operation {row.op}")
    if missing := sorted(told.confirmations.keys() - found):
        raise Broken(f"confirmation {missing[0]} is missing")


def _digest(row: Any) -> bytes:
    proof, at = b64(sha256(bytes(row.proof))), to_text(row.given_at)
    facts = [row.officer, row.session, row.terminal, row.factor, b64(row.digest), proof, row.expires_at, at]
    return sha256(orjson.dumps(facts))


def _names(view: View, row: Any) -> bool:
    here = tables.operations.c
    wanted = select(here.raw).where(here.facility == view.facility, here.op == row.op)
    raw = view.connection.execute(wanted).scalar_one_or_none()
    signoff = orjson.loads(raw)["signoff"] if raw is not None else None
    return bool(signoff and signoff.get("confirmation") == row.confirmation)
