"""An operation's path, the backlog and what was set aside, as the auditor's views tell them, against what was done."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.identity import assignments, terminals
from backend.kernel.clock import to_text
from backend.kernel.ids import b64, derived, sha256, unb64
from backend.storage import tables
from headless.chain import uuid7
from sync.judging.ledger import HOLD_MS
from tests.support import store
from tests.support.auditor import Auditor
from tests.support.hand import Hand
from tests.support.world import FACILITY, World


def edit(h: Hand, fields: dict[str, Any], seen: dict[str, Any]) -> str:
    return h.write("person", "change", h.world.ids["p1"], fields, base=1, seen=seen)


def test_the_path_of_an_operation_that_was_applied(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    signed = both.clock.now()
    both.clock.advance(1_000)
    round_, _ = h.open()
    op = h.visit(round_)
    h.told()
    path = Auditor(both).see(f"operations/{op}")
    raw = h.frames[1][2]
    assert path["bytes"] == {"length": len(raw), "sha256": b64(sha256(raw)), "raw": b64(raw)}
    assert path["chain"] == {"hash": h.frames[1][1], "prior": h.frames[0][1], "proven": True, "gap": False}
    assert path["terminal"]["id"] == h.terminal and path["capture"]["officer"]["number"] == "PAT"
    assert path["capture"]["fields"]["cell"] == {"headcount": 2, "response": "moving", "observation": "calm"}
    assert path["capture"]["proven_from"] == to_text(signed)
    assert (path["status"], path["final"], path["custody"], path["conflicts"]) == ("applied", True, None, [])
    (version,) = path["versions"]
    assert version["row"]["op"] == op and version["present"] and version["version"] == 1
    row = store.one(both, tables.operations, terminal=h.terminal, n=2)
    assert (path["leaf"]["epoch"], path["leaf"]["position"]) == (1, row.leaf)
    assert path["leaf"]["outcome_sha256"] == b64(sha256(row.outcome))
    assert path["leaf"]["included_by"]["size"] > row.leaf
    assert path == Auditor(both).see("operations", terminal=h.terminal, incarnation=1, n=2)


def test_the_path_begins_at_genesis_and_knows_no_more_than_came(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    ops = [h.open()[1] for _ in range(4)]
    h.told(1, 1)
    h.told(3, 4)
    auditor = Auditor(both)
    assert auditor.see(f"operations/{ops[0]}")["chain"]["prior"] == h.genesis
    chain = auditor.see(f"operations/{ops[2]}")["chain"]
    assert (chain["prior"], chain["proven"], chain["gap"]) == (None, False, True)
    chain = auditor.see(f"operations/{ops[3]}")["chain"]
    assert (chain["prior"], chain["proven"], chain["gap"]) == (h.frames[2][1], True, True)
    h.told(2, 3)
    chain = auditor.see(f"operations/{ops[2]}")["chain"]
    assert (chain["prior"], chain["proven"], chain["gap"]) == (h.frames[1][1], True, False)


def test_custody_from_receipt_to_outcome(both: World) -> None:
    h, nobody, other = Hand(both).signed_in("PAT"), uuid7(), uuid7()
    _, op = h.open(after=[nobody, other])
    received = both.clock.now()
    (told,) = h.told()
    auditor = Auditor(both)
    path = auditor.see(f"operations/{op}")
    assert (path["status"], path["final"], path["outcome"]) == ("held", False, told)
    assert path["custody"]["receipt"] == told
    assert path["custody"]["waits_for"] == sorted([nobody, other])
    assert path["custody"]["deadline"] == to_text(received + HOLD_MS)
    both.clock.advance(1_000)
    h.open(op=nobody)
    h.open(op=other)
    h.told(2)
    path = auditor.see(f"operations/{op}")
    assert (path["status"], path["final"]) == ("applied", True)
    assert (path["custody"]["waits_for"], path["custody"]["settled_at"]) == ([], to_text(received + 1_000))
    assert path["custody"]["receipt"] == told
    assert path["custody"]["leaf"]["position"] < path["leaf"]["position"]


def test_the_backlog_by_deadline_by_terminal_and_by_need(both: World) -> None:
    one, other, need, late = Hand(both).signed_in("PAT"), Hand(both).signed_in("DISC"), uuid7(), uuid7()
    for h in (one, other, one):
        h.open(after=[need])
        h.told(h.n)
        both.clock.advance(1_000)
    other.open(after=[late])
    other.told(2)
    auditor = Auditor(both)
    whole = auditor.see("backlog")
    assert (whole["held"], whole["after"]) == (4, None)
    expected = [(one.terminal, 1), (other.terminal, 1), (one.terminal, 2), (other.terminal, 2)]
    assert [(each["terminal"]["id"], each["n"]) for each in whole["operations"]] == expected
    assert [each["waits_for"] for each in whole["operations"]] == [[need]] * 3 + [[late]]
    assert [each["age"] for each in whole["operations"]] == [3_000, 2_000, 1_000, 0]
    assert auditor.pages("backlog", "operations", limit=1) == whole["operations"]
    assert [each["n"] for each in auditor.see("backlog", terminal=one.terminal)["operations"]] == [1, 2]
    assert [each["n"] for each in auditor.pages("backlog", "operations", need=need, limit=2)] == [1, 1, 2]
    by_need = auditor.pages("backlog/needs", "needs", limit=1)
    assert by_need == sorted([{"id": need, "held": 3}, {"id": late, "held": 1}], key=lambda each: str(each["id"]))
    by_terminal = auditor.pages("backlog/terminals", "terminals", limit=1)
    assert [(each["terminal"]["id"], each["held"]) for each in by_terminal] == sorted(
        [(one.terminal, 2), (other.terminal, 2)]
    )
    held = {each["terminal"]: each["held"] for each in auditor.see("terminals")["terminals"] if each["held"]}
    assert held == {one.terminal: 2, other.terminal: 2}
    both.clock.advance(HOLD_MS + 1)
    assert all(each["overdue"] for each in Auditor(both).see("backlog")["operations"])


def test_quarantine_gives_the_bytes_as_they_came(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    raws = [b"no operation", b'{"op":1,"op":2}', b"\xff\x00\xfe"]
    for raw in raws:
        h.put(raw)
    h.told()
    auditor = Auditor(both)
    found = auditor.pages("quarantine", "operations", limit=2)
    assert [unb64(each["raw"]) for each in found] == raws[::-1]
    assert {each["problem"]["code"] for each in found} == {"operation.unreadable"}
    assert [each["n"] for each in found] == [3, 2, 1]
    path = auditor.see("operations", terminal=h.terminal, incarnation=1, n=3)
    assert (path["op"], path["capture"], unb64(path["bytes"]["raw"])) == (None, None, raws[2])


@pytest.mark.parametrize(
    "wrong",
    [
        {"anchor": {"epoch": 2**40, "size": 2**52, "root": "x"}},
        {"anchor": [], "officer": 7, "clock": None},
        {"kind": {}, "record": "x", "observed_at": "never"},
    ],
)
def test_whatever_stands_in_quarantine_can_be_looked_at(both: World, wrong: dict[str, Any]) -> None:
    h = Hand(both).signed_in("PAT")
    fields = {"area": both.ids["W"], "companions": []}
    h.put(orjson.dumps(h.say("patrol.round", "open", uuid7(), fields) | wrong))
    assert h.told()[0]["status"] == "quarantined"
    auditor = Auditor(both)
    path = auditor.see("operations", terminal=h.terminal, incarnation=1, n=1)
    assert all(path["capture"][name] == value for name, value in wrong.items() if name != "officer")
    assert auditor.see(f"terminals/{h.terminal}/operations")["operations"][0]["status"] == "quarantined"
    auditor.see(f"terminals/{h.terminal}/clock")
    assert auditor.see("quarantine")["operations"][0]["terminal"] == h.terminal


def test_what_is_longer_than_an_operation_may_be_is_given_by_its_path_alone(small: World) -> None:
    h = Hand(small).signed_in("PAT")
    h.put(b"x" * 70_000)
    h.told()
    auditor = Auditor(small)
    (found,) = auditor.see("quarantine")["operations"]
    assert (found["raw"], found["length"]) == (None, 70_000)
    path = auditor.see("operations", terminal=h.terminal, incarnation=1, n=1)
    assert unb64(path["bytes"]["raw"]) == b"x" * 70_000


def test_escrow_until_a_leader_has_spoken(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    ops = [h.open()[1], h.open()[1]]
    terminals.revoke(both.services.door, FACILITY, h.terminal, both.ids["ADM"])
    assert h.evacuate().status_code == 200
    auditor = Auditor(both)
    found = auditor.pages("escrow", "operations", limit=1)
    assert [each["op"] for each in found] == ops[::-1]
    assert {each["problem"]["code"] for each in found} == {"terminal.evacuated"}
    assert [unb64(each["raw"]) for each in found] == [h.frames[1][2], h.frames[0][2]]
    assert found[0]["officer"]["number"] == "PAT" and found[0]["word"] is None
    leader = Hand(both).signed_in("LEAD")
    word = escrow_word(leader, "release", ops[0])
    entry = next(each for each in auditor.see("escrow")["operations"] if each["op"] == ops[0])
    assert (entry["word"]["state"], entry["word"]["reason"], entry["word"]["op"]) == ("released", "情况属实", word)
    assert entry["word"]["officer"]["id"] == leader.officer
    assert auditor.see(f"operations/{ops[0]}")["word"] == entry["word"]
    released = auditor.see(f"operations/{word}")
    assert [each["row"]["kind"] for each in released["versions"]] == ["escrow", "patrol.round"]


def escrow_word(h: Hand, verb: str, op: str) -> str:
    """A leader's word on an operation in escrow; returns the operation in which he says it."""
    said = h.write("escrow", verb, derived(op, "escrow"), {"op": op, "reason": "情况属实"})
    assert h.told(h.n)[0]["status"] == "applied"
    return said


