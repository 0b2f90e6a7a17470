"""What terminals report when the heads that they were shown do not agree (docs/protocol.md §12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import delete, func, select

from backend.audit.log import HeadKeys, append, read_head
from backend.kernel.ids import b64, sha256
from backend.kernel.keys import Jws
from backend.kernel.problems import Problem
from backend.storage import tables
from backend.storage.door import Door, Transaction
from backend.storage.engine import Store

WHY = ("roots", "proof", "refused")
"""Two roots for one size; a proof of consistency that does not hold; none was given."""
LONGEST_HEAD = 2048
LEAST_SECONDS = 10
"""A terminal reports no more often than this: each report is a leaf."""
_FACTS = ("facility", "epoch", "size", "root")
_A = tables.alarms.c


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that nobody has settled. ``at`` in milliseconds; ``body``: ``{held, shown, why}``, each head as
    ``{head, epoch, size, root, signed}``; ``signed``: whether it is one of this server's.
    """

    facility: str
    terminal: str
    at: int
    body: dict[str, Any]


def raise_alarm(door: Door, keys: HeadKeys, facility: str, terminal: str, said: dict[str, str]) -> None:
    """Keeps a terminal's alarm ``{held, shown, why}``, with a leaf ``head.alarm``. The same one again changes nothing.

    Raises Problem ``field.invalid`` for what is no head, and ``terminal.busy`` when it comes too soon after another.
    """
    heads = {name: _read(said[name], name, keys) for name in ("held", "shown")}
    body = orjson.dumps({**heads, "why": said["why"]})
    plain = {name: {key: value for key, value in head.items() if key != "head"} for name, head in heads.items()}

    def work(transaction: Transaction) -> None:
        mine = (_A.facility == facility, _A.terminal == terminal)
        before = transaction.connection.execute(select(tables.alarms).where(*mine)).one_or_none()
        if before is not None and before.body == body:
            return
        if before is not None and 0 <= transaction.now - before.at < LEAST_SECONDS * 1000:
            raise Problem("terminal.busy", retry_after=LEAST_SECONDS)
        transaction.execute(delete(tables.alarms).where(*mine))
        row = {"facility": facility, "terminal": terminal, "at": transaction.now, "body": body}
        transaction.insert(tables.alarms, [row])
        facts = {"terminal": terminal, "why": said["why"], **plain, "report": b64(sha256(body))}
        append(transaction, "head.alarm", facts)

    door.write(facility, work)


def settle(door: Door, facility: str, terminal: str, reason: str, operator: str) -> None:
    """Ends a terminal's alarm, with a leaf ``head.alarm.settled``. Raises ValueError for an empty word, LookupError where
    there is no alarm, and what the door raises.
    """
    if not (reason.strip() and operator.strip()) or len(reason) > 500 or len(operator) > 80:
        raise ValueError("an alarm is settled with a reason (up to 500 signs) and an operator (up to 80)")

    def work(transaction: Transaction) -> None:
        mine = (_A.facility == facility, _A.terminal == terminal)
        if transaction.connection.execute(select(_A.at).where(*mine)).one_or_none() is None:
            raise LookupError(terminal)
        transaction.execute(delete(tables.alarms).where(*mine))
        append(transaction, "head.alarm.settled", {"terminal": terminal, "reason": reason, "operator": operator})

    door.write(facility, work)


def everyone(store: Store) -> Sequence[Alarm]:
    """The alarms that nobody has settled, by facility and terminal."""
    with store.reading() as connection:
        rows = connection.execute(select(tables.alarms).order_by(_A.facility, _A.terminal))
        return [Alarm(row.facility, row.terminal, row.at, orjson.loads(row.body)) for row in rows]


def count(store: Store) -> int:
    """How many alarms nobody has settled."""
    with store.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(tables.alarms)).scalar_one())


def _read(token: str, field: str, keys: HeadKeys) -> dict[str, Any]:
    """What a head says, whoever has signed it: what another server signed is worth knowing too."""
    try:
        said = Jws(token).payload
        told = {name: said[name] for name in _FACTS}
        whole = all(type(said[name]) is int and 0 <= said[name] < 2**53 for name in ("epoch", "size"))
    except (ValueError, KeyError):
        raise Problem("field.invalid", field) from None
    if not whole or not all(isinstance(said[name], str) and len(said[name]) <= 64 for name in ("facility", "root")):
        raise Problem("field.invalid", field)
    try:
        read_head(token, keys)
    except (ValueError, KeyError, TypeError):
        return {"head": token, **told, "signed": False}
    return {"head": token, **told, "signed": True}
