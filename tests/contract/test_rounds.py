"""Counts, checks, the cell watch and the yard: what is remarkable about them, and what the rules of duty hear of them."""

from __future__ import annotations

from typing import Any

import pytest

from backend.kernel.clock import to_text
from backend.kernel.events import Event, version_of
from backend.records.registry import kinds
from backend.storage import tables
from headless.chain import uuid7
from headless.patrol import BY_SESSION
from headless.terminal import Terminal
from sync.writing.local import Act
from tests.support import store
from tests.support.world import FACILITY, World, looked, tag

MINUTE = 60_000


def events(world: World, record: str) -> list[Event]:
    """What the versions of a record raise, in their order."""
    kept = [*store.rows(world, tables.versions, id=record), store.one(world, tables.records, id=record)]
    told = [version_of(row.body) for row in kept]
    kind = kinds()[told[0].kind]
    pairs = zip([None, *told], told, strict=False)
    found = [event for before, after in pairs for event in kind.events(before, after)]
    assert {event.name for event in found} <= set(kind.raises)
    return found


def capture(terminal: Terminal, kind: str, verb: str, fields: dict[str, Any], record: str = "", **other: Any) -> str:
    record = record or uuid7()
    signed = BY_SESSION if kinds()[kind].verbs[verb].signoff else None
    terminal.capture(kind, verb, record, fields, signoff=signed, **other)
    return record


def marks(terminal: Terminal) -> list[list[tuple[str, str | None]]]:
    """Sends what was captured; the marks of each."""
    told = terminal.push()
    assert {each["status"] for each in told} == {"applied"}, told
    return [[(mark["code"], mark["rule"]) for mark in each["marks"]] for each in told]


def count(world: World, sort: str = "bedtime", of: str | None = None, **counted: int) -> dict[str, Any]:
    cells = [{"cell": world.ids[cell], "counted": number} for cell, number in counted.items()]
    return {"sort": sort, "place": world.ids["W"], "of": of, "cells": cells, "out": [], "note": None}


def out(world: World, name: str, **how: Any) -> dict[str, Any]:
    return {"person": world.ids[name], "reason": "court", "document": None, "movement": None} | how


def test_a_roll_call_that_does_not_match_is_counted_again_off_line_until_it_does(small: World) -> None:
    handheld = small.terminal("PAT")
    first = capture(handheld, "headcount", "record", count(small, C1=1, C2=1))
    small.clock.advance(8 * MINUTE)
    second = capture(handheld, "headcount", "record", count(small, "recount", first, C1=1, C2=1))
    small.clock.advance(5 * MINUTE)
    found = count(small, "recount", second, C1=1, C2=1) | {"out": [out(small, "p1", document="提字 9 号")]}
    third = capture(handheld, "headcount", "record", found)
    small.clock.advance(60 * MINUTE)
    assert marks(handheld) == [[("headcount.differs", "I06")], [("headcount.differs", "I06")], []]
    told = [[(each.name, each.place) for each in events(small, record)] for record in (first, second, third)]
    ward = small.ids["W"]
    short = [("rollcall.closed", ward), ("headcount.mismatch", ward)]
    assert told == [short, short, [("rollcall.closed", ward), ("headcount.solved", ward)]]
    closed, mismatch = events(small, first)
    assert closed.facts == {"sort": "bedtime", "matched": False, "whole": True, "counted": 2, "expected": 3}
    assert mismatch.facts == {"sort": "bedtime", "counted": 2, "expected": 3}


def test_who_is_out_with_nothing_to_show_for_it_is_not_found(small: World) -> None:
    handheld = small.terminal("PAT")
    for one in (out(small, "p1"), out(small, "p1", movement=small.ids["C1"]), out(small, "p4", document="1")):
        capture(handheld, "headcount", "record", count(small, C1=1, C2=1) | {"out": [one]})
    differs, unshown = ("headcount.differs", "I06"), ("out.undocumented", None)
    assert marks(handheld) == [[unshown, differs], [unshown, differs], [("out.elsewhere", None), differs]]


def test_a_roll_call_is_of_all_cells_of_its_ward(small: World) -> None:
    handheld = small.terminal("PAT")
    first = capture(handheld, "headcount", "record", count(small, C1=2))
    capture(handheld, "headcount", "record", count(small, "extra", C2=1))
    assert marks(handheld) == [[("count.partial", None)], []]
    (closed,) = events(small, first)
    assert closed.facts["matched"] is True and closed.facts["whole"] is False


def test_a_movement_that_has_not_come_yet_is_believed(small: World) -> None:
    handheld = small.terminal("PAT")
    said = count(small, C1=1, C2=1) | {"out": [out(small, "p1", reason="hospital", movement=uuid7())]}
    capture(handheld, "headcount", "record", said)
    assert marks(handheld) == [[]]