@pytest.fixture
def disputed(both: World) -> tuple[Hand, str, str, str]:
    """A desk whose name for a person has met another one; the conflict, and the operations of both desks."""
    one, other = Hand(both).signed_in("INT"), Hand(both).signed_in("INT")
    first = edit(one, {"name": "甲一"}, {"name": "测试p1"})
    one.told()
    second = edit(other, {"name": "甲二"}, {"name": "测试p1"})
    (told,) = other.told()
    return other, told["conflict"], first, second


def settle(h: Hand, conflict: str, saw: str, choice: str) -> str:
    fields = {"saw": [saw], "server": {"name": "甲一"}, "choice": {"name": choice}, "reason": "核对登记表"}
    op = h.write("conflict", "settle", conflict, fields, base=1)
    assert h.told(h.n)[0]["status"] == "applied"
    return op


def test_a_conflict_is_open_until_somebody_settles_it(both: World, disputed: tuple[Hand, str, str, str]) -> None:
    h, conflict, first, second = disputed
    auditor = Auditor(both)
    both.clock.advance(5_000)
    (open_,) = Auditor(both).see("conflicts", state="open")["conflicts"]
    assert (open_["conflict"], open_["age"], open_["settled_by"]) == (conflict, 5_000, None)
    assert open_["doc"]["server"] == {"name": "甲一"}
    assert [each["op"] for each in open_["doc"]["candidates"]] == [second]
    assert auditor.see("conflicts", state="routed")["conflicts"] == []
    assert auditor.see("conflicts")["conflicts"] == [open_]
    assert auditor.see("conflicts", state="settled")["conflicts"] == []
    settlement = settle(h, conflict, second, second)
    both.clock.advance(1_000)
    assert auditor.see("conflicts", state="open")["conflicts"] == []
    (settled,) = auditor.see("conflicts", state="settled")["conflicts"]
    assert (settled["conflict"], settled["opened_at"], settled["age"]) == (conflict, open_["opened_at"], 5_000)
    assert (settled["settled_by"]["op"], settled["settled_by"]["reason"]) == (settlement, "核对登记表")
    assert settled["settled_by"]["officer"]["id"] == h.officer
    path = auditor.see(f"operations/{second}")
    assert (path["status"], [each["id"] for each in path["conflicts"]]) == ("conflict", [conflict])
    assert [each["id"] for each in auditor.see(f"operations/{settlement}")["conflicts"]] == [conflict]
    assert auditor.see(f"operations/{first}")["versions"][0]["present"] is False


