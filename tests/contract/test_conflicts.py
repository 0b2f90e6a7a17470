"""Two edits of one record, made apart: merged where they can be, else kept whole until a named officer settles them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from backend.storage import tables
from headless.chain import uuid7
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import World

P1 = "p1"


def record(world: World, name: str = P1) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(store.one(world, tables.records, id=world.ids.get(name, name)).body)
    return found


def edit(h: Hand, fields: dict[str, Any], seen: dict[str, Any], base: int = 1, **other: Any) -> str:
    return h.write("person", "change", h.world.ids[P1], fields, base=base, seen=seen, **other)


def settle(h: Hand, conflict: str, choice: dict[str, str], **other: Any) -> str:
    """A settlement of what the conflict shows, or of what ``other`` says it showed."""
    row = record(h.world, conflict)
    fields = {
        "saw": [each["op"] for each in row["doc"]["candidates"]],
        "server": row["doc"]["server"],
        "choice": choice,
        "reason": "核对登记表",
    } | other  # fmt: skip
    return h.write("conflict", "settle", conflict, fields, base=row["version"])


def last(h: Hand) -> dict[str, Any]:
    found: dict[str, Any] = h.told(h.n, h.n)[0]
    return found


@pytest.fixture
def desks(both: World) -> tuple[Hand, Hand]:
    return Hand(both).signed_in("INT"), Hand(both).signed_in("INT")


@pytest.fixture
def disputed(both: World, desks: tuple[Hand, Hand]) -> tuple[Hand, Hand, str, str]:
    """Two desks have given one person two names; the second one's is the candidate. Both, the conflict, the candidate."""
    one, other = desks
    edit(one, {"name": "甲一"}, {"name": "测试p1"})
    assert last(one)["status"] == "applied"
    op = edit(other, {"name": "甲二", "number": "2026-x"}, {"name": "测试p1", "number": "2026-p1"})
    told = last(other)
    assert (told["status"], told["record"]) == ("conflict", both.ids[P1])
    return one, other, told["conflict"], op


def test_different_fields_merge(both: World, desks: tuple[Hand, Hand]) -> None:
    one, other = desks
    edit(one, {"name": "甲"}, {"name": "测试p1"})
    edit(other, {"number": "2026-x"}, {"number": "2026-p1"})
    assert last(one)["status"] == "applied"
    told = last(other)
    assert (told["status"], told["version"]) == ("merged", 3)
    assert record(both)["doc"] | {"name": "甲", "number": "2026-x"} == record(both)["doc"]
    store.verified(both)


def test_the_same_value_twice_is_agreed_and_makes_no_version(both: World, desks: tuple[Hand, Hand]) -> None:
    for h, expected in zip(desks, ("applied", "merged"), strict=True):
        edit(h, {"name": "甲"}, {"name": "测试p1"})
        told = last(h)
        assert (told["status"], told["version"]) == (expected, 2)
    assert record(both)["version"] == 2
    store.verified(both)


def test_one_field_twice_is_a_conflict_with_every_value_kept(
    both: World, disputed: tuple[Hand, Hand, str, str]
) -> None:
    _, other, conflict, op = disputed
    row = record(both, conflict)
    assert (row["kind"], row["state"], row["partition"]) == ("conflict", "open", record(both)["partition"])
    assert row["doc"]["server"] == {"name": "甲一", "number": "2026-p1"}
    (candidate,) = row["doc"]["candidates"]
    assert candidate["op"] == op and candidate["officer"]["id"] == other.officer
    assert candidate["seen"] == {"name": "测试p1", "number": "2026-p1"}
    assert candidate["fields"] == {"name": "甲二", "number": "2026-x"}
    assert record(both)["doc"]["number"] == "2026-p1", "nothing of an operation in conflict takes effect"
    store.verified(both)