def test_a_count_is_held_against_the_register_of_its_moment(small: World) -> None:
    handheld = small.terminal("PAT")
    capture(handheld, "headcount", "record", count(small, C1=2, C2=1))
    small.clock.advance(MINUTE)
    small.desk("INT", Act("person", "change", small.ids["p1"], {"cell": small.ids["D1"]}, base=1))
    assert marks(handheld) == [[]]


def test_a_look_by_video_is_no_stop_on_a_round(small: World) -> None:
    handheld = small.terminal("PAT")
    now = to_text(small.clock.now())
    said = {
        "place": small.ids["C1"], "sort": "live", "camera": None, "began_at": now, "ended_at": now, "headcount": 1,
        "observation": "calm", "note": None,
    }  # fmt: skip
    video = capture(handheld, "patrol.video", "record", said)
    round_ = capture(handheld, "patrol.round", "open", {"area": small.ids["W"], "companions": []})
    stop = {"round": round_, "place": small.ids["C1"], "tag": tag("C1"), "cell": looked(2), "note": None}
    visit = capture(handheld, "patrol.visit", "record", stop)
    assert marks(handheld) == [[("headcount.differs", None)], [], []]
    assert [each.name for each in events(small, video)] == ["video.patrolled"]
    (seen,) = events(small, visit)
    assert (seen.name, seen.place, seen.facts) == (
        "patrol.visited",
        small.ids["C1"],
        {"cell": True, "headcount": 2, "words": None},
    )
    raising = [name for name, kind in kinds().items() if "patrol.visited" in kind.raises]
    assert raising == ["patrol.visit"]


def test_a_round_says_when_it_began_and_ended_and_with_how_many(small: World) -> None:
    handheld = small.terminal("PAT")
    area = {"area": small.ids["W"], "companions": [small.ids["AUX"]]}
    round_ = capture(handheld, "patrol.round", "open", area)
    capture(handheld, "patrol.round", "close", {"result": "completed", "reason": None, "visits": 0}, round_, base=1)
    assert marks(handheld) == [[], []]
    opened, closed = events(small, round_)
    assert (opened.name, opened.place, opened.facts) == ("patrol.opened", small.ids["W"], {"officers": 2})
    assert (closed.name, closed.facts) == ("patrol.closed", {"result": "completed"})


def test_a_cell_check_says_what_was_found_and_who_was_not_looked_at(small: World) -> None:
    officer = small.terminal("DISC")
    now = small.clock.now()
    bruise = {"person": small.ids["p3"], "finding": "bruise", "note": None}
    rope = {"item": "rope", "count": 1, "person": None, "note": "藏于铺板下"}
    said = {
        "cell": small.ids["C1"], "half": "evening", "began_at": to_text(now - 10 * MINUTE), "ended_at": to_text(now),
        "companions": [], "persons": 1, "body": [bruise], "contraband": [rope], "damage": None, "note": None,
    }  # fmt: skip
    check = capture(officer, "cell_check", "record", said)
    found = [("check.partial", "P11"), ("person.elsewhere", None), ("injury.found", None), ("contraband.found", None)]
    assert marks(officer) == [found]
    (event,) = events(small, check)
    assert event.facts == {"half": "evening", "persons": 1, "injuries": 1, "contraband": 1}


