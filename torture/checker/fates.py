"""What had to become of each operation: by what it is, what it needs, whose it is, and when it was seen."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from torture.checker.findings import Verdict
from torture.checker.history import Captured, History
from torture.checker.store import Store

LATE = 30 * 60_000
FACTS = frozenset({"patrol.visit", "patrol.round", "talk", "dynamic_info"})
"""Kinds that tell what somebody saw."""


def moment(said: str) -> int:
    """Milliseconds of a time of the protocol."""
    return int(datetime.strptime(said, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp() * 1000 + 0.5)


def check(history: History, store: Store, verdict: Verdict, *, now: int) -> None:
    """Holds the fate of every operation in the store against what its maker meant and what the protocol says.

    ``now``: the server's time in the end (ms), as far as it had time to end custodies by it.
    """
    tags = _tags(history)
    revoked = _revoked(store)
    for row in store["operations"]:
        life = history.lives.get(row.terminal)
        if life is None:
            continue
        made = tags.get((row.terminal, row.raw))
        if made is not None:
            _check_tag(store, row, made, verdict)
        _check_revoked(store, row, revoked.get(row.terminal), verdict)
    told = _first_told(history, store)
    says = {row.op: json.loads(row.raw) for row in store["operations"] if row.op and _readable(row)}
    for row in store["operations"]:
        if row.op in says and row.terminal in history.lives:
            _check_needs(store, row, says[row.op], verdict)
            _check_marks(store, row, says[row.op], verdict)
            _check_form(history, row, says[row.op], told.get(_place(row)), verdict)
    _check_held(store, verdict, now)


def _readable(row: Any) -> bool:
    return bool(row.status != "quarantined")


def _tags(history: History) -> dict[tuple[str, bytes], Captured]:
    return {
        (life.terminal, made.raw): made
        for life in history.lives.values()
        for each in life.captured.values()
        for made in each
    }


def _revoked(store: Store) -> dict[str, tuple[int, int]]:
    """Terminal → where in the log it was revoked."""
    found = {}
    for leaf in store["leaves"]:
        if b'"terminal.revoked"' in leaf.body:
            said = json.loads(leaf.body)
            if said["act"] == "terminal.revoked":
                found[said["terminal"]] = (leaf.epoch, leaf.position)
    return found


def _check_revoked(store: Store, row: Any, revoked: tuple[int, int] | None, verdict: Verdict) -> None:
    """What comes after a terminal's revocation goes into escrow, whatever it is; what was in custody before may go on."""
    if revoked is None or (row.epoch, row.leaf) < revoked or row.status in ("escrowed", "quarantined"):
        return
    if _place(row) not in store.held_places:
        what = f"{row.status} {row.op} came after {row.terminal} was revoked"
        verdict.add(1, "escrow.passed", what, row.op, row.terminal)


ALLOWED = {
    "poison": {"quarantined"},
    "bad": {"rejected", "repeated", "held"},
    "good": {"applied", "merged", "conflict", "held", "escrowed", "repeated"},
    "step": {"applied", "merged", "conflict", "held", "escrowed", "repeated"},
    "settle": {"applied", "merged", "conflict", "held", "escrowed", "repeated", "rejected"},
    "word": {"applied", "held", "escrowed", "repeated", "rejected"},
}
EXPLAINED = frozenset({"dependency.rejected", "dependency.escrowed"})
AFTERWARDS = frozenset({"record.unknown", "reference.unknown", "record.state", "field.invalid"})
"""Refusals of an honest operation whose custody ended without what it needed."""
STEPS = frozenset({"record.state", "officer.unauthorised", "field.invalid", "confirmation.expired"})
"""Refusals of a transition: what it rests on still stands, but the record's own rules do not allow it any more; or it came
more than a quarter of an hour after it was confirmed."""


def _check_tag(store: Store, row: Any, made: Captured, verdict: Verdict) -> None:
    name = f"{made.tag} {row.incarnation}/{row.n} ({row.op}) of {made.terminal}"
    allowed = ALLOWED[made.tag] | {"escrowed"}
    if row.status in allowed:
        return
    code = (json.loads(row.outcome).get("problem") or {}).get("code")
    forced = _place(row) in store.held_places and code in AFTERWARDS
    full = code == "dispute.full" and json.loads(row.raw)["record"] in store.crowded
    if row.status == "rejected" and (code in EXPLAINED or forced or full or (made.tag == "step" and code in STEPS)):
        return
    invariant = 8 if made.tag == "good" else 7
    verdict.add(invariant, f"fate.{made.tag}", f"{name} ended {row.status} ({code})", row.op, row.terminal)


