"""What an operation needs, by the word of its own ``after``; and ids that are used twice."""

from __future__ import annotations

from typing import Any

from backend.storage import tables
from headless.chain import uuid7
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import World


def said(outcome: dict[str, Any]) -> tuple[str, str | None, Any]:
    problem = outcome.get("problem", {})
    return outcome["status"], problem.get("code"), problem.get("detail", {}).get("op")


def test_a_dependent_of_a_rejected_operation_is_rejected_naming_it(shared: World) -> None:
    h = Hand(shared).signed_in("PAT")
    round_, opened = h.open()
    bad = h.visit(round_, "K", note="")
    child = h.write("patrol.round", "open", uuid7(), {"area": shared.ids["W"], "companions": []}, after=[opened, bad])
    h.write("patrol.round", "open", uuid7(), {"area": shared.ids["W"], "companions": []}, after=[child])
    h.visit(round_, "K")
    assert [said(outcome) for outcome in h.told()] == [
        ("applied", None, None),
        ("rejected", "field.invalid", None),
        ("rejected", "dependency.rejected", bad),
        ("rejected", "dependency.rejected", child),
        ("applied", None, None),
    ]


def test_a_dependent_in_a_later_push_is_rejected_all_the_same(shared: World) -> None:
    h = Hand(shared).signed_in("PAT")
    bad = h.write("patrol.round", "open", uuid7(), {"area": shared.ids["C1"], "companions": []})
    h.told()
    h.open(after=[bad])
    assert said(h.told(2)[0]) == ("rejected", "dependency.rejected", bad)


def test_a_dependent_of_a_quarantined_operation_is_rejected_naming_it(shared: World) -> None:
    h = Hand(shared).signed_in("PAT")
    _, bad = h.open(priority="high")
    h.open(after=[bad])
    assert [said(outcome) for outcome in h.told()] == [
        ("quarantined", "field.unknown", None),
        ("rejected", "dependency.rejected", bad),
    ]


def test_an_operation_of_another_number_does_not_take_the_id_that_it_shows(shared: World) -> None:
    """Else a terminal that copies another's operation would keep it from ever being applied."""
    one, other = Hand(shared).signed_in("PAT"), Hand(shared).signed_in("PAT")
    _, opened = one.open()
    other.put(one.frames[0][2])
    other.put(one.frames[0][2])
    other.open(after=[opened])
    told = other.told()
    assert [(*said(outcome), outcome["op"] == opened) for outcome in told] == [
        ("quarantined", "operation.misaddressed", None, False),
        ("quarantined", "operation.misaddressed", None, False),
        ("held", "operation.held", None, False),
    ]
    assert said(one.told()[0])[0] == "applied"
    assert said(other.told(3, 3)[0]) == ("applied", None, None)


def test_an_operation_cannot_need_itself(shared: World) -> None:
    h = Hand(shared).signed_in("PAT")
    own = uuid7()
    h.open(op=own, after=[own])
    assert said(h.told()[0]) == ("rejected", "field.invalid", None)


def test_what_another_terminal_did_may_be_needed(shared: World) -> None:
    one, other = Hand(shared).signed_in("PAT"), Hand(shared).signed_in("DISC")
    round_, opened = one.open()
    one.told()
    other.open(after=[opened])
    assert said(other.told()[0]) == ("applied", None, None)


def test_a_conflict_does_not_reject_what_came_after_it(shared: World) -> None:
    """Both values of a conflict are kept, so that work upon it is not lost with it."""
    h = Hand(shared).signed_in("ADM")
    version = store.one(shared, tables.records, id=shared.ids["C1"]).version
    change = {"name": "新名"}
    stale = h.write("place", "change", shared.ids["C1"], change, base=version, seen={"name": "旧名"})
    other = {"fields": {"position": 9}, "seen": {"position": 1}}
    h.write("place", "change", shared.ids["C1"], base=version, after=[stale], **other)
    assert [said(outcome)[0] for outcome in h.told()] == ["conflict", "applied"]


def test_an_operation_id_is_used_once(shared: World) -> None:
    h = Hand(shared).signed_in("PAT")
    round_, opened = h.open()
    h.open(op=opened)
    h.told()
    h.open(op=opened)
    h.write("patrol.round", "open", uuid7(), {}, op=opened)
    h.open(op=opened, priority="high")
    told = h.told()
    repeated = [(outcome["status"], outcome["problem"]["code"]) for outcome in told[1:]]
    assert repeated == [("rejected", "operation.repeated")] * 3 + [("quarantined", "operation.repeated")]
    assert [outcome["op"] for outcome in told] == [opened] * 5
    assert told[0]["status"] == "applied" and told[0]["record"] == round_
    kept = store.rows(shared, tables.operations, terminal=h.terminal)
    assert [row.raw for row in kept] == [frame[2] for frame in h.frames]
    assert len(store.rows(shared, tables.records, terminal=h.terminal)) == 1
    store.verified(shared)


def test_another_terminal_s_operation_id_is_used_too(shared: World) -> None:
    one, other = Hand(shared).signed_in("PAT"), Hand(shared).signed_in("PAT")
    _, opened = one.open()
    one.told()
    other.open(op=opened)
    other.open()
    assert [said(outcome)[:2] for outcome in other.told()] == [("rejected", "operation.repeated"), ("applied", None)]


def test_a_repeated_id_leaves_dependents_of_the_first_alone(shared: World) -> None:
    h = Hand(shared).signed_in("PAT")
    round_, opened = h.open()
    h.open(op=opened)
    h.visit(round_, "K")
    h.close_round(round_, after=[opened])
    assert [said(outcome)[0] for outcome in h.told()] == ["applied", "rejected", "applied", "applied"]


def test_a_round_is_closed_once(shared: World) -> None:
    h = Hand(shared).signed_in("PAT")
    round_, opened = h.open()
    closed = h.close_round(round_, after=[opened])
    h.close_round(round_, base=2, after=[closed])
    last = h.told()[-1]
    assert said(last)[:2] == ("rejected", "record.state")
    assert last["problem"]["detail"] == {"state": "closed"}
    assert store.one(shared, tables.records, id=round_).version == 2
