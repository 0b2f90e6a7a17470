"""Complaints: a matter of its own, from which whoever is complained of is left out at every door."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from backend.domain.posts import Post
from backend.identity import officers
from backend.identity.officers import NewOfficer
from backend.kernel.clock import to_text
from backend.kernel.ids import derived
from backend.records.registry import kinds
from backend.storage import tables
from headless.chain import uuid7
from headless.errors import Problem
from headless.patrol import BY_SESSION
from headless.terminal import Terminal
from sync.writing.local import Act
from tests.support import store
from tests.support.auditor import Auditor
from tests.support.caller import Caller, is_problem
from tests.support.ear import listening
from tests.support.hand import Hand
from tests.support.happened import events, told
from tests.support.reader import Copy
from tests.support.world import CHEAP, FACILITY, SECRET, World

HOUR = 3_600_000
DOORS: dict[str, dict[str, Any]] = {
    "buckets": {}, "entries": {"cursor": 1, "buckets": [1]}, "rows": {"ids": [uuid7()]}, "snapshots": {},
}  # fmt: skip
GIVEN = {"INT", "LEAD2", "DIR", "PROC", "AUD"}


@pytest.fixture
def house(both: World) -> World:
    """The small facility with a second leader on duty."""
    both.ids["LEAD2"] = uuid7()
    new = NewOfficer(both.ids["LEAD2"], "LEAD2", "officer LEAD2", (Post.LEAD,), SECRET, ())
    officers.add(both.services.door, FACILITY, [new], CHEAP)
    return both


def receipt(world: World, *against: str, **other: Any) -> dict[str, Any]:
    return {
        "person": world.ids["p1"], "by": "person", "sort": "accusation", "addressed_to": "procuratorate",
        "sealed": False, "words": "夜间言语侮辱", "against": [world.ids[name] for name in against],
        "received_at": to_text(world.clock.now()),
    } | other  # fmt: skip


def forwarding(world: World, *, unopened: bool = False) -> dict[str, Any]:
    now = to_text(world.clock.now())
    return {"to": "procuratorate", "forwarded_at": now, "document": None, "unopened": unopened}


def taken(world: World, *against: str, **other: Any) -> tuple[str, str]:
    """A complaint that the desk has taken; its id and partition."""
    record = uuid7()
    (outcome,) = world.desk("INT", Act("complaint", "receive", record, receipt(world, *against, **other)))
    assert outcome["status"] == "applied", outcome
    return record, f"matter/{record}/base"


def does(world: World, name: str, record: str, verb: str, fields: dict[str, Any], base: int) -> dict[str, Any]:
    signed = {"signoff": BY_SESSION} if verb == "forward" else {}
    h = Hand(world).signed_in(name)
    seen = {"state": state(world, record)}
    h.write("complaint", verb, record, fields, base=base, seen=seen, **signed)
    return h.told()[0]


def state(world: World, record: str) -> str:
    return str(store.one(world, tables.records, id=record).state)


def ends(outcome: dict[str, Any]) -> tuple[str, str]:
    return outcome["status"], outcome["problem"]["code"]


def marks(outcome: dict[str, Any]) -> list[tuple[str, str | None]]:
    assert outcome["status"] == "applied", outcome
    return [(mark["code"], mark["rule"]) for mark in outcome["marks"]]


def answered(copy: Copy, partition: str) -> set[str]:
    """What the doors say of a partition."""
    found = set()
    for door, asked in DOORS.items():
        try:
            copy.ask(door, {"partition": partition} | asked)
        except Problem as problem:
            found.add(problem.code)
        else:
            found.add("given")
    return found


def test_whoever_is_complained_of_is_given_nothing_of_it_at_any_door(house: World) -> None:
    """Two leaders hold the same post; each asks twice, so that nobody is given what was remembered for the other."""
    _, partition = taken(house, "LEAD", "PAT")
    names = ("LEAD2", "LEAD", "LEAD2", "LEAD", "INT", "DIR", "PROC", "AUD", "MED", "DISC", "PAT", "AUX")
    copies = [(name, Copy.of(house, name).pull()) for name in names]
    for name, copy in copies:
        assert (partition in copy.cursors) == bool(copy.of_partition(partition)) == (name in GIVEN), name
        assert answered(copy, partition) == {"given" if name in GIVEN else "partition.forbidden"}, name
        asked = {partition: {"cursor": 1, "digest": "A" * 43}}
        assert (partition in copy.ask("digests", {"partitions": asked})["gone"]) == (name not in GIVEN), name
    store.verified(house)


def test_whoever_is_named_later_loses_it(house: World) -> None:
    record, partition = taken(house)
    copies = {name: Copy.of(house, name).pull() for name in ("LEAD", "LEAD2")}
    assert all(partition in copy.cursors for copy in copies.values())
    assert marks(does(house, "INT", record, "name", {"against": [house.ids["LEAD"]]}, 1)) == []
    assert copies["LEAD"].pull().gone == [partition]
    assert not copies["LEAD"].of_partition(partition)
    assert len(copies["LEAD2"].pull().of_partition(partition)) == 1
    refused = does(house, "LEAD2", record, "name", {"against": [house.ids["LEAD2"]]}, 2)
    assert (ends(refused), refused["problem"]["field"]) == (("rejected", "rule.forbids"), "fields.against")
    store.verified(house)


def test_he_neither_takes_it_nor_does_anything_to_it(house: World) -> None:
    """What he sends all the same is set aside, and a leader who releases it finds that the rule forbids it."""
    h = Hand(house).signed_in("LEAD")
    h.write("complaint", "receive", uuid7(), receipt(house, "LEAD"))
    (outcome,) = h.told()
    assert ends(outcome) == ("rejected", "rule.forbids")
    assert outcome["problem"]["detail"]["rule"] == "V02"
    record, _ = taken(house, "LEAD")
    aside = does(house, "LEAD", record, "forward", forwarding(house), 1)
    assert ends(aside) == ("escrowed", "officer.out_of_scope")
    word = {"op": aside["op"], "reason": "核实"}
    leader = Hand(house).signed_in("LEAD2")
    leader.write("escrow", "release", derived(aside["op"], "escrow"), word)
    assert ends(leader.told()[0]) == ("rejected", "rule.forbids")
    assert state(house, record) == "received"
    assert does(house, "LEAD2", record, "forward", forwarding(house), 1)["status"] == "applied"


def test_one_batch_that_names_him_and_then_is_his_own(house: World) -> None:
    """The terminal of the desk is handed over: what was said before in the same push counts."""
    h = Hand(house).signed_in("INT")
    record = uuid7()
    h.write("complaint", "receive", record, receipt(house, "LEAD"))
    h.signed_in("LEAD").write("complaint", "answer", record, _answer(house), base=1, seen={"state": "received"})
    taken_, his = h.told()
    assert (taken_["status"], ends(his)) == ("applied", ("escrowed", "officer.out_of_scope"))


def _answer(world: World) -> dict[str, Any]:
    now = to_text(world.clock.now())
    return {"organ": "procuratorate", "result": "unfounded", "answered_at": now, "told_at": now, "answer": "不成立"}


def test_what_an_auditor_sees_a_leader_who_is_complained_of_does_not(house: World) -> None:
    record, _ = taken(house, "LEAD")
    (op,) = [row.op for row in store.rows(house, tables.operations) if record.encode() in row.raw]
    assert Auditor(house).see(f"operations/{op}")["versions"][0]["row"]["doc"]["sort"] == "accusation"
    assert Auditor(house, "LEAD2").see(f"operations/{op}")["op"] == op
    assert Auditor(house, "LEAD").refused(f"operations/{op}") == "route.unknown"
    h = Hand(house).signed_in("INT")
    h.write("complaint", "receive", uuid7(), receipt(house, "LEAD", words=None))
    (wrong,) = h.told()
    assert wrong["status"] == "rejected"
    assert Auditor(house, "LEAD").refused(f"operations/{wrong['op']}") == "route.unknown", "not even one that failed"
    assert Auditor(house, "LEAD2").see(f"operations/{wrong['op']}")["op"] == wrong["op"]


def test_its_duty_lies_with_it_and_is_not_his_either(house: World) -> None:
    """The desk is asked to forward it, and not the officer of the desk who is complained of; forwarding it is doing it."""
    colleague = NewOfficer(uuid7(), "INT2", "officer INT2", (Post.INT,), SECRET, ())
    officers.add(house.services.door, FACILITY, [colleague], CHEAP)
    house.services.clockwork.tick(FACILITY)
    record = uuid7()
    house.desk("LEAD", Act("complaint", "receive", record, receipt(house, "INT")))
    house.clock.advance(60_000)
    house.services.clockwork.tick(FACILITY)
    (duty,) = [row for row in store.rows(house, tables.records, kind="duty") if b'"V02"' in row.body]
    assert (duty.partition, duty.state) == (f"matter/{record}/base", "issued")
    given = {name: duty.id in Copy.of(house, name).pull().rows for name in ("INT", "INT2", "LEAD", "DISC")}
    assert given == {"INT": False, "INT2": True, "LEAD": True, "DISC": False}
    h = Hand(house).signed_in("INT")
    shown = orjson.loads(duty.body)["doc"]
    seen = {name: shown[name] for name in kinds()["duty"].verbs["acknowledge"].watches}
    h.write("duty", "acknowledge", duty.id, {}, base=1, seen=seen)
    assert ends(h.told()[0]) == ("escrowed", "officer.out_of_scope")
    assert does(house, "LEAD", record, "forward", forwarding(house), 1)["status"] == "applied"
    house.clock.advance(60_000)
    house.services.clockwork.tick(FACILITY)
    assert state(house, duty.id) == "completed"


def test_who_is_complained_of_takes_no_evidence_out(house: World) -> None:
    """A bundle leaves nothing out of what it is of."""
    callers = {name: Caller.of(house, name) for name in ("DIR", "AUD")}
    asked = {"reason": "调取", "person": house.ids["p1"]}
    assert callers["DIR"].ask("POST", "/v1/audit/exports", asked).status_code == 200
    taken(house, "DIR")
    assert is_problem(callers["DIR"].ask("POST", "/v1/audit/exports", asked)) == "role.forbidden"
    assert callers["AUD"].ask("POST", "/v1/audit/exports", asked).status_code == 200


def test_a_complaint_from_its_receipt_off_line_to_its_end(house: World) -> None:
    """Taken on a handheld without signal, forwarded and answered by others, closed: then it leaves everybody's terminal."""
    desk = house.terminal("INT")
    leader, record = house.terminal("LEAD2"), uuid7()
    _captures(desk, record, "receive", receipt(house, "LEAD", sort="over_detention"))
    house.clock.advance(HOUR)
    assert record not in _held(leader)
    desk.push()
    assert record in _held(leader)
    house.clock.advance(2 * HOUR)
    _captures(leader, record, "forward", forwarding(house), base=1, state="received", signoff=BY_SESSION)
    assert [outcome["status"] for outcome in leader.push()] == ["applied"]
    house.clock.advance(HOUR)
    desk.pull()
    _captures(desk, record, "answer", _answer(house), base=2, state="forwarded")
    assert [outcome["status"] for outcome in desk.push()] == ["applied"]
    assert record in _held(leader)
    leader.pull()
    _captures(leader, record, "close", {"note": None}, base=3, state="answered")
    assert [outcome["status"] for outcome in leader.push()] == ["applied"]
    assert record not in _held(leader) and record not in _held(house.terminal("AUD"))
    person = house.ids["p1"]
    assert told(house, record) == [
        ("complaint.received", {"sort": "over_detention", "by": "person", "to": "procuratorate"}),
        ("complaint.forwarded", {"sort": "over_detention", "to": "procuratorate"}),
        ("complaint.answered", {"sort": "over_detention", "result": "unfounded"}),
    ]
    happened = events(house, record)
    assert [house.clock.now() - event.at for event in happened] == [4 * HOUR, HOUR, 0]
    assert {event.person for event in happened} == {person}
    store.verified(house)


