"""Approvals through the door, by headless terminals, part of them without signal: by rank, in another's place, back for
more, in an emergency, and bound to what was decided."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from backend.storage import tables
from headless.chain import rfc3339, uuid7
from headless.patrol import BY_SESSION
from headless.terminal import Terminal
from tests.support import store
from tests.support.world import SECRET, World

HOUR = 3_600_000
APPROVED: dict[str, Any] = {"delegation": None, "countersigned": [], "document": None, "opinion": None}
REASON: dict[str, Any] = {"delegation": None, "reason": "材料不全"}
SIGNED = {
    "request",
    "approve",
    "refuse",
    "resubmit",
    "emergency",
    "cancel",
    "clear",
    "leave",
    "return",
    "sign",
    "give",
    "end",
}
Outcome = dict[str, Any]


def at(world: World, name: str) -> Terminal:
    """A terminal of an officer that knows the kinds and the present rows."""
    terminal = world.terminal(name)
    terminal.learn_kinds()
    terminal.pull()
    return terminal


def decision(terminal: Terminal, **other: Any) -> dict[str, Any]:
    """What is to be decided, by the time of the terminal."""
    now = terminal.clock.now()
    return {
        "what": "就医", "officers": [], "since": rfc3339(now), "until": None,
        "expires_at": rfc3339(now + timedelta(days=2)), "countersigners": [],
    } | other  # fmt: skip


def asked(terminal: Terminal, world: World, matter: str = "other", **other: Any) -> str:
    """Captures a request about p1; its record. It is not sent."""
    about = {"matter": matter, "person": world.ids["p1"], "place": None, "about": None}
    record = uuid7()
    terminal.capture("approval", "request", record, decision(terminal) | about | other, signoff=BY_SESSION)
    return record


def made(terminal: Terminal, kind: str, verb: str, fields: dict[str, Any]) -> str:
    """Captures and sends what makes a record; the record."""
    record = uuid7()
    terminal.capture(kind, verb, record, fields, signoff=BY_SESSION if verb in SIGNED else None)
    assert [each["status"] for each in terminal.push()] == ["applied"]
    return record


def said(
    terminal: Terminal, verb: str, record: str, fields: dict[str, Any], kind: str = "approval", **other: Any
) -> str:
    """Captures a step by one who sees the record as his terminal shows it; the operation."""
    signoff = BY_SESSION if verb in SIGNED else None
    return terminal.edit(kind, verb, record, fields, signoff=signoff, **other)


def told(terminal: Terminal, op: str) -> Outcome:
    """Sends what waits; what became of an operation."""
    terminal.push()
    outcome: Outcome = terminal.outcomes()[op]
    return outcome


def step(terminal: Terminal, verb: str, record: str, fields: dict[str, Any], kind: str = "approval") -> Outcome:
    """Pulls, captures a step and sends it; what became of it."""
    terminal.pull()
    return told(terminal, said(terminal, verb, record, fields, kind))


def later(world: World, hours: int, *terminals: Terminal) -> None:
    """Hours go by, and officers sign in again."""
    world.clock.advance(hours * HOUR)
    for each in terminals:
        assert each.session is not None
        each.sign_in(each.session.number, SECRET)


def row(world: World, record: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(store.one(world, tables.records, id=record).body)
    return found


def why(outcome: Outcome) -> tuple[str, str, str | None]:
    return outcome["status"], outcome["problem"]["code"], outcome["problem"].get("field")


def applied(outcome: Outcome) -> list[str]:
    assert outcome["status"] == "applied", outcome
    return [mark["code"] for mark in outcome["marks"]]


def test_it_goes_up_rank_by_rank_and_counts_from_the_servers_receipt(both: World) -> None:
    desk, lead, director = at(both, "INT"), at(both, "LEAD"), at(both, "DIR")
    record = asked(desk, both)
    desk.push()
    assert why(step(desk, "approve", record, APPROVED)) == ("rejected", "officer.unauthorised", "officer")
    assert applied(step(lead, "approve", record, APPROVED)) == []
    assert (row(both, record)["state"], row(both, record)["doc"]["passed"]) == ("requested", 1)
    assert why(step(lead, "approve", record, APPROVED)) == ("rejected", "officer.unauthorised", "officer")
    director.pull()
    op = said(director, "approve", record, APPROVED)
    both.clock.advance(3 * HOUR)  # it lay on a terminal without signal
    assert applied(told(director, op)) == []
    doc = row(both, record)["doc"]
    assert (doc["state"], doc["granted_at"]) == ("granted", rfc3339(director.clock.now()))
    assert [each["step"] for each in doc["steps"]] == ["requested", "approved", "granted"]
    assert doc["steps"][-1]["at"] < doc["steps"][-1]["received_at"] == doc["granted_at"]
    store.verified(both)


def test_two_leaders_who_decide_apart_are_both_kept_and_the_second_is_told(small: World) -> None:
    desk, first, second = at(small, "INT"), at(small, "LEAD"), at(small, "LEAD")
    record = asked(desk, small)
    desk.push()
    first.pull(), second.pull()
    refused = said(second, "refuse", record, REASON)  # without signal
    assert applied(step(first, "approve", record, APPROVED)) == []
    assert why(told(second, refused)) == ("conflict", "record.conflict", "base")
    second.pull()
    (conflict,) = second.conflicts()
    assert (conflict["doc"]["record"], conflict["doc"]["candidates"][0]["verb"]) == (record, "refuse")
    assert row(small, record)["doc"]["passed"] == 1


def test_one_who_saw_another_decision_decides_nothing(small: World) -> None:
    """Sent back and submitted again, in the same state, at the same rank: it is the digest that tells them apart."""
    desk, lead, late = at(small, "INT"), at(small, "LEAD"), at(small, "LEAD")
    record = asked(desk, small)
    desk.push()
    late.pull()
    stale = said(late, "approve", record, APPROVED)
    assert applied(step(lead, "return", record, REASON)) == []
    assert applied(step(desk, "resubmit", record, decision(desk, what="就医，改往第二医院") | {"answer": "改院"})) == []
    assert row(small, record)["state"] == "requested"
    assert why(told(late, stale)) == ("conflict", "record.conflict", "base")
    assert [each["step"] for each in row(small, record)["doc"]["steps"]] == ["requested", "returned", "resubmitted"]


def test_an_officer_stands_in_until_it_ends(small: World) -> None:
    desk, director, lead = at(small, "INT"), at(small, "DIR"), at(small, "LEAD")
    now = director.clock.now()
    given = made(director, "approval.delegation", "give", {
        "to": small.ids["LEAD"], "post": "DIR", "matters": ["outside_treatment"], "since": rfc3339(now),
        "until": rfc3339(now + timedelta(hours=8)), "reason": "外出开会",
    })  # fmt: skip
    first, second, third, other = (asked(desk, small, "outside_treatment") for _ in range(4))
    leave = asked(desk, small, "rule_override")
    desk.push()
    instead = APPROVED | {"delegation": given}
    unranked = ("rejected", "officer.unauthorised", "fields.delegation")
    assert why(step(lead, "approve", first, APPROVED)) == ("rejected", "officer.unauthorised", "officer")
    assert why(step(desk, "approve", first, instead)) == unranked  # given to another
    assert applied(step(lead, "approve", first, instead)) == []
    assert why(step(lead, "approve", leave, instead)) == unranked  # given for another matter
    offline = said(lead, "approve", second, instead)
    assert applied(step(director, "end", given, {"reason": "已返所"}, "approval.delegation")) == []
    assert why(told(lead, offline)) == unranked  # captured before it was taken back, received afterwards
    again = made(director, "approval.delegation", "give", {
        "to": small.ids["LEAD"], "post": "DIR", "matters": ["outside_treatment"], "since": rfc3339(now),
        "until": rfc3339(now + timedelta(hours=8)), "reason": "再次外出",
    })  # fmt: skip
    assert applied(step(lead, "refuse", third, REASON | {"delegation": again})) == []
    later(small, 8, lead)
    assert why(step(lead, "approve", other, APPROVED | {"delegation": again})) == unranked


def test_all_who_are_named_countersign_each_without_signal(small: World) -> None:
    desk, director = at(small, "INT"), at(small, "DIR")
    named = [small.ids["MED"], small.ids["DISC"]]
    record = asked(desk, small, "outside_treatment", countersigners=named)
    desk.push()
    signers = [at(small, "MED"), at(small, "DISC")]
    digest = row(small, record)["doc"]["digest"]
    word = {"approval": record, "digest": digest, "opinion": "agree", "note": None}
    assert why(step(director, "approve", record, APPROVED)) == ("rejected", "record.state", "fields.countersigned")
    agreed = [made(terminal, "approval.countersign", "sign", word) for terminal in signers]
    copied = {"approval": record, "digest": digest, "sort": "copied", "posts": ["PROC"], "officers": []}
    made(desk, "approval.slip", "record", copied)
    made(signers[0], "approval.slip", "record", copied | {"sort": "read", "posts": []})
    one = step(director, "approve", record, APPROVED | {"countersigned": agreed[:1]})
    assert why(one) == ("rejected", "record.state", "fields.countersigned")
    assert applied(step(director, "approve", record, APPROVED | {"countersigned": agreed})) == []
    assert row(small, record)["version"] == 2  # whoever signs or reads it has outdated nobody


def test_a_countersignature_against_it_or_of_another_version_is_none(small: World) -> None:
    desk, director, medic = at(small, "INT"), at(small, "DIR"), at(small, "MED")
    record = asked(desk, small, "outside_treatment", countersigners=[small.ids["MED"]])
    desk.push()
    word = {"approval": record, "digest": row(small, record)["doc"]["digest"], "opinion": "agree", "note": None}
    against = made(medic, "approval.countersign", "sign", word | {"opinion": "disagree", "note": "所内可以处置"})
    none = ("rejected", "reference.unknown", "fields.countersigned")
    assert why(step(director, "approve", record, APPROVED | {"countersigned": [against]})) == none
    agreed = made(medic, "approval.countersign", "sign", word)
    assert applied(step(director, "return", record, REASON)) == []
    again = decision(desk, what="急诊", countersigners=[small.ids["MED"]]) | {"answer": "改为急诊"}
    assert applied(step(desk, "resubmit", record, again)) == []
    assert why(step(director, "approve", record, APPROVED | {"countersigned": [agreed]})) == none


def test_it_is_passed_on_to_an_officer_and_nobody_else_decides(small: World) -> None:
    desk, lead, director = at(small, "INT"), at(small, "LEAD"), at(small, "DIR")
    record = asked(desk, small)
    desk.push()
    to = REASON | {"officer": small.ids["DIR"]}
    assert applied(step(lead, "pass_on", record, to)) == []
    assert why(step(lead, "approve", record, APPROVED)) == ("rejected", "officer.unauthorised", "officer")
    assert applied(step(director, "approve", record, APPROVED)) == []
    assert row(small, record)["doc"]["with"] is None


def test_an_emergency_goes_first_and_its_paper_follows(small: World) -> None:
    medic, director = at(small, "MED"), at(small, "DIR")
    records = [asked(medic, small, "outside_treatment"), asked(medic, small, "other")]
    fields = {"ground": "life", "reason": "呼吸骤停", "second": small.ids["PAT"]}
    ops = [said(medic, "emergency", each, fields, seen={"state": "requested"}) for each in records]  # without signal
    assert applied(told(medic, ops[0])) == ["approval.emergency"]
    assert why(medic.outcomes()[ops[1]]) == ("rejected", "record.state", None)  # this matter never goes first
    later(small, 25, director)
    marks = step(director, "approve", records[0], APPROVED)["marks"]
    assert marks == [{"code": "approval.paper_late", "rule": "H08"}]
    assert row(small, records[0])["state"] == "granted"


def test_what_has_expired_or_was_withdrawn_is_not_decided(small: World) -> None:
    desk, lead, medic = at(small, "INT"), at(small, "LEAD"), at(small, "MED")
    record, withdrawn = asked(desk, small), asked(desk, small)
    desk.push()
    assert why(step(medic, "withdraw", withdrawn, {"reason": "代撤"})) == (
        "rejected",
        "officer.unauthorised",
        "officer",
    )
    assert applied(step(desk, "withdraw", withdrawn, {"reason": "不再需要"})) == []
    assert why(step(lead, "approve", withdrawn, APPROVED))[:2] == ("rejected", "record.state")
    later(small, 48, lead)
    outcome = step(lead, "approve", record, APPROVED)
    assert outcome["problem"]["detail"] == {"state": "expired"}


@pytest.mark.parametrize("officer", ["LEAD", "DIR"])
def test_a_settlement_lets_a_decision_stand_only_by_who_could_have_made_it(small: World, officer: str) -> None:
    desk, first, second = at(small, "INT"), at(small, "DIR"), at(small, "DIR")
    record = asked(desk, small, "outside_treatment")
    desk.push()
    second.pull()
    refused = said(second, "refuse", record, REASON)
    assert applied(step(first, "approve", record, APPROVED)) == []
    told(second, refused)
    settler = at(small, officer)
    (conflict,) = settler.conflicts()
    server = conflict["doc"]["server"]
    word = {"saw": [refused], "server": server, "choice": dict.fromkeys(server, refused), "reason": "经核实"}
    outcome = told(settler, settler.capture("conflict", "settle", conflict["id"], word, base=conflict["version"]))
    doc = row(small, record)["doc"]
    if officer == "LEAD":
        assert why(outcome) == ("rejected", "officer.unauthorised", "officer")
        assert doc["state"] == "granted"
    else:
        assert applied(outcome) == []
        assert (doc["state"], doc["code"], doc["granted_at"]) == ("refused", None, None)
