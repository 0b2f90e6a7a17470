"""One operation's path, from its capture to the terminals that saw what it made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, select

from backend.audit.views import backlog, names, pages, readings
from backend.audit.views.names import moment
from backend.kernel.framing import genesis, link
from backend.kernel.ids import b64, sha256
from backend.kernel.strict_json import Unreadable, read_object
from backend.storage import tables

_O, _H, _T, _I, _G = (table.c for table in (
    tables.operations, tables.holds, tables.terminals, tables.incarnations, tables.segments,
))  # fmt: skip
_R, _V, _N, _D = (table.c for table in (tables.records, tables.versions, tables.tree_heads, tables.disputes))
_CAPTURED = (
    "kind", "schema", "verb", "record", "base", "after", "officer", "session", "observed_at", "recorded_at", "clock",
    "anchor", "signoff", "attachments", "seen", "fields",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Path:
    """``told``: the path itself. ``subject``: what it is the path of. ``made``: (partition, sequence number) of the first
    row it made, None if it made none. ``partitions``: of all rows that are in it."""

    subject: str
    told: dict[str, Any]
    made: tuple[str, int] | None
    partitions: tuple[str, ...]


def page(
    connection: Connection, facility: str, terminal: str, incarnation: int | None, after: str | None, limit: int
) -> dict[str, Any] | None:
    """``{operations, after}``: what came of a terminal's numbers, without values, by incarnation and number.

    None if the facility has no such terminal.
    """
    known = select(_T.terminal).where(_T.facility == facility, _T.terminal == terminal)
    if connection.execute(known).first() is None:
        return None
    key = pages.opened(after, (int, int))
    mine = [_O.facility == facility, _O.terminal == terminal, pages.beyond((_O.incarnation, _O.n), key)]
    if incarnation is not None:
        mine.append(_O.incarnation == incarnation)
    wanted = select(tables.operations).where(*mine).order_by(_O.incarnation, _O.n).limit(limit + 1)
    rows, then = pages.cut(connection.execute(wanted).all(), limit, lambda row: (row.incarnation, row.n))
    return {"operations": [listed(row) for row in rows], "after": then}


def listed(row: Any) -> dict[str, Any]:
    """A row of ``operations`` without values: its place, its kind of thing, its end."""
    said = readable(row.raw) or {}
    return {
        "terminal": row.terminal,
        "incarnation": row.incarnation,
        "n": row.n,
        "op": row.op,
        "status": row.status,
        "kind": text_of(said, "kind"),
        "verb": text_of(said, "verb"),
        "record": text_of(said, "record"),
        "received_at": moment(row.received_at),
        "epoch": row.epoch,
        "leaf": row.leaf,
        "length": len(row.raw),
    }


def readable(raw: bytes) -> dict[str, Any] | None:
    """An operation's bytes as an object, None where they are none: quarantine holds anything."""
    try:
        return read_object(raw)
    except Unreadable:
        return None


def text_of(said: Mapping[str, Any], name: str) -> str | None:
    value = said.get(name)
    return value if isinstance(value, str) else None


def of_op(connection: Connection, facility: str, op: str) -> Path | None:
    """The path of the operation of that id."""
    return _path(connection, facility, select(tables.operations).where(_O.facility == facility, _O.op == op))


def of_number(connection: Connection, facility: str, terminal: str, incarnation: int, n: int) -> Path | None:
    """The path of the operation on that number, whether its id was legible or not."""
    key = (_O.facility == facility, _O.terminal == terminal, _O.incarnation == incarnation, _O.n == n)
    return _path(connection, facility, select(tables.operations).where(*key))


def _path(connection: Connection, facility: str, wanted: Any) -> Path | None:
    row = connection.execute(wanted).one_or_none()
    if row is None:
        return None
    said, outcome = readable(row.raw), orjson.loads(row.outcome)
    versions = _versions(connection, facility, outcome)
    told = {
        "op": row.op,
        "terminal": names.of_terminals(connection, facility, [row.terminal]).get(row.terminal),
        "incarnation": row.incarnation,
        "n": row.n,
        "capture": None if said is None else _capture(connection, facility, said),
        "bytes": {"length": len(row.raw), "sha256": b64(sha256(row.raw)), "raw": b64(row.raw)},
        "chain": _chain(connection, row),
        "received_at": moment(row.received_at),
        "custody": _custody(connection, row),
        "status": row.status,
        "final": row.status != "held",
        "outcome": outcome,
        "leaf": _leaf(connection, facility, row.epoch, row.leaf) | {"outcome_sha256": b64(sha256(row.outcome))},
        "versions": versions,
        "conflicts": _conflicts(connection, facility, said, outcome),
    }
    made = next(((each["partition"], each["seq"]) for each in versions if each["row"] is not None), None)
    rows = (*(each["row"] for each in versions), *told["conflicts"])
    partitions = tuple(each["partition"] for each in rows if each is not None)
    return Path(readings.number(row.terminal, row.incarnation, row.n), told, made, partitions)


