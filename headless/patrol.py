"""A round on foot: open it, record a visit to each place, close it. Nothing here needs signal.

Kinds and fields: protocol section 14. There is no "all normal" and no default for what an officer must look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict

from headless.chain import uuid7
from headless.store import Queued
from headless.terminal import Terminal

RESPONSES = ("spoke", "moving", "breathing", "none")
OBSERVATIONS = ("asleep", "calm", "talking", "low_mood", "agitated", "dispute", "unwell", "damage", "other")
MEDIA = ("nfc", "qr", "typed")
BY_SESSION: dict[str, Any] = {"method": "session", "evidence": [], "challenge": None}


class Tag(TypedDict):
    """What was read at the place; `counter` is the tag's own count of readings, where it has one."""

    uid: str
    medium: str
    counter: int | None


class Cell(TypedDict):
    """What was seen in a cell; `headcount` 0-200, the others of RESPONSES and OBSERVATIONS."""

    headcount: int
    response: str
    observation: str


def open_round(terminal: Terminal, area: str, companions: Sequence[str] = ()) -> str:
    """Begin a round in a ward (its place id) with other officers (their ids). Returns the round's id."""
    record = uuid7()
    terminal.capture("patrol.round", "open", record, {"area": area, "companions": list(companions)})
    return record


def visit(
    terminal: Terminal,
    round_id: str,
    place: str,
    *,
    tag: Tag | None,
    cell: Cell | None,
    note: str | None,
    observed_at: datetime | None = None,
    attachments: Sequence[str] = (),
) -> str:
    """Record a visit: `cell` None at a checkpoint, `tag` None (with a note) when none was read. Returns its id."""
    record = uuid7()
    terminal.capture(
        "patrol.visit",
        "record",
        record,
        {"round": round_id, "place": place, "tag": tag, "cell": cell, "note": note},
        after=_opened(terminal, round_id),
        observed_at=observed_at,
        attachments=attachments,
    )
    return record


def close_round(
    terminal: Terminal,
    round_id: str,
    *,
    result: str = "completed",
    reason: str | None = None,
    signoff: dict[str, Any] | None = None,
) -> str:
    """End a round: `result` completed, or interrupted with a reason. Returns the operation's id."""
    fields = {"result": result, "reason": reason, "visits": _visited(terminal, round_id)}
    return terminal.capture(
        "patrol.round",
        "close",
        round_id,
        fields,
        base=1,
        after=_opened(terminal, round_id),
        signoff=signoff or BY_SESSION,
    )


def current_round(terminal: Terminal) -> str | None:
    """The officer's open round, read from the queue itself: there is no second note of it that could differ.

    Of a round whose opening the queue has forgotten, the row tells.
    """
    session = terminal.session
    if session is None:
        return None
    rounds = terminal.queue("patrol.round", officer=session.officer)
    closed = {queued.record for queued in rounds if queued.verb == "close"}
    opened = [queued for queued in rounds if queued.verb == "open" and queued.record not in closed]
    alive = [queued.record for queued in opened if queued.status not in ("rejected", "quarantined")]
    if not alive:
        rows = [row for row in _own_rows(terminal, "patrol.round") if row["author"]["officer"] == session.officer]
        alive = [row["id"] for row in rows if row["state"] == "open" and row["id"] not in closed]
    return alive[-1] if alive else None


def visits(terminal: Terminal, round_id: str) -> list[Queued]:
    """The visits of a round that this terminal recorded and that its queue still has."""
    return [queued for queued in terminal.queue("patrol.visit") if queued.operation["fields"]["round"] == round_id]


def _visited(terminal: Terminal, round_id: str) -> int:
    """How many visits of a round this terminal has recorded: by its queue, and by rows of what that has forgotten."""
    recorded = {queued.record for queued in visits(terminal, round_id)}
    rows = _own_rows(terminal, "patrol.visit")
    return len(recorded | {row["id"] for row in rows if row["doc"]["round"] == round_id})


def _own_rows(terminal: Terminal, kind: str) -> list[dict[str, Any]]:
    me = terminal.identity.terminal
    return [row for row in terminal.rows(kind) if row["terminal"] == me]


def places(terminal: Terminal) -> list[dict[str, Any]]:
    """The places held, as rows, by their position and code."""
    return sorted(terminal.rows("place"), key=lambda row: (row["doc"]["position"], row["doc"]["code"]))


def place_by_code(terminal: Terminal, code: str) -> dict[str, Any] | None:
    """The place's row; None when the terminal does not hold it."""
    return next((row for row in places(terminal) if row["doc"]["code"] == code), None)


def _opened(terminal: Terminal, round_id: str) -> list[str]:
    """The operation that this round's work needs: its opening, from our own queue or from another terminal's row."""
    ours = [queued.op for queued in terminal.queue(record=round_id)]
    if ours:
        return ours[:1]
    return [row["op"] for row in terminal.rows("patrol.round") if row["id"] == round_id]
