"""What stands in a bundle beside operations and leaves: whose it is, chains, sessions, officers, and the seal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import orjson
import sqlite_utils
from sqlalchemy import Connection, select

from backend.audit.evidence import layout
from backend.audit.evidence.order import Order
from backend.audit.evidence.rows import Leaf
from backend.kernel.keys import SigningKey
from backend.storage import tables

_T, _I, _O = tables.terminals.c, tables.incarnations.c, tables.officers.c
_ENDS = ("terminal", "incarnation", "thumbprint", "jwk", "last_n", "top_n", "captured")


def about(ordered: Order, facility: Any) -> list[dict[str, str]]:
    """The rows of ``about``. ``facility``: its row in the store."""
    who = ordered.who
    facts = {
        "format": layout.FORMAT,
        "export": ordered.export,
        "facility": who.facility,
        "facility_name": facility.name,
        "facility_type": facility.type,
        "scope": orjson.dumps(ordered.scope.facts()).decode(),
        "reason": ordered.reason,
        "officer": who.officer,
        "session": who.session or "",
        "terminal": who.terminal or "",
        "made_at": ordered.at,
        "epoch": str(ordered.epoch),
        "leaf": str(ordered.leaf),
    }
    return [{"name": name, "value": facts[name], "meaning": meaning} for name, meaning in layout.ABOUT.items()]


def chains(
    connection: Connection, facility: str, terminals: Collection[str] | None, enrolled: Mapping[tuple[str, int], Leaf]
) -> list[dict[str, Any]]:
    """Chains of some terminals, or of all (None). ``enrolled``: the leaf of each chain's enrolment. Raises KeyError."""
    present = connection.execute(select(tables.terminals).where(_T.facility == facility)).all()
    ended = connection.execute(select(tables.incarnations).where(_I.facility == facility)).all()
    labels = {row.terminal: row.label for row in present}
    rows = [(row, row.state) for row in present] + [(row, row.why) for row in ended]
    found = []
    for row, state in rows:
        if terminals is None or row.terminal in terminals:
            leaf = enrolled[row.terminal, row.incarnation]
            named = {name: row._mapping[name] for name in _ENDS} | {"label": labels[row.terminal], "state": state}
            found.append(named | {"epoch": leaf.epoch, "leaf": leaf.position})
    return found


def thumbprints(connection: Connection, facility: str) -> dict[tuple[str, int], str]:
    """(terminal, incarnation) → the thumbprint of its key."""
    found = {}
    for table in (tables.terminals, tables.incarnations):
        of = table.c
        wanted = select(of.terminal, of.incarnation, of.thumbprint).where(of.facility == facility)
        found.update({(row.terminal, row.incarnation): row.thumbprint for row in connection.execute(wanted)})
    return found


def sessions(signed_in: Mapping[str, Leaf]) -> list[dict[str, Any]]:
    """The rows of ``sessions``, from their leaves."""
    return [
        {
            "session": session,
            "officer": leaf.said["officer"],
            "terminal": leaf.said["terminal"],
            "started_at": leaf.said["at"],
            "epoch": leaf.epoch,
            "leaf": leaf.position,
        }
        for session, leaf in signed_in.items()
    ]


def officers(connection: Connection, facility: str, ids: Collection[str] | None) -> list[dict[str, Any]]:
    """Some officers, or all (None), as the server knows them."""
    wanted = select(_O.officer, _O.number, _O.name, _O.posts).where(_O.facility == facility).order_by(_O.officer)
    rows = connection.execute(wanted).mappings()
    return [dict(row) for row in rows if ids is None or row["officer"] in ids]


def signed(file: sqlite_utils.Database, key: SigningKey, ordered: Order) -> str:
    """The server's statement over all other tables, as they stand in the file now."""
    sums = {}
    for name in layout.SHEETS:
        if name != "seal":
            count, digest = layout.digest(file.execute(layout.ordered(name)))
            sums[name] = {"rows": count, "digest": digest}
    said = {"facility": ordered.who.facility, "export": ordered.export, "at": ordered.at, "tables": sums}
    return key.sign({"typ": layout.TYPE, "kid": key.thumbprint}, said)