def _capture(connection: Connection, facility: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """What the operation says of itself; all of it is claimed but ``proven_from``."""
    capture = {name: said.get(name) for name in _CAPTURED}
    officer = text_of(said, "officer")
    known = names.of_officers(connection, facility, [officer] if officer else [])
    capture["officer"] = known.get(officer or "", {"id": officer, "number": None, "name": None})
    return capture | {"proven_from": moment(anchored(connection, facility, said))}


def anchored(connection: Connection, facility: str, said: Mapping[str, Any]) -> int | None:
    """When the head that an operation names was signed: it was made after that. None if this server signed no such."""
    place = anchor_of(said)
    if place is None:
        return None
    wanted = select(_N.root, _N.at).where(_N.facility == facility, _N.epoch == place[0], _N.size == place[1])
    row = connection.execute(wanted).one_or_none()
    return row.at if row is not None and b64(row.root) == said["anchor"].get("root") else None


def anchor_of(said: Mapping[str, Any]) -> tuple[int, int] | None:
    """Epoch and size of the head that an operation names; of a quarantined one they may be anything."""
    anchor = said.get("anchor")
    epoch, size = (anchor.get("epoch"), anchor.get("size")) if isinstance(anchor, dict) else (None, None)
    return (epoch, size) if type(epoch) is int and type(size) is int and 0 < epoch < 2**31 else None


def _chain(connection: Connection, row: Any) -> dict[str, Any]:
    """The link to the number before. ``proven``: that number's bytes are here and lead to this hash; ``gap``: earlier
    numbers are missing at present."""
    prior = _prior(connection, row)
    mine = (_G.facility == row.facility, _G.terminal == row.terminal, _G.incarnation == row.incarnation)
    beyond = connection.execute(select(_G.first).where(*mine, _G.first <= row.n, _G.last >= row.n)).first()
    return {
        "hash": b64(row.hash),
        "prior": None if prior is None else b64(prior),
        "proven": prior is not None and link(prior, row.n, row.raw) == row.hash,
        "gap": beyond is not None,
    }


def _prior(connection: Connection, row: Any) -> bytes | None:
    if row.n == 1:
        return genesis(row.facility, row.terminal, row.incarnation, _thumbprint(connection, row))
    before = (_O.facility == row.facility, _O.terminal == row.terminal, _O.incarnation == row.incarnation)
    found: bytes | None = connection.execute(select(_O.hash).where(*before, _O.n == row.n - 1)).scalar_one_or_none()
    return found


def _thumbprint(connection: Connection, row: Any) -> str:
    ended = select(_I.thumbprint).where(
        _I.facility == row.facility, _I.terminal == row.terminal, _I.incarnation == row.incarnation
    )
    present = select(_T.thumbprint).where(_T.facility == row.facility, _T.terminal == row.terminal)
    found: str = connection.execute(ended).scalar_one_or_none() or connection.execute(present).scalar_one()
    return found


def _custody(connection: Connection, row: Any) -> dict[str, Any] | None:
    """The receipt of an operation that waits or waited, with what it still waits for."""
    mine = (_H.facility == row.facility, _H.terminal == row.terminal, _H.incarnation == row.incarnation)
    hold = connection.execute(select(tables.holds).where(*mine, _H.n == row.n)).one_or_none()
    if hold is None:
        return None
    return {
        "receipt": orjson.loads(hold.receipt),
        "received_at": moment(hold.received_at),
        "deadline": moment(hold.deadline),
        "settled_at": moment(hold.settled_at),
        "waits_for": backlog.waits(connection, row.facility, [hold])[row.terminal, row.incarnation, row.n],
        "leaf": _leaf(connection, row.facility, hold.epoch, hold.leaf) | {"outcome_sha256": b64(sha256(hold.receipt))},
    }


def _leaf(connection: Connection, facility: str, epoch: int, position: int) -> dict[str, Any]:
    """A leaf's place, and the first signed head whose tree includes it."""
    wanted = (
        select(_N.size, _N.root, _N.at)
        .where(_N.facility == facility, _N.epoch == epoch, _N.size > position)
        .order_by(_N.size)
        .limit(1)
    )
    head = connection.execute(wanted).one_or_none()
    included = None if head is None else {"size": head.size, "root": b64(head.root), "at": moment(head.at)}
    return {"epoch": epoch, "position": position, "included_by": included}


def _versions(connection: Connection, facility: str, outcome: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The versions that an outcome names: the operation's own record first, then those in ``also``."""
    own = [outcome] if "version" in outcome else []
    return [version(connection, facility, each["record"], each["version"]) for each in (*own, *outcome.get("also", ()))]


def version(connection: Connection, facility: str, record: str, number: int) -> dict[str, Any]:
    """One version of a record as it was sent to terminals; ``present``: none has come after it."""
    now = select(_R.version, _R.body).where(_R.facility == facility, _R.id == record, _R.version == number)
    then = select(_V.version, _V.body).where(_V.facility == facility, _V.id == record, _V.version == number)
    present = connection.execute(now).one_or_none()
    row = present or connection.execute(then).one_or_none()
    body = None if row is None else orjson.loads(row.body)
    return {
        "record": record,
        "version": number,
        "present": present is not None,
        "partition": None if body is None else body["partition"],
        "seq": None if body is None else body["seq"],
        "sha256": None if row is None else b64(sha256(row.body)),
        "row": body,
    }


def _conflicts(
    connection: Connection, facility: str, said: Mapping[str, Any] | None, outcome: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The conflict that the operation ended in or settles, and the one that its record is under now."""
    found = [outcome["conflict"]] if "conflict" in outcome else []
    record = text_of(said or {}, "record")
    if record is not None and (said or {}).get("kind") == "conflict":
        found.append(record)
    elif record is not None:
        wanted = select(_D.conflict).where(_D.facility == facility, _D.record == record)
        found += connection.execute(wanted).scalars().all()
    return of_records(connection, facility, list(dict.fromkeys(found)))


def of_records(connection: Connection, facility: str, records: Sequence[str]) -> list[dict[str, Any]]:
    """Present rows of these records, in their order; those that do not exist are left out."""
    wanted = select(_R.id, _R.body).where(_R.facility == facility, _R.id.in_(records))
    bodies = {row.id: orjson.loads(row.body) for row in connection.execute(wanted)}
    return [bodies[record] for record in records if record in bodies]
