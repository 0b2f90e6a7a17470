"""Asking for a bundle: who, what of, and why stand in the log before anything is given out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backend.audit.evidence.scope import Scope, exists
from backend.audit.log import append
from backend.kernel.clock import to_text
from backend.kernel.ids import uuid7
from backend.storage.door import Door, Transaction

ACT = "evidence.exported"
LONGEST_REASON = 500


class NothingThere(LookupError):
    """The facility has no such person or terminal."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks: his id, and his session and terminal, which the server's own console has not."""

    facility: str
    officer: str
    session: str | None = None
    terminal: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An export that stands in the log. ``epoch`` and ``leaf`` are the place of its leaf; ``at``: RFC 3339."""

    export: str
    who: Who
    scope: Scope
    reason: str
    at: str
    epoch: int
    leaf: int


def order(door: Door, who: Who, scope: Scope, reason: str) -> Order:
    """Leaf ``evidence.exported``.

    Raises NothingThere, UnknownFacility, ValueError for an empty reason or one of more than 500 signs, Problem
    ``server.busy`` and ``server.behind``: then nothing may be given out.
    """
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise ValueError("an export needs a reason of up to 500 signs")

    def work(transaction: Transaction) -> Order:
        if not exists(transaction.connection, who.facility, scope):
            raise NothingThere(scope.subject)
        export = uuid7(transaction.now)
        facts: dict[str, Any] = {"export": export, "officer": who.officer, "session": who.session}
        facts |= {"terminal": who.terminal, "scope": scope.facts(), "reason": reason}
        place = append(transaction, ACT, facts)
        return Order(export, who, scope, reason, to_text(transaction.now), transaction.tree.epoch, place)

    return door.write(who.facility, work)