def test_a_conflict_is_listed_once_however_many_operations_ended_in_it(
    both: World, disputed: tuple[Hand, str, str, str]
) -> None:
    h, conflict, _, _ = disputed
    joiner = Hand(both).signed_in("INT")
    edit(joiner, {"name": "甲三"}, {"name": "测试p1"})
    assert joiner.told()[0]["conflict"] == conflict
    assert [each["conflict"] for each in Auditor(both).pages("conflicts", "conflicts", limit=1)] == [conflict]


def test_a_conflict_that_a_release_from_escrow_has_opened_is_listed_too(both: World) -> None:
    h, late = Hand(both).signed_in("INT"), Hand(both).signed_in("INT")
    op = edit(late, {"name": "甲二"}, {"name": "测试p1"})
    edit(h, {"name": "甲一"}, {"name": "测试p1"})
    assert h.told()[0]["status"] == "applied"
    terminals.revoke(both.services.door, FACILITY, late.terminal, both.ids["ADM"])
    assert late.evacuate().json()["outcomes"][0]["status"] == "escrowed"
    escrow_word(Hand(both).signed_in("LEAD"), "release", op)
    auditor = Auditor(both)
    (found,) = auditor.see("conflicts")["conflicts"]
    assert [each["op"] for each in found["doc"]["candidates"]] == [op]