def _check_needs(store: Store, row: Any, said: dict[str, Any], verdict: Verdict) -> None:
    if row.status in ("held", "repeated"):
        return
    code = (json.loads(row.outcome).get("problem") or {}).get("code")
    if row.status == "escrowed" and code != "dependency.escrowed":
        return
    for needed in said["after"]:
        wrong = _unmet(store, row, store.by_op.get(needed))
        if wrong is not None:
            rule, why = wrong
            verdict.add(7, rule, f"{row.status} {row.op} needs {needed}, which {why}", row.op, needed)
    if code == "dependency.rejected":
        fates = {store.by_op[each].status for each in said["after"] if each in store.by_op}
        if not fates & {"rejected", "quarantined"}:
            verdict.add(7, "dependents.unjust", f"{row.op} is refused for what it needs: {fates}", row.op)


def _unmet(store: Store, row: Any, other: Any) -> tuple[str, str] | None:
    """The rule that an operation breaks by its fate, given what it needs (None: it never came), and why."""
    took = row.status in ("applied", "merged", "conflict")
    # A conflict's outcome has no marks; that it was in custody must do.
    overdue = _has(row, "dependency.missing") or (row.status == "conflict" and _place(row) in store.held_places)
    if other is None or other.status == "held":
        return ("dependents.unmet", "has not come") if took and not overdue else None
    later = (other.epoch, other.leaf) > (row.epoch, row.leaf)
    if other.status in ("rejected", "quarantined"):
        return ("dependents.refused", f"is {other.status}") if took and not (later and overdue) else None
    if other.status == "escrowed":
        return ("dependents.escrowed", "is in escrow") if took and not later else None
    return ("dependents.early", "came later") if took and later and not overdue else None


def _has(row: Any, mark: str) -> bool:
    marks = json.loads(row.outcome).get("marks") or []
    return any(each["code"] == mark for each in marks)


def _check_marks(store: Store, row: Any, said: dict[str, Any], verdict: Verdict) -> None:
    """Late is what was entered late on the device; how long it travelled is nobody's business."""
    if row.status != "applied" or said["kind"] not in FACTS or said["verb"] == "withdraw":
        return
    late = moment(said["recorded_at"]) - moment(said["observed_at"]) > LATE
    if said["kind"] != "talk" and late != _has(row, "record.late"):
        verdict.add(8, "marks.late", f"{row.op} is marked late: {not late}", row.op)


def _first_told(history: History, store: Store) -> dict[tuple[str, int, int], int]:
    """When each operation's final outcome was first told in the epoch of a store (us)."""
    found: dict[tuple[str, int, int], int] = {}
    for life in history.lives.values():
        for each in life.told:
            if each.epoch == store.facility.epoch and each.said["status"] != "held":
                found.setdefault((each.terminal, each.incarnation, each.n), each.us)
    return found


def _check_form(history: History, row: Any, said: dict[str, Any], told: int | None, verdict: Verdict) -> None:
    """The stop's first form is converted, and marked so, by servers of the version that knows another one."""
    if row.status != "applied" or said["kind"] != "patrol.visit" or said["schema"] != 1:
        return
    marked, since = _has(row, "schema.converted"), history.upgraded
    sent = history.lives[row.terminal].sent.get((row.incarnation, row.n), 0)
    if (marked and told is not None and told < since) or (not marked and sent > since):
        verdict.add(8, "marks.converted", f"{row.op} is marked as converted: {marked}", row.op)


def _check_held(store: Store, verdict: Verdict, now: int) -> None:
    """What is held waits for something that has not come, and no longer than its deadline."""
    records = {row.id for row in store["records"]}
    deadlines = {_place(row): row.deadline for row in store["holds"]}
    for row in store["operations"]:
        if row.status != "held":
            continue
        if deadlines.get(_place(row), now) < now:
            verdict.add(2, "custody.overdue", f"{row.op} is held beyond its deadline", row.op)
        waits = store.waits_of.get(_place(row), set())
        come = {each for each in waits if each in records or _final(store, each)}
        if not waits or come:
            what = f"{row.op} is held though {sorted(come) or 'nothing'} has come"
            verdict.add(2, "custody.forgotten", what, row.op, *come)
        if _place(row) not in store.held_places:
            verdict.add(2, "custody.unlisted", f"{row.op} is held and not listed", row.op)


def _place(row: Any) -> tuple[str, int, int]:
    return row.terminal, row.incarnation, row.n


def _final(store: Store, op: str) -> bool:
    row = store.by_op.get(op)
    return row is not None and row.status != "held"
