"""Handovers: signed by both, on one handheld or by a code, with or without signal; what comes late reopens them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.kernel.clock import from_text, to_text
from backend.records.handovers.kind import digest_of
from backend.storage import tables
from headless.chain import uuid7
from headless.patrol import BY_SESSION
from sync.writing.local import Act
from tests.api.test_board import got
from tests.contract.test_duties import issue
from tests.support import store
from tests.support.alarms import report
from tests.support.caller import Caller, is_problem
from tests.support.hand import Hand
from tests.support.world import FACILITY, SECRET, World

HOUR, MINUTE = 3_600_000, 60_000
EVENING = "2026-11-22T12:00:00.000Z"
"""Eight in the evening in Beijing: the night shift begins."""


def fields(world: World, **other: Any) -> dict[str, Any]:
    now = world.clock.now()
    return {
        "sort": "shift", "place": world.ids["W"], "since": to_text(now - 12 * HOUR), "until": to_text(now),
        "incoming": None, "duties": [], "risks": [{"person": world.ids["p1"], "words": "情绪低落"}],
        "sick": [], "counts": [{"place": world.ids["C1"], "counted": 2}], "rollcall": None, "words": None,
    } | other  # fmt: skip


def signed(world: World, first: Hand, second: Hand | None, **other: Any) -> tuple[str, dict[str, Any]]:
    """Both sign on the terminal of the first; the handover and the outcome."""
    record = uuid7()
    signoff = dict(BY_SESSION)
    if second is not None:
        signoff["second"] = {"officer": second.officer, "session": second.session, "method": "session"}
    first.write("handover", "sign", record, fields(world, **other), signoff=signoff)
    (outcome,) = first.told(first.n, first.n)
    return record, outcome


def beside(h: Hand, name: str) -> Hand:
    """Another officer who signs in at the same terminal; who was there stays."""
    body = {"number": name, "secret": SECRET}
    answer = h.wire.ask(h.key, "POST", "/v1/sessions", body)
    other = Hand.__new__(Hand)
    other.officer, other.session = answer["officer"]["id"], answer["session"]
    return other


def late_report(world: World, at: int) -> str:
    """A report of ward W that was seen at a moment, and comes now."""
    h = Hand(world).signed_in("PAT")
    h.changes = {"observed_at": to_text(at), "recorded_at": to_text(at)}
    return report(world, h)


def stands(world: World, record: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(store.one(world, tables.records, id=record).body)
    return found


def steps(world: World, record: str) -> list[str]:
    return [each["step"] for each in stands(world, record)["doc"]["steps"]]


def test_both_sign_on_one_handheld(both: World) -> None:
    h = Hand(both)
    incoming = beside(h, "PAT")
    record, outcome = signed(both, h.signed_in("DISC"), incoming)
    assert (outcome["status"], outcome["marks"]) == ("applied", [])
    doc = stands(both, record)["doc"]
    assert (doc["state"], doc["outgoing"], doc["incoming"]) == ("signed", both.ids["DISC"], both.ids["PAT"])
    assert [(each["step"], each["by"]) for each in doc["steps"]] == [
        ("offered", both.ids["DISC"]), ("signed", both.ids["PAT"]),
    ]  # fmt: skip


def test_a_second_who_cannot_be_verified_or_was_not_named_has_not_signed(both: World) -> None:
    h = Hand(both)
    elsewhere = Hand(both).signed_in("PAT")
    record, outcome = signed(both, h.signed_in("DISC"), elsewhere)
    assert [mark["code"] for mark in outcome["marks"]] == ["signoff.second"]
    assert stands(both, record)["doc"]["state"] == "offered"
    record, _ = signed(both, h, beside(h, "PAT"), incoming=both.ids["LEAD"])
    assert stands(both, record)["doc"]["state"] == "offered"


def test_by_code_and_without_signal_the_second_signs_what_the_first_has_signed(both: World) -> None:
    """Neither has signal; the code holds the record, the operation and the digest. The second comes to the server first."""
    out, in_ = both.terminal("DISC"), both.terminal("PAT")
    record, said = uuid7(), fields(both)
    op = out.capture("handover", "sign", record, said, signoff=BY_SESSION)
    code = {"digest": digest_of(said)}
    in_.capture("handover", "receive", record, code, base=1, after=[op], signoff=BY_SESSION)
    (held,) = in_.push()
    assert held["status"] == "held"
    both.clock.advance(3 * HOUR)
    (done,) = out.push()
    assert (done["status"], done["marks"]) == ("applied", [])
    doc = stands(both, record)["doc"]
    assert (doc["state"], doc["incoming"]) == ("signed", both.ids["PAT"])
    out.pull()
    (row,) = out.rows("handover")
    assert row["doc"] == doc


@pytest.mark.parametrize("who", ["DISC", "MED"])
def test_nobody_takes_over_from_himself_or_for_another(small: World, who: str) -> None:
    h = Hand(small).signed_in("DISC")
    record, _ = signed(small, h, None, incoming=small.ids["PAT"])
    code = {"digest": stands(small, record)["doc"]["digest"]}
    other = Hand(small).signed_in(who)
    other.write("handover", "receive", record, code, base=1, signoff=BY_SESSION)
    (outcome,) = other.told(1, 1)
    assert (outcome["status"], outcome["problem"]["code"]) == ("rejected", "officer.unauthorised")


def test_what_was_not_signed_by_the_first_is_not_signed_by_the_second(small: World) -> None:
    h = Hand(small).signed_in("DISC")
    record, _ = signed(small, h, None)
    other = Hand(small).signed_in("PAT")
    code = {"digest": digest_of(fields(small, words="另有交代"))}
    other.write("handover", "receive", record, code, base=1, signoff=BY_SESSION)
    (outcome,) = other.told(1, 1)
    assert (outcome["status"], outcome["problem"]["field"]) == ("rejected", "fields.digest")
    assert stands(small, record)["state"] == "offered"


def test_what_comes_late_reopens_it_once_until_it_is_looked_at(both: World) -> None:
    """A patrol's terminal was away; its stops of the night come after both have signed in the morning."""
    clockwork = both.services.clockwork
    clockwork.tick(FACILITY)
    away = both.terminal("PAT")
    away.sign_in("PAT", SECRET)
    h = Hand(both)
    incoming = beside(h, "PAT")
    night = both.clock.now()
    both.clock.advance(HOUR)
    record, _ = signed(both, h.signed_in("DISC"), incoming)
    elsewhere, _ = signed(both, h, incoming, place=None)
    both.clock.advance(1000)
    clockwork.tick(FACILITY)
    assert steps(both, record) == ["offered", "signed"]
    for hour in (-2, -1):
        late_report(both, night + hour * HOUR)
        both.clock.advance(1000)
        clockwork.tick(FACILITY)
    assert steps(both, record) == ["offered", "signed", "reopened"]
    assert steps(both, elsewhere) == ["offered", "signed", "reopened"]
    leader = Hand(both).signed_in("LEAD")
    leader.write("handover", "review", record, {"words": "已核对"}, base=3)
    assert leader.told(1, 1)[0]["status"] == "applied"
    clockwork.tick(FACILITY)
    late_report(both, night)
    clockwork.tick(FACILITY)
    assert steps(both, record) == ["offered", "signed", "reopened", "reviewed", "reopened"]
    fresh = store.one(both, tables.records, id=record).version
    report(both, Hand(both).signed_in("PAT"))
    clockwork.tick(FACILITY)
    assert store.one(both, tables.records, id=record).version == fresh