def test_who_is_shown_values_leaves_a_leaf(both: World, disputed: tuple[Hand, str, str, str]) -> None:
    h, conflict, first, _ = disputed
    h.put(b"no operation")
    h.told(h.n)
    auditor = Auditor(both)
    auditor.see("terminals")
    auditor.see("backlog")
    auditor.see("clocks")
    auditor.see("epochs")
    auditor.see("escrow")
    assert auditor.readings() == [], "nothing was shown"
    auditor.see("conflicts", state="open")
    auditor.see("quarantine")
    path = auditor.see(f"operations/{first}")
    told = [(leaf["view"], leaf["subjects"]) for leaf in auditor.readings()]
    assert told == [
        ("conflicts", [conflict]),
        ("quarantine", [f"{h.terminal}/1/{h.n}"]),
        ("operation", [f"{path['terminal']['id']}/1/1"]),
    ]
    assert {leaf["officer"] for leaf in auditor.readings()} == {both.ids["AUD"]}
    store.verified(both)


def test_the_terminals_that_saw_it_and_when_first(both: World) -> None:
    h, reader, away = Hand(both).signed_in("PAT"), Hand(both).signed_in("DISC"), Hand(both).signed_in("PAT2")
    flush = both.services.sightings.flush
    reader.pull()
    flush()
    round_, op = h.open()
    h.told()
    both.clock.advance(1_000)
    for each in (reader, away):
        each.pull()
    flush()
    seen = to_text(both.clock.now())
    both.clock.advance(1_000)
    h.open()
    h.told(2)
    reader.pull()
    flush()
    path = Auditor(both).see(f"operations/{op}")
    assert path["seen_by"]["complete"]
    assert [
        (each["terminal"]["id"], each["officer"]["number"], each["at"]) for each in path["seen_by"]["terminals"]
    ] == [(reader.terminal, "DISC", seen)]
    assert round_ in {each["record"] for each in path["versions"]}
    assignments.unassign(both.services.door, FACILITY, both.ids["DISC"], both.ids["W"], "test")
    assert Auditor(both).see(f"operations/{op}")["seen_by"]["terminals"] == [], "by present scope, as the page says"
    store.verified(both)


def test_a_terminal_that_two_officers_share_saw_it_when_the_first_of_them_did(both: World) -> None:
    h, reader, flush = Hand(both).signed_in("PAT"), Hand(both).signed_in("DISC"), both.services.sightings.flush
    _, op = h.open()
    h.told()
    first = both.clock.now()
    for name in ("LEAD", "DISC", "AUX"):
        reader.signed_in(name).pull()
        both.clock.advance(1_000)
        flush()
    (seen,) = Auditor(both).see(f"operations/{op}")["seen_by"]["terminals"]
    assert (seen["at"], seen["officer"]["number"]) == (to_text(first), "LEAD")
