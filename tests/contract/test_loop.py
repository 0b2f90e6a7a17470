"""The closed loop through the public door: what was reported becomes the duties of several posts on their handhelds, the
nearest officer is asked first, and a count that does not match opens an incident."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.domain.calendars import MINUTE_MS
from backend.domain.rules.model import Pack
from backend.duty.clockwork import Clockwork, Sources
from backend.duty.companions import companions
from backend.identity import system
from backend.kernel.clock import from_text, to_text
from backend.storage import tables
from headless.chain import uuid7
from headless.patrol import BY_SESSION
from headless.terminal import Terminal
from tests.support import store
from tests.support.hand import Hand
from tests.support.world import FACILITY, World


class Empty:
    """A pack without a rule: what is asked for then comes of the companions alone."""

    def in_force(self, *_where: Any) -> Pack:
        return Pack("test", "1", {}, None, "digest")


@pytest.fixture
def works(both: World) -> Clockwork:
    """The engine at work, as another process would have it."""
    here, packs = both.services, Empty()
    sources = Sources(packs, here.rosters, here.contacts, b"k" * 32, companions())  # type: ignore[arg-type]
    made = Clockwork(here.door, sources, here.desk.serve)
    made.tick(FACILITY)
    return made


def held(terminal: Terminal, record: str) -> dict[str, dict[str, Any]]:
    """The duties that a terminal is given because of a record, by step and whom they name."""
    terminal.pull()
    found = [row["doc"] for row in terminal.rows("duty") if row["doc"]["cause"] == record]
    return {f"{doc['rule']}/{'+'.join(doc['posts'])}": doc for doc in found}


def fight(world: World, terminal: Terminal, **other: Any) -> str:
    """Captures an urgent report of a fight in C1; its record."""
    record = uuid7()
    fields = {
        "category": "dispute", "severity": "urgent", "person": world.ids["p1"], "place": world.ids["C1"],
        "involved": [world.ids["p2"]], "text": "打架",
    }  # fmt: skip
    terminal.capture("dynamic_info", "report", record, fields | other)
    return record


def does(terminal: Terminal, verb: str, record: str, fields: dict[str, Any], **seen: Any) -> None:
    terminal.edit("dynamic_info", verb, record, fields, seen=seen)


def pushed(*terminals: Terminal) -> None:
    outcomes = [outcome for each in terminals for outcome in each.push()]
    assert outcomes and {outcome["status"] for outcome in outcomes} <= {"applied", "merged"}, outcomes


def test_what_was_reported_becomes_the_duties_of_several_posts_until_it_is_closed(
    both: World, works: Clockwork
) -> None:
    walker = Hand(both).signed_in("PAT")
    round_, _ = walker.open()
    walker.visit(round_, "C1")
    walker.told()
    aux, patrol, medic, leader, other = (both.terminal(name) for name in ("AUX", "PAT", "MED", "LEAD", "PAT2"))
    record = fight(both, aux)  # without signal for ten minutes
    both.clock.advance(10 * MINUTE_MS)
    pushed(aux)
    works.tick(FACILITY)
    reached = both.clock.now()
    mine = held(patrol, record)
    assert set(mine) == {
        "loop.first/PAT+DISC", "loop.handle/PAT+DISC", "loop.deploy/LEAD", "loop.task/DISC", "loop.task/MED",
    }  # fmt: skip
    first = mine["loop.first/PAT+DISC"]
    assert (first["officer"], first["loud"]) == (both.ids["PAT"], True)
    assert [from_text(first[name]) - reached for name in ("opens_at", "due_at")] == [0, MINUTE_MS]
    assert set(held(medic, record)) == set(held(leader, record)) == set(mine)
    assert held(other, record) == {}
    for each in (patrol, leader):
        each.learn_kinds()
    does(leader, "deploy", record, {"officers": [], "posts": ["MED"], "instruction": "验伤", "until": None})
    for verb in ("acknowledge", "arrive"):
        does(patrol, verb, record, {})
    does(patrol, "handle", record, {"disposal": "已隔开"})
    both.clock.advance(30_000)
    pushed(leader, patrol)
    works.tick(FACILITY)
    now = held(patrol, record)
    assert {key: doc["state"] for key, doc in now.items()} == {
        "loop.first/PAT+DISC": "completed", "loop.handle/PAT+DISC": "completed", "loop.deploy/LEAD": "completed",
        "loop.sent/MED": "issued", "loop.task/DISC": "issued", "loop.task/MED": "issued",
        "loop.answer/PAT+DISC": "issued",
    }  # fmt: skip
    assert now["loop.answer/PAT+DISC"]["officer"] == both.ids["PAT"]
    does(patrol, "answer", record, {"answer": "双方无伤"})
    pushed(patrol)
    works.tick(FACILITY)
    assert held(leader, record)["loop.close/LEAD"]["state"] == "issued"
    does(leader, "close", record, {"conclusion": "已批评教育"})
    pushed(leader)
    works.tick(FACILITY)
    done = held(leader, record)
    assert {key for key, doc in done.items() if doc["state"] == "issued"} == {"loop.task/DISC", "loop.task/MED"}
    assert store.one(both, tables.records, id=record).state == "closed"
    store.verified(both)


def test_a_step_that_nobody_takes_climbs_and_the_next_nearest_is_asked(both: World, works: Clockwork) -> None:
    reporter = both.terminal("INT")
    fight(both, reporter, category="climbing", person=None, place=both.ids["C2"], involved=[])
    pushed(reporter)
    for _ in range(40):
        works.tick(FACILITY)
        both.clock.advance(MINUTE_MS)
    duties = [orjson.loads(row.body)["doc"] for row in store.rows(both, tables.records, kind="duty")]
    asked = [
        doc["officer"] for doc in sorted(duties, key=lambda doc: str(doc["due_at"])) if doc["rule"] == "loop.first"
    ]
    assert sorted(map(str, asked[:2])) == sorted([both.ids["PAT"], both.ids["DISC"]]) and asked[2:] == [None]
    (handle,) = [doc for doc in duties if doc["rule"] == "loop.handle"]
    climbed = [step["posts"] for step in handle["steps"] if step["step"] == "escalated"]
    assert climbed == [["LEAD"], ["DIR"]]
    assert not store.rows(both, tables.records, kind="incident")


def counted(h: Hand, here: int, of: str | None = None) -> str:
    """A roll call of the cells C1 and C2, which hold three."""
    record, ids = uuid7(), h.world.ids
    cells = [{"cell": ids["C1"], "counted": here - 1}, {"cell": ids["C2"], "counted": 1}]
    sort = "recount" if of else "morning"
    fields = {"sort": sort, "place": ids["W"], "of": of, "cells": cells, "out": [], "note": None}
    h.write("headcount", "record", record, fields, signoff=BY_SESSION)
    (outcome,) = h.told(h.n, h.n)
    assert outcome["status"] == "applied", outcome
    return record


def test_a_count_that_does_not_match_opens_an_incident_that_recounts_stand_in(both: World, works: Clockwork) -> None:
    h = Hand(both).signed_in("PAT")
    first = counted(h, 2)
    works.tick(FACILITY)
    both.clock.advance(5 * MINUTE_MS)
    counted(h, 2, first)
    both.clock.advance(5 * MINUTE_MS)
    counted(h, 3, first)
    works.tick(FACILITY)
    works.tick(FACILITY)
    (row,) = store.rows(both, tables.records, kind="incident")
    said = orjson.loads(row.body)
    doc = said["doc"]
    with both.services.store.reading():
        server = system.ensure(both.services.door, FACILITY).officer
    assert (said["author"]["officer"], doc["type"], doc["place"], doc["cause"]) == (
        server,
        "headcount",
        both.ids["W"],
        first,
    )
    assert [each["what"] for each in doc["timeline"]] == ["opened", "note", "note"]
    assert doc["timeline"][1]["text"].startswith("再次清点仍不符") and "应有3人，实有3人" in doc["timeline"][2]["text"]
    leader = both.terminal("LEAD")
    leader.learn_kinds()
    leader.pull()
    leader.edit("incident", "close", row.id, {"report": "错记一人", "undone": "无须封控"}, signoff=BY_SESSION)
    pushed(leader)
    both.clock.advance(MINUTE_MS)
    counted(h, 2)
    works.tick(FACILITY)
    assert len(store.rows(both, tables.records, kind="incident")) == 2
    assert (
        to_text(both.clock.now())
        == orjson.loads(store.rows(both, tables.records, kind="incident")[-1].body)["doc"]["opened"]["at"]
    )
    store.verified(both)