def test_a_watch_of_one_is_recorded_and_marked_until_there_are_two(small: World) -> None:
    officer = small.terminal("DISC")
    now, cell = small.clock.now(), small.ids["C1"]
    times = {"since": to_text(now), "until": to_text(now + 8 * 60 * MINUTE)}
    alone = {**times, "persons": [small.ids["p1"]]}
    said = {"cell": cell, **times, "turns": [alone], "why": "routine", "note": None}
    roster = capture(officer, "cell_watch", "set", said)
    two = [{**alone, "persons": [small.ids["p1"], small.ids["p3"]]}]
    capture(officer, "cell_watch", "change", {"turns": two}, roster, base=1, seen={"turns": [alone]})
    assert marks(officer) == [[("watch.short", "P13")], [("person.elsewhere", None)]]
    names = [(each.name, dict(each.facts)) for each in events(small, roster)]
    assert names == [
        ("cell_watch.set", {"least": 1}), ("cell_watch.short", {"count": 1}), ("cell_watch.set", {"least": 2}),
        ("cell_watch.enough", {"count": 2}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("watching", "name"), [(0, "cell_watch.short"), (1, "cell_watch.short"), (2, "cell_watch.enough")]
)
def test_what_is_seen_of_a_watch_is_a_sample_and_says_whether_there_are_two(
    small: World, watching: int, name: str
) -> None:
    handheld = small.terminal("PAT")
    said = {
        "cell": small.ids["C1"], "means": "video", "seen_at": to_text(small.clock.now()), "watching": watching,
        "conduct": "attentive", "note": None,
    }  # fmt: skip
    sample = capture(handheld, "cell_watch.sample", "record", said)
    assert marks(handheld) == [[("watch.short", "P13")] if watching < 2 else []]
    first, second = events(small, sample)
    assert (first.name, first.facts) == ("cell_watch.sampled", {"means": "video", "watching": watching})
    assert (second.name, second.facts) == (name, {"count": watching})


def test_the_yard_is_told_in_minutes_a_cell_and_whoever_does_not_come_back_is_missed(small: World) -> None:
    officer, other = small.terminal("DISC"), small.terminal("PAT")
    outing = {
        "cell": small.ids["C1"], "yard": None, "out_at": to_text(small.clock.now()), "persons": 2, "stayed": [],
        "note": None,
    }  # fmt: skip
    gone = capture(officer, "yard", "out", outing)
    assert marks(officer) == [[]]
    small.clock.advance(61 * MINUTE)
    other.pull()
    said = {"back_at": to_text(small.clock.now()), "returned": 1, "remark": None}
    capture(other, "yard", "back", said, gone, base=1, seen={"state": "out"})
    assert marks(other) == [[("headcount.differs", "I06")]]
    back, mismatch = events(small, gone)
    assert (back.name, back.place, back.facts) == ("yard.exercised", small.ids["C1"], {"minutes": 61, "persons": 2})
    assert mismatch.name == "headcount.mismatch"
    again = count(small, "recount", gone, C1=2, C2=1)
    recount = capture(officer, "headcount", "record", again)
    assert marks(officer) == [[]]
    closed, solved = events(small, recount)
    assert (closed.name, closed.place) == ("rollcall.closed", small.ids["W"])
    assert (solved.name, solved.place) == ("headcount.solved", mismatch.place)


@pytest.mark.parametrize(("hour", "night"), [(21, False), (22, True), (3, True), (6, False)])
def test_a_leaders_round_says_whether_it_was_by_night(small: World, hour: int, night: bool) -> None:
    day = small.clock.now() // (24 * 60 * MINUTE) * 24 * 60 * MINUTE
    small.clock.set(day + (24 + hour - 8) * 60 * MINUTE)
    leader = small.terminal("LEAD")
    now = to_text(small.clock.now())
    said = {
        "areas": [small.ids["W"]], "began_at": now, "ended_at": now, "told": "announced", "companions": [],
        "findings": [], "note": None,
    }  # fmt: skip
    record = capture(leader, "leader_round", "record", said)
    assert marks(leader) == [[("round.announced", "P16")]]
    (event,) = events(small, record)
    assert event.facts == {"night": night, "unannounced": False, "areas": 1, "findings": 0}
    assert (event.person, event.place) == (None, None)


def test_a_mismatch_opens_an_incident_and_asks_for_a_recount_until_it_is_solved(small: World) -> None:
    handheld, desk = small.terminal("PAT"), small.terminal("LEAD")
    ticked(small)
    first = capture(handheld, "headcount", "record", count(small, C1=1, C2=1))
    marks(handheld)
    ticked(small)
    (incident,) = given(desk, "incident")
    assert incident["doc"] | {"type": "headcount", "place": small.ids["W"], "cause": first} == incident["doc"]
    (duty,) = [row for row in given(handheld, "duty") if row["doc"]["rule"] == "I06"]
    assert duty["doc"]["posts"] == ["PAT"] and duty["doc"]["cause"] == first and duty["doc"]["loud"]
    small.clock.advance(6 * MINUTE)
    capture(handheld, "headcount", "record", count(small, "recount", first, C1=2, C2=1))
    small.clock.advance(20 * MINUTE)  # in time by when it was counted, though the terminal was off line
    ticked(small)
    marks(handheld)
    ticked(small)
    (duty,) = [row for row in given(handheld, "duty") if row["id"] == duty["id"]]
    assert duty["state"] == "completed"
    (incident,) = given(desk, "incident")
    assert incident["state"] == "open", "a leader closes it"


def test_a_change_of_what_is_not_there_or_is_something_else_harms_nobody_else(small: World) -> None:
    officer = small.terminal("DISC")
    small.desk("INT", Act("person", "change", small.ids["p4"], {"cell": None, "state": "released"}, base=1))
    now = to_text(small.clock.now())
    for kind, verb, fields, seen, person in (
        ("cell_watch", "change", {"note": "换人"}, {"note": None}, "p4"),
        ("yard", "back", {"back_at": now, "returned": 1, "remark": None}, {"state": "out"}, "p3"),
    ):
        capture(officer, kind, verb, fields, uuid7(), base=1, seen=seen)
        capture(officer, kind, verb, fields, small.ids[person], base=1, seen=seen)
    told = officer.push()
    assert [each["status"] for each in told] == ["held", "rejected"] * 2
    assert [each["problem"]["code"] for each in told[1::2]] == ["record.unknown"] * 2


def ticked(world: World) -> None:
    world.services.clockwork.tick(FACILITY)


def given(terminal: Terminal, kind: str) -> list[dict[str, Any]]:
    terminal.pull()
    return [row for row in terminal.rows() if row["kind"] == kind]
