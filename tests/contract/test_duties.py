"""Duties: asked, seen, handed on, done, missed; every step stays."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.duty.engine.family import Act
from backend.kernel.clock import to_text
from backend.kernel.events import Event, Version
from backend.records.registry import kinds
from backend.storage import tables
from headless.chain import uuid7
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import FACILITY, World

HOUR = 3_600_000


def issue(h: Hand, **other: Any) -> str:
    """Sends a duty of the cell officers about p1, due in an hour; its record."""
    now = h.world.clock.now()
    fields = {
        "rule": "T03", "directive": None, "source": None, "cause": None, "posts": ["DISC"], "officer": None,
        "person": h.world.ids["p1"], "place": None, "opens_at": to_text(now), "due_at": to_text(now + HOUR),
        "asks": None, "loud": False, "warn_at": None, "chain": [],
    } | other  # fmt: skip
    record = uuid7()
    h.write("duty", "issue", record, fields)
    (outcome,) = h.told(h.n, h.n)
    assert outcome["status"] == "applied", outcome
    return record


def step(h: Hand, record: str, verb: str, fields: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
    """Sends one more step of a duty by one who sees it as it is; its outcome."""
    kept = store.one(h.world, tables.records, id=record)
    seen = shown(h.world, record, verb)
    h.write("duty", verb, record, fields or {}, **{"base": kept.version, **({"seen": seen} if seen else {})} | other)
    (outcome,) = h.told(h.n, h.n)
    return outcome


def shown(world: World, record: str, verb: str) -> dict[str, Any]:
    """What one who looks at a duty as it is sees of what a verb rests on."""
    doc = orjson.loads(store.one(world, tables.records, id=record).body)["doc"]
    return {name: doc[name] for name in kinds()["duty"].verbs[verb].watches}


def served(world: World, record: str, verb: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the server does with a duty by itself; the outcome."""
    act = Act("duty", verb, record, fields or {}, world.clock.now())
    (outcome,) = world.services.desk.serve(FACILITY, [act])
    assert outcome is not None
    return outcome


