"""What is to be done, by the terminal's own clock: duties and windows of patrol as its rows tell them, with or without signal.

A duty comes with the rows up to 24 hours before it opens; the terminal rings by itself. A loud one rings from when it opens
until it is acknowledged, done or snoozed; a snooze ends when the duty is due, at the latest. Quiet ones are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from headless.chain import rfc3339
from headless.errors import Refused
from headless.terminal import Terminal

AHEAD = timedelta(hours=24)
SHOWN = timedelta(hours=48)
"""So long after it was due what was missed is shown: it may still be done, late."""
PATROLS = frozenset({"PAT", "AUX"})
NOT_DONE = frozenset({"issued", "acknowledged", "unconfirmed", "missed"})
COMING, OPEN, OVERDUE = "coming", "open", "overdue"
_GONE = frozenset({"complete", "delegate", "cancel"})


@dataclass(frozen=True)
class Due:
    """Something to be done. `what`: in Chinese and English; `stands`: COMING, OPEN or OVERDUE; `seen`: acknowledged by
    somebody, or here; `rings`: it rings at this moment. Of a window `record` is its plan and `place` the ward."""

    record: str
    kind: str
    what: tuple[str, str]
    rule: str | None
    person: str | None
    place: str | None
    opens_at: str
    due_at: str
    stands: str
    loud: bool
    seen: bool
    rings: bool


def agenda(terminal: Terminal) -> list[Due]:
    """What the officer signed in is to do now and within 24 hours, the earliest due first. Nobody signed in: nothing."""
    session = terminal.session
    if session is None:
        return []
    now = terminal.clock.now()
    found = [_duty(row, _mine(terminal, row["id"]), now) for row in terminal.rows("duty") if _asks(row, session)]
    if PATROLS.intersection(session.posts):
        found += _windows(terminal, now)
    return sorted((due for due in found if due is not None), key=lambda due: (due.due_at, due.record))


def ringing(terminal: Terminal) -> list[Due]:
    """What rings now."""
    return [due for due in agenda(terminal) if due.rings]


def line(due: Due) -> str:
    """One line of a list; a star for what rings."""
    bell = "*" if due.rings else " "
    return f"{bell} {due.due_at} {due.stands:<7} {due.rule or '-':<6} {due.record} {' / '.join(due.what)}"


def acknowledge(terminal: Terminal, duty: str) -> str:
    """It was seen. Returns the operation's id; raises Refused for a duty that is not held here."""
    row = _held(terminal, duty)
    seen = {name: row["doc"][name] for name in ("posts", "officer")}
    return terminal.capture("duty", "acknowledge", duty, {}, base=row["version"], seen=seen)


def complete(terminal: Terminal, duty: str, result: str, record: str | None = None) -> str:
    """It was done: `result` in words, `record` that tells of it. What was captured before is sent before."""
    row = _held(terminal, duty)
    return terminal.capture("duty", "complete", duty, {"result": result, "record": record}, base=row["version"])


def snooze(terminal: Terminal, duty: str, until: datetime) -> str:
    """It rings again at `until`. Raises Refused past its due time."""
    row = _held(terminal, duty)
    at = rfc3339(until)
    if at > row["doc"]["due_at"]:
        raise Refused(f"until: {at} is after it is due, {row['doc']['due_at']}")
    return terminal.capture("duty", "snooze", duty, {"until": at}, base=row["version"])


def _held(terminal: Terminal, duty: str) -> dict[str, Any]:
    for row in terminal.rows("duty"):
        if row["id"] == duty:
            return row
    raise Refused(f"duty {duty} is not held here")


def _asks(row: Mapping[str, Any], session: Any) -> bool:
    """Whether it is not done, and asks this officer: by name, by post, or because nobody before him answered."""
    doc = row["doc"]
    asked = {*doc["raised"], *(doc["posts"] if doc["officer"] is None else ())}
    return row["state"] in NOT_DONE and (doc["officer"] == session.officer or not asked.isdisjoint(session.posts))


def _mine(terminal: Terminal, duty: str) -> dict[str, Any]:
    """What was done with it here and has not been refused: verb → fields, the last of each."""
    queued = [each for each in terminal.queue(record=duty) if each.status not in ("rejected", "quarantined")]
    return {each.verb: each.operation["fields"] for each in queued}


def _duty(row: Mapping[str, Any], mine: Mapping[str, Any], now: datetime) -> Due | None:
    doc = row["doc"]
    opens, due, at = doc["opens_at"], doc["due_at"], rfc3339(now)
    if _GONE & mine.keys() or opens > rfc3339(now + AHEAD) or due < rfc3339(now - SHOWN):
        return None
    stands = COMING if at < opens else OVERDUE if at > due else OPEN
    seen = row["state"] == "acknowledged" or "acknowledge" in mine
    until = max(filter(None, (doc["snoozed_until"], mine.get("snooze", {}).get("until"))), default="")
    rings = doc["loud"] and stands != COMING and not seen and at >= until
    words = doc["asks"] or dict.fromkeys(("zh", "en"), doc["directive"] or doc["rule"])
    return Due(
        row["id"], "duty", (words["zh"], words["en"]), doc["rule"], doc["person"], doc["place"], opens, due, stands,
        doc["loud"], seen, rings,
    )  # fmt: skip


# Windows of patrol


def _windows(terminal: Terminal, now: datetime) -> list[Due]:
    """The windows of the wards held here that are open or to come, and have not been walked from this terminal."""
    looks = _looks(terminal)
    found = []
    for row in terminal.rows("patrol.plan"):
        cells = _cells(terminal, row["doc"]["place"])
        left = [each for each in row["doc"]["windows"] if each["state"] == "open" and not _walked(each, cells, looks)]
        found += [_window(row, each, now) for each in left]
    return [due for due in found if due is not None]


def _window(row: Mapping[str, Any], window: Mapping[str, Any], now: datetime) -> Due | None:
    opens, due, at = window["opens_at"], window["due_at"], rfc3339(now)
    if opens > rfc3339(now + AHEAD) or due < at:
        return None
    stands = COMING if at < opens else OPEN
    what = ("巡视本监区各监室", "look into every cell of the ward")
    return Due(
        row["id"], "window", what, window["rule"], None, row["doc"]["place"], opens, due, stands, True, False,
        stands == OPEN,
    )  # fmt: skip


def _cells(terminal: Terminal, ward: str) -> set[str]:
    places = terminal.rows("place")
    return {row["id"] for row in places if row["doc"]["parent"] == ward and row["doc"]["type"] == "cell"}


def _looks(terminal: Terminal) -> list[tuple[str, str]]:
    """(cell, when it was looked into), of what this terminal has captured."""
    visits = (each.operation for each in terminal.queue("patrol.visit") if each.status != "rejected")
    return [(said["fields"]["place"], said["observed_at"]) for said in visits if said["fields"]["cell"] is not None]


def _walked(window: Mapping[str, Any], cells: set[str], looks: Iterable[tuple[str, str]]) -> bool:
    """Every cell was looked into while it was open."""
    inside = {cell for cell, at in looks if window["opens_at"] <= at <= window["due_at"]}
    return bool(cells) and cells <= inside