def _captures(terminal: Terminal, record: str, verb: str, fields: dict[str, Any], **other: Any) -> None:
    seen = {"seen": {"state": other.pop("state")}} if "state" in other else {}
    terminal.capture("complaint", verb, record, fields, **seen, **other)


def _held(terminal: Terminal) -> set[str]:
    terminal.pull()
    return {row["id"] for row in terminal.rows()}


@pytest.mark.parametrize(
    ("sort", "hours", "sealed", "expected"),
    [
        ("over_detention", 24, False, []),
        ("over_detention", 25, False, [("complaint.late", "L06")]),
        ("accusation", 25, False, []),
        ("appeal", 1, True, [("complaint.opened", "V02")]),
    ],
)
def test_what_is_remarkable_about_forwarding(house: World, sort: str, hours: int, sealed: bool, expected: Any) -> None:
    """A 看守所 has 24 hours by law for complaints of detention beyond its term alone."""
    record, _ = taken(house, sort=sort, sealed=sealed, words=None if sealed else "申诉")
    house.clock.advance(hours * HOUR)
    assert marks(does(house, "INT", record, "forward", forwarding(house), 1)) == expected


def test_a_stream_tells_one_leader_of_it_and_not_the_other(house: World) -> None:
    with listening(house, "LEAD", "LEAD2") as (apart, leader):
        record, partition = taken(house, "LEAD")
        leader.hears("scope")
        other, another = taken(house)
        leader.hears("scope", 2)
        apart.hears("scope")
        for each in (record, other):
            does(house, "INT", each, "name", {"against": [house.ids["AUX"]]}, 1)
        for ear, names in ((leader, {partition, another}), (apart, {another})):
            until = time.monotonic() + 10
            while not names <= ear.named():
                assert time.monotonic() < until, ear.events
                time.sleep(0.01)
        assert partition not in apart.named() and len(apart.said("scope")) == 1
