"""Operations that wait: a receipt first, the outcome when what they need has come, or when their time is over."""

from __future__ import annotations

from typing import Any

import orjson

from backend.storage import tables
from headless.chain import uuid7
from sync.judging.ledger import HOLD_MS
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import FACILITY, World


def outcome(h: Hand, n: int) -> dict[str, Any]:
    """What is stored for a number now."""
    row = store.one(h.world, tables.operations, terminal=h.terminal, n=n)
    found: dict[str, Any] = orjson.loads(row.outcome)
    assert found["status"] == row.status
    return found


def in_custody(world: World) -> int:
    return int(store.one(world, tables.facilities, facility=FACILITY).held)


def test_what_an_unknown_operation_is_needed_for_is_held_and_says_until_when(both: World) -> None:
    h, nobody = Hand(both).signed_in("PAT"), uuid7()
    h.open(after=[nobody])
    (told,) = h.told()
    assert (told["status"], told["missing"]) == ("held", [{"op": nobody}])
    assert told["problem"]["code"] == "operation.held"
    hold = store.one(both, tables.holds, terminal=h.terminal, n=1)
    assert hold.deadline - hold.received_at == HOLD_MS and hold.settled_at is None
    assert in_custody(both) == 1
    assert h.told() == [told]
    assert not store.rows(both, tables.records, terminal=h.terminal)
    store.verified(both)


def test_it_is_judged_when_what_it_needs_comes_from_another_terminal(both: World) -> None:
    one, other, needed = Hand(both).signed_in("PAT"), Hand(both).signed_in("DISC"), uuid7()
    round_, _ = one.open(after=[needed])
    one.told()
    other.open(op=needed)
    assert other.told()[0]["status"] == "applied"
    final = outcome(one, 1)
    assert (final["status"], final["record"]) == ("applied", round_)
    assert one.told() == [final]
    assert in_custody(both) == 0
    assert store.one(both, tables.holds, terminal=one.terminal, n=1).settled_at is not None
    store.verified(both)


def test_a_chain_of_dependents_wakes_link_by_link(both: World) -> None:
    h, first = Hand(both).signed_in("PAT"), uuid7()
    _, second = h.open(after=[first])
    _, third = h.open(after=[second])
    h.open(after=[third, first])
    assert [each["status"] for each in h.told()] == ["held"] * 3
    h.open(op=first)
    assert h.told(4)[0]["status"] == "applied"
    assert [outcome(h, n)["status"] for n in (1, 2, 3)] == ["applied"] * 3
    assert in_custody(both) == 0
    store.verified(both)


def test_a_dependent_of_what_comes_and_is_refused_is_refused_naming_it(both: World) -> None:
    h, needed = Hand(both).signed_in("PAT"), uuid7()
    h.open(after=[needed])
    h.told()
    h.write("patrol.round", "open", uuid7(), {"area": both.ids["C1"], "companions": []}, op=needed)
    assert h.told(2)[0]["status"] == "rejected"
    final = outcome(h, 1)
    assert (final["status"], final["problem"]["code"]) == ("rejected", "dependency.rejected")
    assert final["problem"]["detail"] == {"op": needed}


def test_an_update_before_its_create_waits_for_the_record(both: World) -> None:
    h, record = Hand(both).signed_in("PAT"), uuid7()
    h.close_round(record)
    (told,) = h.told()
    assert (told["status"], told["missing"]) == ("held", [{"record": record}])
    h.write("patrol.round", "open", record, {"area": both.ids["W"], "companions": []})
    h.told(2)
    assert outcome(h, 1)["status"] == "applied"
    assert store.one(both, tables.records, id=record).state == "closed"
    store.verified(both)


def test_at_its_deadline_it_is_judged_with_what_there_is_and_marked(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    h.open(after=[uuid7()])
    h.close_round(uuid7())
    h.open()
    assert [each["status"] for each in h.told()] == ["held", "held", "applied"]
    commits = both.services.commits
    both.clock.advance(HOLD_MS - 1)
    assert commits.end_custody(FACILITY) == 0
    both.clock.advance(1)
    assert commits.end_custody(FACILITY) == 2
    forced, lost = outcome(h, 1), outcome(h, 2)
    assert forced["status"] == "applied"
    assert {"code": "dependency.missing", "rule": None} in forced["marks"]
    assert (lost["status"], lost["problem"]["code"]) == ("rejected", "record.unknown")
    assert (in_custody(both), commits.end_custody(FACILITY)) == (0, 0)
    assert not store.rows(both, tables.waits)
    store.verified(both)


def test_what_came_after_the_deadline_changes_no_outcome(both: World) -> None:
    h, needed = Hand(both).signed_in("PAT"), uuid7()
    h.open(after=[needed])
    h.told()
    both.clock.advance(HOLD_MS)
    both.services.commits.end_custody(FACILITY)
    before = outcome(h, 1)
    h.open(op=needed)
    assert h.told(2)[0]["status"] == "applied"
    assert outcome(h, 1) == before


def test_a_server_that_starts_again_goes_on_with_what_is_in_custody(both: World) -> None:
    from tests.support.world import opened

    h, needed = Hand(both).signed_in("PAT"), uuid7()
    h.open(after=[needed])
    h.told()
    again = opened(both.folder, both.settings.database, both.ids)
    try:
        h.world = again
        h.open(op=needed)
        assert h.told(2)[0]["status"] == "applied"
        assert outcome(h, 1)["status"] == "applied"
    finally:
        h.world = both
        again.services.store.close()


def test_two_leaves_for_what_was_held_and_one_for_the_rest(both: World) -> None:
    h, needed = Hand(both).signed_in("PAT"), uuid7()
    h.open(after=[needed])
    h.open(op=needed)
    h.told()
    leaves = [orjson.loads(row.body) for row in store.rows(both, tables.leaves)]
    mine = [(each["act"], each["n"]) for each in leaves if each.get("terminal") == h.terminal and "n" in each]
    assert sorted(mine) == [("held", 1), ("operation", 1), ("operation", 2)]