def test_the_draft_says_what_the_register_and_the_reports_say(small: World) -> None:
    leader = Hand(small).signed_in("LEAD")
    duty = issue(leader, posts=["DISC"])
    elsewhere = issue(leader, posts=["DISC"], person=small.ids["p4"])
    small.desk("INT", Act("person", "change", small.ids["p2"], {"risk": "grade1"}, base=1))
    report(small, Hand(small).signed_in("DISC"), person=small.ids["p3"], category="illness")
    draft = got(Caller.of(small, "DISC"), "/v1/handover/draft", place=small.ids["W"])
    assert [each["duty"] for each in draft["duties"]] == [duty]
    assert [(each["person"], each["risk"]) for each in draft["risks"]] == [(small.ids["p2"], "grade1")]
    assert [(each["person"], each["categories"]) for each in draft["sick"]] == [(small.ids["p3"], ["illness"])]
    assert {each["place"]: each["expected"] for each in draft["counts"]} == {small.ids["C1"]: 2, small.ids["C2"]: 1}
    whole = got(Caller.of(small, "LEAD"), "/v1/handover/draft")
    assert {each["duty"] for each in whole["duties"]} == {duty, elsewhere}
    assert len(whole["counts"]) == 3
    other = Caller.of(small, "DISC").ask("GET", "/v1/handover/draft", query_string={"place": small.ids["V"]})
    assert is_problem(other) == "partition.forbidden"


