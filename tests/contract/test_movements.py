"""Movements under escort: the gate holds what is only planned, and what has happened is recorded whatever the gate said."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from backend.kernel.events import version_of
from backend.records.registry import kinds
from backend.storage import tables
from headless.chain import rfc3339
from headless.terminal import Terminal
from tests.contract.test_matters import APPROVED, applied, asked, at, later, made, row, said, step, told, why
from tests.support import store
from tests.support.world import World


def plan(terminal: Terminal, world: World, **other: Any) -> dict[str, Any]:
    """To the hospital with p1, in half an hour."""
    now = terminal.clock.now()
    return {
        "person": world.ids["p1"], "sort": "outside_treatment", "destination": "市公安医院",
        "leaves_at": rfc3339(now + timedelta(minutes=30)), "returns_by": rfc3339(now + timedelta(hours=6)),
        "crew": [world.ids["PAT"], world.ids["DISC"]], "restraint": "handcuffs",
        "vehicle": None,
    } | other  # fmt: skip


def cleared(approval: str | None, code: str | None = None) -> dict[str, Any]:
    return {"approval": approval, "code": code, "document": None}


def go(terminal: Terminal, verb: str, record: str, fields: dict[str, Any]) -> dict[str, Any]:
    return step(terminal, verb, record, fields, "movement")


def gone(world: World, **other: Any) -> dict[str, Any]:
    return {"crew": [world.ids["PAT"], world.ids["DISC"]], "restraint": "handcuffs"} | other


BACK = {"condition": "well", "searched": True, "note": None}


def forbidden(outcome: dict[str, Any], rule: str) -> None:
    """It was refused by a rule, which is named with its source in both languages."""
    assert why(outcome) == ("rejected", "rule.forbids", "fields.approval")
    detail = outcome["problem"]["detail"]
    assert detail["rule"] == rule and detail["source"] and detail["text"]["zh"] and detail["text"]["en"]


def test_the_gate_opens_on_the_approval_of_this_plan_and_no_other(both: World) -> None:
    desk, director = at(both, "INT"), at(both, "DIR")
    record = made(desk, "movement", "plan", plan(desk, both))
    approval = asked(desk, both, "outside_treatment", about=record)
    desk.push()
    forbidden(go(desk, "clear", record, cleared(None)), "H08")
    forbidden(go(desk, "clear", record, cleared(approval)), "H08")
    assert applied(step(director, "approve", approval, APPROVED)) == []
    code = row(both, approval)["doc"]["code"]
    assert why(go(desk, "clear", record, cleared(approval))) == ("rejected", "field.missing", "fields.code")
    wrong = go(desk, "clear", record, cleared(approval, "AAAAAAAA"))
    assert why(wrong) == ("rejected", "field.invalid", "fields.code")
    changed = {name: value for name, value in plan(desk, both, destination="省人民医院").items() if name != "person"}
    assert applied(go(desk, "amend", record, changed)) == []
    stale = go(desk, "clear", record, cleared(approval, code))
    assert why(stale) == ("rejected", "record.conflict", "fields.approval")
    assert stale["status"] == "rejected" and row(both, record)["state"] == "planned"
    other = asked(desk, both, "outside_treatment", about=record)
    desk.push()
    assert applied(step(director, "approve", other, APPROVED)) == []
    assert applied(go(desk, "clear", record, cleared(other, row(both, other)["doc"]["code"]))) == []
    store.verified(both)


def test_a_plan_that_changed_after_it_was_submitted_is_not_approved(small: World) -> None:
    desk, director = at(small, "INT"), at(small, "DIR")
    record = made(desk, "movement", "plan", plan(desk, small))
    approval = asked(desk, small, "outside_treatment", about=record)
    desk.push()
    changed = {name: value for name, value in plan(desk, small, destination="省人民医院").items() if name != "person"}
    assert applied(go(desk, "amend", record, changed)) == []
    assert why(step(director, "approve", approval, APPROVED)) == ("rejected", "record.conflict", "about")


def test_no_gate_opens_on_an_approval_that_the_server_had_not_yet(small: World) -> None:
    """Director and desk are both without signal: neither can know the code, which holds the moment of the receipt."""
    desk, director = at(small, "INT"), at(small, "DIR")
    record = made(desk, "movement", "plan", plan(desk, small))
    approval = asked(desk, small, "outside_treatment", about=record)
    desk.push()
    director.pull()
    approve = said(director, "approve", approval, APPROVED)
    desk.pull()
    clear = said(desk, "clear", record, cleared(approval), "movement")
    assert applied(told(director, approve)) == []
    assert why(told(desk, clear)) == ("rejected", "field.missing", "fields.code")


def test_an_approval_that_has_expired_or_was_taken_back_opens_nothing(small: World) -> None:
    desk, director = at(small, "INT"), at(small, "DIR")
    record = made(desk, "movement", "plan", plan(desk, small))
    approvals = [asked(desk, small, "outside_treatment", about=record) for _ in range(2)]
    desk.push()
    for each in approvals:
        assert applied(step(director, "approve", each, APPROVED)) == []
    first, second = (row(small, each)["doc"]["code"] for each in approvals)
    assert applied(step(director, "cancel", approvals[0], {"reason": "病情好转"})) == []
    forbidden(go(desk, "clear", record, cleared(approvals[0], first)), "H08")
    later(small, 48, desk)
    forbidden(go(desk, "clear", record, cleared(approvals[1], second)), "H08")


def test_an_emergency_leaves_at_once_without_signal(small: World) -> None:
    """Planned, asked for, declared and gone on one terminal; all of it comes to the server afterwards."""
    medic, lead, desk = at(small, "MED"), at(small, "LEAD"), at(small, "INT")
    record = made(medic, "movement", "plan", plan(medic, small))
    approval = asked(medic, small, "outside_treatment", about=record)
    word = {"ground": "life", "reason": "呼吸骤停", "second": small.ids["PAT"]}
    said(medic, "emergency", approval, word, seen={"state": "requested"})
    left = said(medic, "leave", record, gone(small), "movement", seen={"state": "planned"})
    assert applied(told(medic, left)) == ["movement.uncleared"]  # nobody stood at the gate: it is recorded, and marked
    second = made(lead, "movement", "plan", plan(lead, small, person=small.ids["p2"]))
    other = asked(lead, small, "outside_treatment", about=second, person=small.ids["p2"])
    said(lead, "emergency", other, word, seen={"state": "requested"})
    opened = said(lead, "clear", second, cleared(other), "movement", seen={"state": "planned"})
    assert applied(told(lead, opened)) == []
    later(small, 25, desk)
    third = made(desk, "movement", "plan", plan(desk, small))
    late = asked(desk, small, "outside_treatment", about=third)
    desk.push()
    assert applied(step(desk, "emergency", late, word)) == ["approval.emergency"]
    later(small, 25, desk)
    forbidden(go(desk, "clear", third, cleared(late)), "H08")  # the paper never came


def test_what_happens_on_the_way_is_told_and_marked(small: World) -> None:
    desk, escort = at(small, "INT"), at(small, "PAT")
    record = made(desk, "movement", "plan", plan(desk, small, sort="court"))
    paper = cleared(None) | {"document": "提押票〔2026〕3号"}
    assert applied(go(desk, "clear", record, paper)) == []
    assert applied(go(escort, "leave", record, gone(small, crew=[small.ids["PAT"]], restraint="rope"))) == [
        "movement.crew",
        "movement.restraint",
    ]
    check = {"movement": record, "awake": False, "condition": "steady", "note": None}
    told_ = made(escort, "movement.check", "record", check)
    assert row(small, told_)["marks"] == [{"code": "escort.asleep", "rule": "H09"}]
    later(small, 7, escort)
    assert applied(go(escort, "return", record, BACK | {"searched": False})) == ["movement.late", "movement.unsearched"]
    assert why(go(desk, "cancel", record, {"reason": "x"}))[:2] == ("rejected", "record.state")
    events = [(event.name, event.person, dict(event.facts)) for event in raised(small, record, told_)]
    of = small.ids["p1"], {"sort": "court"}
    assert events == [("movement.left", *of), ("movement.returned", *of), ("movement.checked_in", *of)]


def raised(world: World, *records: str) -> list[Any]:
    """The events that the versions of records raise, in their order."""
    found = []
    for record in records:
        before = None
        last = store.one(world, tables.records, id=record)
        bodies = [each.body for each in store.rows(world, tables.versions, id=record)] + [last.body]
        for after in map(version_of, bodies):
            found += kinds()[last.kind].events(before, after)
            before = after
    return found


def test_every_decision_raises_its_event_once(small: World) -> None:
    desk, lead, director = at(small, "INT"), at(small, "LEAD"), at(small, "DIR")
    record = asked(desk, small)
    desk.push()
    reason = {"delegation": None, "reason": "x"}
    step(lead, "return", record, reason)
    fields = {name: row(small, record)["doc"][name] for name in
              ("what", "officers", "since", "until", "expires_at", "countersigners")}  # fmt: skip
    step(desk, "resubmit", record, fields | {"answer": "已补"})
    step(lead, "approve", record, APPROVED)
    step(lead, "pass_on", record, reason | {"officer": small.ids["DIR"]})
    step(director, "refuse", record, reason)
    found = [(event.name, event.facts["asks"]) for event in raised(small, record)]
    assert found == [
        ("approval.requested", "DIR LEAD"), ("approval.returned", "DIR LEAD"), ("approval.requested", "DIR LEAD"),
        ("approval.passed_on", "DIR"), ("approval.refused", "DIR"),
    ]  # fmt: skip