def test_a_person_cannot_be_moved_twice_without_a_word(both: World, desks: tuple[Hand, Hand]) -> None:
    """The cell touches safety: it never merges by itself, though the field itself be untouched."""
    one, other = desks
    edit(one, {"number": "2026-x"}, {"number": "2026-p1"})
    last(one)
    edit(other, {"cell": both.ids["C2"]}, {"cell": both.ids["C1"]})
    assert last(other)["status"] == "conflict"
    assert record(both)["doc"]["cell"] == both.ids["C1"]


def test_edits_of_one_terminal_follow_each_other_without_waiting(both: World, desks: tuple[Hand, Hand]) -> None:
    one, other = desks
    first = edit(one, {"name": "甲"}, {"name": "测试p1"})
    edit(one, {"name": "乙"}, {"name": "甲"}, after=[first])
    edit(other, {"number": "2026-x"}, {"number": "2026-p1"})
    last(other)
    assert [each["status"] for each in one.told()] == ["merged", "merged"]
    assert record(both)["doc"] | {"name": "乙", "number": "2026-x"} == record(both)["doc"]


def test_a_dispute_that_is_full_takes_no_more(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.judging.plan.MOST_VALUES", 2)
    hands = [Hand(small).signed_in("INT") for _ in range(4)]
    for at, each in enumerate(hands):
        edit(each, {"name": f"甲{at}"}, {"name": "测试p1"})
    told = [last(each) for each in hands]
    assert [each["status"] for each in told] == ["applied", "conflict", "conflict", "rejected"]
    assert told[3]["problem"]["code"] == "dispute.full"
    assert len(record(small, told[1]["conflict"])["doc"]["candidates"]) == 2
    settle(hands[0], told[1]["conflict"], {"name": "server"})
    assert last(hands[0])["status"] == "applied"


@pytest.mark.parametrize(
    "whose, name, number", [("server", "甲一", "2026-p1"), ("candidate", "甲二", "2026-x"), ("each", "甲一", "2026-x")]
)
def test_a_settlement_ends_it(
    both: World, disputed: tuple[Hand, Hand, str, str], whose: str, name: str, number: str
) -> None:
    _, other, conflict, op = disputed
    picks = {"server": ("server", "server"), "candidate": (op, op), "each": ("server", op)}[whose]
    settle(other, conflict, dict(zip(("name", "number"), picks, strict=True)))
    told = last(other)
    assert (told["status"], told["record"]) == ("applied", conflict)
    assert ("also" in told) == (whose != "server")
    row = record(both, conflict)
    assert (row["state"], row["doc"]["state"], row["doc"]["server"]) == ("settled", "settled", {})
    (entry,) = row["doc"]["settlements"]
    assert entry["accepted"] and entry["reason"] == "核对登记表"
    assert (record(both)["doc"]["name"], record(both)["doc"]["number"]) == (name, number)
    assert not store.rows(both, tables.disputes)
    store.verified(both)


def test_a_third_edit_of_a_disputed_field_joins_and_of_another_goes_on(
    both: World, disputed: tuple[Hand, Hand, str, str]
) -> None:
    one, _, conflict, _ = disputed
    op = edit(one, {"name": "甲三"}, {"name": "甲一"}, base=2)
    told = last(one)
    assert (told["status"], told["conflict"], told["problem"]["code"]) == ("conflict", conflict, "record.disputed")
    assert [each["op"] for each in record(both, conflict)["doc"]["candidates"]][-1] == op
    edit(one, {"aliases": ["某"]}, {"aliases": None}, base=2)
    assert last(one)["status"] == "applied"
    edit(one, {"name": "甲一"}, {"name": "甲一"}, base=3)
    assert last(one)["status"] == "applied", "the server's own value disputes nothing"
    store.verified(both)


def test_a_settlement_that_saw_two_of_three_values_is_itself_a_conflict(
    both: World, disputed: tuple[Hand, Hand, str, str]
) -> None:
    one, other, conflict, op = disputed
    shown = record(both, conflict)["doc"]
    third = edit(one, {"name": "甲三"}, {"name": "甲一"}, base=2)
    last(one)
    settle(other, conflict, {"name": op, "number": op}, saw=[op], server=shown["server"])
    told = last(other)
    assert (told["status"], told["problem"]["code"]) == ("conflict", "settlement.outdated")
    row = record(both, conflict)
    assert row["state"] == "open" and not row["doc"]["settlements"][0]["accepted"]
    assert record(both)["doc"]["name"] == "甲一"
    settle(other, conflict, {"name": third, "number": "server"})
    assert last(other)["status"] == "applied"
    assert record(both)["doc"]["name"] == "甲三"
    store.verified(both)


def test_a_partial_settlement_leaves_the_rest_in_dispute(both: World, disputed: tuple[Hand, Hand, str, str]) -> None:
    one, other, conflict, op = disputed
    settle(other, conflict, {"number": op})
    assert last(other)["status"] == "applied"
    row = record(both, conflict)
    assert (row["state"], row["doc"]["server"]) == ("open", {"name": "甲一"})
    edit(one, {"number": "2026-y"}, {"number": "2026-x"}, base=3)
    assert last(one)["status"] == "applied", "the settled field is free again"
    settle(one, conflict, {"name": op})
    assert last(one)["status"] == "applied"
    assert record(both, conflict)["state"] == "settled"
    assert (record(both)["doc"]["name"], record(both)["doc"]["number"]) == ("甲二", "2026-y")
    store.verified(both)


def test_two_settlements_that_agree_are_one(both: World, disputed: tuple[Hand, Hand, str, str]) -> None:
    one, other, conflict, op = disputed
    for h in (one, other):
        settle(h, conflict, {"name": op, "number": op})
    assert (last(one)["status"], last(other)["status"]) == ("applied", "merged")
    assert len(record(both, conflict)["doc"]["settlements"]) == 1


def test_two_settlements_that_differ_reopen_it(both: World, disputed: tuple[Hand, Hand, str, str]) -> None:
    one, other, conflict, op = disputed
    settle(one, conflict, {"name": op, "number": op})
    settle(other, conflict, {"name": "server", "number": op})
    last(one)
    told = last(other)
    assert (told["status"], told["problem"]["code"]) == ("conflict", "settlement.second")
    row = record(both, conflict)
    assert (row["state"], row["doc"]["server"]) == ("open", {"name": "甲二"})
    assert [each["accepted"] for each in row["doc"]["settlements"]] == [True, False]
    newest = row["doc"]["candidates"][-1]
    assert newest["fields"] == {"name": "甲一"}, "the value that the second one chose is not lost"
    settle(one, conflict, {"name": newest["op"]})
    assert last(one)["status"] == "applied"
    assert record(both)["doc"]["name"] == "甲一"
    store.verified(both)


def test_a_settlement_that_came_before_its_conflict_waits(both: World, desks: tuple[Hand, Hand]) -> None:
    one, other = desks
    unknown = uuid7()
    fields = {"saw": [uuid7()], "server": {}, "choice": {"name": "server"}, "reason": "r"}
    one.write("conflict", "settle", unknown, fields, base=1)
    told = last(one)
    assert (told["status"], told["missing"]) == ("held", [{"record": unknown}])


@pytest.mark.parametrize("spoil, code", [
    (lambda op: {"choice": {"sex": "server"}}, "settlement.choice"),
    (lambda op: {"choice": {"name": uuid7()}}, "settlement.choice"),
    (lambda op: {"choice": {"name": 7}}, "settlement.choice"),
    (lambda op: {"choice": {}}, "field.invalid"),
    (lambda op: {"reason": ""}, "field.invalid"),
    (lambda op: {"saw": ["x"]}, "field.invalid"),
])  # fmt: skip
def test_a_choice_that_is_none_is_refused_and_changes_nothing(
    both: World, disputed: tuple[Hand, Hand, str, str], spoil: Callable[[str], dict[str, Any]], code: str
) -> None:
    _, other, conflict, op = disputed
    before = record(both, conflict)
    settle(other, conflict, **({"choice": {"name": op}} | spoil(op)))
    told = last(other)
    assert (told["status"], told["problem"]["code"]) == ("rejected", code)
    assert record(both, conflict) == before


def test_a_removal_races_an_edit(both: World, desks: tuple[Hand, Hand]) -> None:
    """A delete racing an update: whichever comes first, both are recorded, and a settlement may bring the record back."""
    admin, leader = Hand(both).signed_in("ADM"), Hand(both).signed_in("LEAD")
    k = both.ids["K"]
    admin.write("place", "close", k, {"reason": "拆除"}, base=1, seen={"state": "open"})
    assert last(admin)["status"] == "applied"
    assert record(both, "K")["state"] == "removed" and record(both, "K")["doc"] is None
    op = admin.write("place", "change", k, {"name": "新门"}, base=1, seen={"name": "处所K"})
    told = last(admin)
    assert (told["status"], told["problem"]["code"]) == ("conflict", "record.removed")
    settle(leader, told["conflict"], {"name": op})
    assert last(leader)["status"] == "applied"
    row = record(both, "K")
    assert (row["state"], row["doc"]["name"], row["doc"]["type"]) == ("open", "新门", "checkpoint")
    store.verified(both)


def test_an_edit_races_a_removal(both: World) -> None:
    admin, other, k = Hand(both).signed_in("ADM"), Hand(both).signed_in("ADM"), both.ids["K"]
    admin.write("place", "change", k, {"name": "新门"}, base=1, seen={"name": "处所K"})
    assert last(admin)["status"] == "applied"
    other.write("place", "close", k, {"reason": "拆除"}, base=1, seen={"state": "open"})
    assert last(other)["status"] == "conflict"
    assert record(both, "K")["state"] == "open"
    store.verified(both)


def test_a_settler_whose_scope_does_not_hold_the_dispute_passes_it_on(both: World) -> None:
    """The cell officer of ward W has a dispute of ward V in his queue: the leaders are asked, and his word is kept."""
    author, officer, leader = (Hand(both).signed_in(name) for name in ("LEAD", "DISC", "LEAD"))
    report = uuid7()
    fields = {
        "category": "stage_change", "severity": "ordinary", "person": None, "place": both.ids["D1"],
        "involved": [], "text": "声响",
    }  # fmt: skip
    author.write("dynamic_info", "report", report, fields)
    assert last(author)["status"] == "applied", last(author)
    author.write("dynamic_info", "amend", report, {"severity": "important"}, base=1, seen={"severity": "ordinary"})
    last(author)
    op = leader.write("dynamic_info", "amend", report, {"severity": "urgent"}, base=1, seen={"severity": "ordinary"})
    conflict = last(leader)["conflict"]
    settle(officer, conflict, {"severity": op})
    told = last(officer)
    assert (told["status"], told["problem"]["code"]) == ("conflict", "settlement.scope")
    row = record(both, conflict)
    assert (row["state"], [each["accepted"] for each in row["doc"]["settlements"]]) == ("routed", [False])
    assert record(both, report)["doc"]["severity"] == "important"
    settle(leader, conflict, {"severity": op})
    assert last(leader)["status"] == "applied"
    assert record(both, report)["doc"]["severity"] == "urgent"
    store.verified(both)


def test_who_may_not_settle_a_kind_is_refused(both: World, disputed: tuple[Hand, Hand, str, str]) -> None:
    _, _, conflict, op = disputed
    officer = Hand(both).signed_in("DISC")
    settle(officer, conflict, {"name": op})
    assert last(officer)["problem"]["code"] == "officer.unauthorised"
