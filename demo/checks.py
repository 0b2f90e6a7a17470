"""What must hold when the shift is over: counted from the server's answers, and asked of its store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson
from sqlalchemy import select

from backend.audit.verify import Broken, Verified, verify
from backend.kernel.keys import load_jwk
from backend.storage import tables
from demo.closing import Closing
from demo.shift import Shift
from mobile_api.services import Services

_O, _R = tables.operations.c, tables.records.c


@dataclass(frozen=True)
class Check:
    """One claim, and whether it holds."""

    claim: str
    holds: bool


def _stored(services: Services) -> dict[str, list[tuple[int, bytes, bytes]]]:
    """Number, bytes and outcome of every operation by terminal."""
    found: dict[str, list[tuple[int, bytes, bytes]]] = {}
    with services.store.reading() as connection:
        for row in connection.execute(select(_O.terminal, _O.n, _O.raw, _O.outcome).order_by(_O.terminal, _O.n)):
            found.setdefault(row.terminal, []).append((row.n, row.raw, row.outcome))
    return found


def _bodies(services: Services) -> list[bytes]:
    with services.store.reading() as connection:
        return [row.body for row in connection.execute(select(_R.body).order_by(_R.seq))]


def audited(shift: Shift, services: Services) -> Verified | str:
    """The auditor's verifier, with the leader's newest head as the witness; what is broken, if it is."""
    head = shift.leader.terminal.anchor
    key = load_jwk(services.keyring.head.jwk)
    try:
        return verify(services.store, shift.facility.id, key, head.jws if head else None)
    except Broken as broken:
        return str(broken)


def checks(shift: Shift, services: Services, verdict: Verified | str) -> Iterator[Check]:
    """Everything that the play has shown."""
    facts, handhelds = shift.facts, shift.handhelds
    captured = {each.label: each.terminal.queue() for each in handhelds}
    count = sum(map(len, captured.values()))
    told = sum(len(each.learnt) for each in handhelds)
    yield Check(f"{told} of {count} captured operations have their one outcome", told == count)
    stored = _stored(services)
    same = all(
        [(q.n, q.raw, orjson.dumps(q.outcome)) for q in captured[each.label]]
        == stored.get(each.terminal.identity.terminal, [])
        for each in handhelds
    )
    yield Check("each is stored once, byte for byte, with the outcome that its handheld was told", same)
    refused = {op for each in handhelds for op, outcome in each.learnt.items() if outcome["status"] != "applied"}
    yield Check(
        f"{len(refused)} was refused: the one that was mistyped", refused == facts.rejected and len(refused) == 1
    )
    late = {label: number for label, number in facts.backlog.items() if number}
    waited = " and ".join(str(number) for number in facts.backlog.values())
    yield Check(f"{waited} operations waited out of range, and nothing was lost", len(late) == len(facts.backlog) == 2)
    yield Check(
        f"an answer was lost, {facts.resent} operations were sent again, and had one effect",
        facts.resent > 0 and facts.grown == 0,
    )
    yield Check(
        f"of {facts.said} stops that a killed process had said were kept, {min(facts.said, facts.kept)} were there",
        0 < facts.said <= facts.kept,
    )
    yield from _shared(shift)
    yield from (Check(*claim) for claim in Closing(shift.leader, shift.facility, shift.linkage.facts).claims(shift.end))
    leader = [orjson.dumps(row) for row in shift.leader.terminal.rows()]
    yield Check(f"the leader holds the {len(leader)} rows of the server, byte for byte", leader == _bodies(services))
    yield Check("the audit log verifies, and holds the head that the leader kept", isinstance(verdict, Verified))


def _shared(shift: Shift) -> Iterator[Check]:
    """The handheld of two officers: the work of the first is his, and the second is not shown it."""
    facts, shared = shift.facts, shift.handhelds[3]
    first, second, *_ = shared.officers
    authors = {
        row["author"]["officer"]
        for row in shift.leader.terminal.rows()
        if row["op"] in facts.handed_over or row["id"] in _records(shift)
    }
    yield Check(
        f"{len(facts.handed_over)} operations of {shared.officers[first]} came in while {shared.officers[second]} "
        "was signed in; they stand in his name",
        bool(facts.handed_over) and authors == {first},
    )
    yield Check(f"and {shared.officers[second]} was shown {facts.strange} of his places", facts.strange == 0)


def _records(shift: Shift) -> set[str]:
    queued = shift.handhelds[3].terminal.queue()
    return {each.record for each in queued if each.op in shift.facts.handed_over}