def test_what_happened_since_an_officer_was_last_here_is_on_one_page(both: World) -> None:
    terminal = both.terminal("DISC")
    terminal.pull()
    both.services.sightings.flush()
    both.clock.advance(HOUR)
    last = both.clock.now()
    both.clock.advance(HOUR)
    leader = Hand(both).signed_in("LEAD")
    duty = issue(leader, posts=["DISC"])
    reported = report(both, Hand(both).signed_in("PAT"), person=both.ids["p1"])
    both.desk("INT", Act("person", "change", both.ids["p2"], {"cell": both.ids["C2"]}, base=1))
    h = Hand(both)
    handover, _ = signed(both, h.signed_in("DISC"), beside(h, "PAT"))
    page = got(Caller.of(both, "DISC"), "/v1/since", since=to_text(last))
    assert [each["duty"] for each in page["open"]] == [duty]
    assert [each["handover"] for each in page["handovers"]] == [handover]
    assert page["persons"] == {"came": 0, "left": 0, "changed": 1}
    assert {each["record"] for each in page["changes"]} == {reported, both.ids["p2"], handover}
    assert page["kinds"] == {"duty": 1, "dynamic_info": 1, "handover": 1, "person": 1}
    both.clock.advance(1000)
    assert got(Caller.of(both, "DISC"), "/v1/since", since=to_text(both.clock.now()))["changes"] == []
    wrong = Caller.of(both, "DISC").ask("GET", "/v1/since", query_string={"since": "2026-02-30T00:00:00.000Z"})
    assert is_problem(wrong) == "request.invalid"


def test_each_change_of_shift_asks_for_a_handover_which_both_signatures_do(both: World) -> None:
    """Rule P09 through the engine: the duty is issued ahead, and fulfilled by the record, at its own time."""
    both.services.clockwork.tick(FACILITY)
    evening = [row for row in of_rule(both, "P09") if row["doc"]["opens_at"] == EVENING]
    assert {row["doc"]["place"] for row in evening} == {both.ids["W"], both.ids["V"]}
    duty = next(row for row in evening if row["doc"]["place"] == both.ids["W"])
    assert duty["state"] == "issued"
    both.clock.advance(from_text(EVENING) + 10 * MINUTE - both.clock.now())
    h = Hand(both)
    record, _ = signed(both, h.signed_in("DISC"), beside(h, "PAT"))
    at = to_text(both.clock.now())
    both.clock.advance(HOUR)
    both.services.clockwork.tick(FACILITY)
    done = next(row for row in of_rule(both, "P09") if row["id"] == duty["id"])
    last = done["doc"]["steps"][-1]
    assert (done["state"], last["step"], last["record"], last["at"]) == ("completed", "completed", record, at)
    assert done["marks"] == []


def of_rule(world: World, rule: str) -> list[dict[str, Any]]:
    rows = [orjson.loads(row.body) for row in store.rows(world, tables.records, kind="duty")]
    return [row for row in rows if row["doc"]["rule"] == rule]
