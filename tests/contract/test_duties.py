"""Duties: asked, seen, handed on, done, missed; every step stays."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.kernel.clock import to_text
from backend.storage import tables
from headless.chain import uuid7
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import World

HOUR = 3_600_000


def issue(h: Hand, **other: Any) -> str:
    """Sends a duty of the cell officers about p1, due in an hour; its record."""
    now = h.world.clock.now()
    fields = {
        "rule": "T03", "directive": None, "source": None, "cause": None, "posts": ["DISC"], "officer": None,
        "person": h.world.ids["p1"], "place": None, "opens_at": to_text(now), "due_at": to_text(now + HOUR),
    } | other  # fmt: skip
    record = uuid7()
    h.write("duty", "issue", record, fields)
    (outcome,) = h.told(h.n, h.n)
    assert outcome["status"] == "applied", outcome
    return record


def step(h: Hand, record: str, verb: str, fields: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
    """Sends one more step of a duty by one who sees it as it is; its outcome."""
    kept = store.one(h.world, tables.records, id=record)
    h.write("duty", verb, record, fields or {}, **{"base": kept.version, "seen": {"state": kept.state}} | other)
    (outcome,) = h.told(h.n, h.n)
    return outcome


def steps(world: World, record: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(store.one(world, tables.records, id=record).body)["doc"]["steps"]
    return found


def codes(outcome: dict[str, Any]) -> list[str]:
    assert outcome["status"] == "applied", outcome
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


@pytest.mark.parametrize("verb", ["acknowledge", "complete", "miss", "delegate", "cancel", "explain"])
def test_what_is_called_off_stays_so(both: World, leader: Hand, verb: str) -> None:
    record = issue(leader, posts=["LEAD"])
    assert codes(step(leader, record, "cancel", {"reason": "已出所"})) == []
    both.clock.advance(HOUR + 1)
    fields = {
        "complete": DONE,
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
    outcome = step(other, record, "cancel", {"reason": "已出所"}, base=1, seen={"state": "issued"})
    assert (outcome["status"], outcome["problem"]["code"]) == ("conflict", "record.conflict")


def test_the_record_of_it_is_named(both: World, leader: Hand) -> None:
    h = Hand(both).signed_in("PAT")
    round_, _ = h.open()
    h.told(h.n, h.n)
    record = issue(leader, posts=["PAT"])
    assert codes(step(h, record, "complete", {"result": "已巡视", "record": round_})) == []
    assert steps(both, record)[-1]["record"] == round_