def steps(world: World, record: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(store.one(world, tables.records, id=record).body)["doc"]["steps"]
    return found


def codes(outcome: dict[str, Any], status: str = "applied") -> list[str]:
    """The marks of an operation that took effect; ``merged``: on a record that had moved on."""
    assert outcome["status"] == status, outcome
    return [mark["code"] for mark in outcome["marks"]]


DONE = {"result": "已谈话", "record": None}


@pytest.fixture
def leader(both: World) -> Hand:
    return Hand(both).signed_in("LEAD")


def test_what_was_missed_and_then_done_shows_both_and_why(both: World, leader: Hand) -> None:
    record = issue(leader)
    early = step(leader, record, "miss")
    assert (early["status"], early["problem"]["field"]) == ("rejected", "observed_at")
    both.clock.advance(HOUR + 1)
    assert codes(step(leader, record, "miss")) == []
    h = Hand(both).signed_in("DISC")
    done = step(h, record, "complete", DONE)
    assert done["marks"] == [{"code": "duty.late", "rule": "Y04"}]
    assert codes(step(leader, record, "explain", {"why": "court", "note": None})) == []
    assert [each["step"] for each in steps(both, record)] == ["issued", "missed", "completed", "explained"]
    assert [each["by"] for each in steps(both, record)] == [both.ids[name] for name in ("LEAD", "LEAD", "DISC", "LEAD")]
    assert store.one(both, tables.records, id=record).state == "completed"


def test_who_is_asked_acknowledges_and_whoever_did_it_completes(both: World, leader: Hand) -> None:
    named = issue(leader, officer=both.ids["DISC"], posts=["DISC", "PAT"])
    patrol, cell_officer = Hand(both).signed_in("PAT"), Hand(both).signed_in("DISC")
    refused = step(patrol, named, "acknowledge")
    assert (refused["status"], refused["problem"]["code"]) == ("rejected", "officer.unauthorised")
    assert codes(step(cell_officer, named, "acknowledge")) == []
    assert codes(step(patrol, named, "complete", DONE)) == ["duty.by_another"]
    assert codes(step(Hand(both).signed_in("AUX"), issue(leader), "complete", DONE)) == [
        "duty.by_another",
        "auxiliary.alone",
    ]


def test_what_is_done_before_its_window_is_marked(both: World, leader: Hand) -> None:
    now = both.clock.now()
    record = issue(leader, opens_at=to_text(now + 1))
    assert codes(step(Hand(both).signed_in("DISC"), record, "complete", DONE)) == ["duty.early"]


def test_who_is_asked_hands_it_on_to_another(both: World, leader: Hand) -> None:
    record = issue(leader)
    h = Hand(both).signed_in("DISC")
    to = {"posts": ["PAT"], "officer": both.ids["PAT"], "reason": "外出押解"}
    assert codes(step(h, record, "delegate", to)) == []
    again = step(h, record, "delegate", to)
    assert again["problem"]["code"] == "officer.unauthorised"
    patrol = Hand(both).signed_in("PAT")
    assert codes(step(patrol, record, "acknowledge")) == []
    assert codes(step(patrol, record, "complete", DONE)) == []
    assert steps(both, record)[1] == steps(both, record)[1] | {"step": "delegated", "by": both.ids["DISC"], **to}


@pytest.mark.parametrize("verb", ["acknowledge", "snooze", "miss", "delegate", "cancel", "explain"])
def test_what_is_called_off_stays_so(both: World, leader: Hand, verb: str) -> None:
    record = issue(leader, posts=["LEAD"])
    assert codes(step(leader, record, "cancel", {"reason": "已出所"})) == []
    both.clock.advance(HOUR + 1)
    fields = {
        "snooze": {"until": to_text(both.clock.now())},
        "delegate": {"posts": ["PAT"], "officer": None, "reason": "x"},
        "cancel": {"reason": "x"},
        "explain": {"why": "court", "note": None},
    }
    outcome = step(leader, record, verb, fields.get(verb))
    assert (outcome["status"], outcome["problem"]["code"]) == ("rejected", "record.state")
    assert outcome["problem"]["detail"] == {"state": "cancelled"}


def test_an_edit_that_was_made_apart_is_disputed_even_if_the_state_is_the_same(both: World, leader: Hand) -> None:
    """A decision never merges: between an officer's word and its receipt the duty was handed on."""
    record = issue(leader, posts=["DISC", "LEAD"])
    to = {"posts": ["DISC"], "officer": both.ids["DISC"], "reason": "轮休"}
    assert codes(step(leader, record, "delegate", to)) == []
    assert store.one(both, tables.records, id=record).state == "issued"
    other = Hand(both).signed_in("LEAD")
    seen = {"state": "issued", "posts": ["DISC", "LEAD"], "officer": None}
    outcome = step(other, record, "cancel", {"reason": "已出所"}, base=1, seen=seen)
    assert (outcome["status"], outcome["problem"]["code"]) == ("conflict", "record.conflict")


def test_the_record_of_it_is_named(both: World, leader: Hand) -> None:
    h = Hand(both).signed_in("PAT")
    round_, _ = h.open()
    h.told(h.n, h.n)
    record = issue(leader, posts=["PAT"])
    assert codes(step(h, record, "complete", {"result": "已巡视", "record": round_})) == []
    assert steps(both, record)[-1]["record"] == round_


def test_what_the_server_noted_meanwhile_disputes_nothing_that_was_done(both: World, leader: Hand) -> None:
    """An officer off line does it in time; the server has told others, called it unconfirmed and then missed it."""
    record = issue(leader, posts=["DISC"])
    h = Hand(both).signed_in("DISC")
    to = {"terminal": h.terminal, "officer": h.officer}
    in_time = to_text(both.clock.now() + HOUR // 2)
    assert codes(served(both, record, "deliver", to)) == []
    both.clock.advance(HOUR + 1)
    assert codes(served(both, record, "unconfirm")) == []
    assert codes(served(both, record, "escalate", {"posts": ["DIR"], "level": 1})) == []
    assert codes(served(both, record, "miss")) == []
    times = {"observed_at": in_time, "recorded_at": in_time}
    assert codes(step(h, record, "acknowledge", base=1, **times), "merged") == []
    assert codes(step(h, record, "complete", DONE, base=1, **times), "merged") == []
    doc = orjson.loads(store.one(both, tables.records, id=record).body)["doc"]
    assert [each["step"] for each in doc["steps"]] == [
        "issued", "delivered", "unconfirmed", "escalated", "missed", "acknowledged", "completed",
    ]  # fmt: skip
    assert (doc["state"], doc["level"], doc["raised"]) == ("completed", 1, ["DIR"])
    assert {each["step"]: each["at"] for each in doc["steps"]}["completed"] == in_time


def test_who_was_told_when_nobody_answered_may_answer(both: World, leader: Hand) -> None:
    record = issue(leader, posts=["DISC"])
    h = Hand(both).signed_in("PAT")
    assert step(h, record, "acknowledge")["problem"]["code"] == "officer.unauthorised"
    assert codes(served(both, record, "escalate", {"posts": ["PAT"], "level": 1})) == []
    assert codes(served(both, record, "escalate", {"posts": ["DIR", "PAT"], "level": 1})) == []
    doc = orjson.loads(store.one(both, tables.records, id=record).body)["doc"]
    assert (doc["raised"], doc["level"]) == (["DIR", "PAT"], 1)
    assert codes(step(h, record, "acknowledge")) == []
    assert codes(step(h, record, "complete", DONE)) == []


def test_an_event_fulfils_it_at_its_own_moment(both: World, leader: Hand) -> None:
    record = issue(leader)
    both.clock.advance(HOUR + 1)
    late = served(both, record, "fulfil", {"record": both.ids["p1"]})
    assert late["marks"] == [{"code": "duty.late", "rule": "Y04"}]
    assert served(both, record, "fulfil", {"record": both.ids["p1"]})["problem"]["code"] == "record.state"
    unknown = served(both, issue(leader), "fulfil", {"record": uuid7()})
    assert unknown["status"] == "held"


def test_two_who_did_it_and_one_who_had_not_heard_that_it_was_called_off_are_all_recorded(
    both: World, leader: Hand
) -> None:
    done, cancelled = issue(leader, posts=["PAT", "DISC"]), issue(leader, posts=["PAT", "DISC"])
    first, second = Hand(both).signed_in("PAT"), Hand(both).signed_in("DISC")
    assert codes(step(first, done, "complete", DONE, base=1)) == []
    assert codes(step(second, done, "complete", DONE, base=1), "merged") == ["duty.again"]
    assert [each["by"] for each in steps(both, done)[1:]] == [first.officer, second.officer]
    assert codes(step(leader, cancelled, "cancel", {"reason": "已出所"})) == []
    assert codes(step(first, cancelled, "complete", DONE, base=1), "merged") == ["duty.called_off"]
    assert store.one(both, tables.records, id=cancelled).state == "cancelled"


def test_it_lies_with_the_facility_where_it_is_about_nobody_and_nothing(both: World, leader: Hand) -> None:
    record = issue(leader, posts=["LEAD"], person=None)
    assert store.one(both, tables.records, id=record).partition == f"facility/{FACILITY}/base"
    assert codes(step(leader, record, "complete", DONE)) == []


def test_one_that_rings_goes_to_open_streams_when_it_opens_and_at_each_rung(both: World, leader: Hand) -> None:
    heard: list[str] = []
    both.services.herald.listen(lambda news: heard.extend(orjson.loads(body)["id"] for _, body in news.alarms))
    soon, now = to_text(both.clock.now() + HOUR // 2), to_text(both.clock.now())
    loud, quiet, later = issue(leader, loud=True), issue(leader), issue(leader, loud=True, opens_at=soon)
    assert heard == [loud]
    assert codes(served(both, later, "remind")) == []
    assert codes(served(both, quiet, "remind")) == []
    assert codes(served(both, loud, "escalate", {"posts": ["DIR"], "level": 1})) == []
    assert heard == [loud, later, loud] and now < soon


def test_what_the_server_does_no_officer_does_and_no_form_is_shown_of_it(both: World, leader: Hand) -> None:
    told = {verb for verb, of in kinds()["duty"].verbs.items() if of.served}
    assert told == {"deliver", "remind", "escalate", "unconfirm", "fulfil"}
    record = issue(leader)
    both.clock.advance(HOUR)
    said: dict[str, dict[str, Any]] = {
        "deliver": {"terminal": leader.terminal, "officer": leader.officer},
        "escalate": {"posts": ["DIR"], "level": 1},
        "fulfil": {"record": both.ids["p1"]},
    }
    refused = [step(leader, record, verb, said.get(verb))["problem"]["code"] for verb in sorted(told)]
    assert refused == ["officer.unauthorised"] * len(told)


def test_a_miss_is_an_event_and_so_is_its_reason_but_not_of_the_rule_that_asks_for_reasons() -> None:
    doc: dict[str, Any] = {"rule": "P01", "person": None, "place": "W", "steps": [{"step": "issued"}]}
    missed = doc | {"steps": [*doc["steps"], {"step": "missed"}]}
    why = missed | {"steps": [*missed["steps"], {"step": "explained"}]}
    first, second, third = (version(each) for each in (doc, missed, why))

    def find(before: Version | None, after: Version) -> list[Event]:
        return list(kinds()["duty"].events(before, after))

    assert [event.name for event in find(None, first)] == []
    assert [(event.name, event.facts, event.place) for event in find(first, second)] == [
        ("duty.missed", {"rule": "P01"}, "W")
    ]
    assert [event.name for event in find(second, third)] == ["duty.explained"]
    assert find(version(doc | {"rule": "Y07"}), version(missed | {"rule": "Y07"})) == []


def version(doc: dict[str, Any]) -> Version:
    return Version("r", "duty", 1, 1, "place/W/base", "issued", "o", "t", "op", 0, 0, (), doc)
