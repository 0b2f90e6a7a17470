"""Posts have a history: who may write is judged by the posts of the moment at which it was done."""

from __future__ import annotations

from typing import Any

import pytest

from backend.domain.posts import HELD, Post
from backend.identity import postings
from backend.identity.officers import UnknownOfficer
from backend.kernel.ids import derived
from backend.kernel.problems import Problem
from backend.storage import tables
from headless.chain import rfc3339, uuid7
from tests.support import store
from tests.support.hand import Hand
from tests.support.reader import Copy
from tests.support.world import FACILITY, World

UNPROVEN = {"code": "authority.unproven", "rule": None}
LATE = {"code": "record.late", "rule": "Y03"}
OUTSIDE = {"code": "scope.outside", "rule": None}
HOUR = 3_600_000
OFF_POST = ("escrowed", "officer.off_post")
NEVER = ("rejected", "officer.unauthorised")
APPLIED = ("applied", None)


def change(world: World, officer: str, *posts: str) -> None:
    """Gives an officer other posts an hour from the last thing that happened; an hour passes after it too."""
    world.clock.advance(HOUR)
    postings.change_posts(world.services.door, FACILITY, world.ids[officer], posts, world.ids["ADM"])
    world.clock.advance(HOUR)


def told(h: Hand) -> tuple[str, str | None]:
    outcome = h.told(h.n, h.n)[0]
    return outcome["status"], outcome.get("problem", {}).get("code")


def marks(h: Hand) -> list[Any]:
    found: list[Any] = h.told(h.n, h.n)[0]["marks"]
    return found


def acts(world: World) -> list[tuple[str, list[str]]]:
    return [(leaf["officer"], leaf["posts"]) for leaf in store.leaves(world) if leaf["act"] == "officer.posted"]


def history(world: World, officer: str) -> list[tuple[int, str]]:
    return [(row.since, row.posts) for row in store.rows(world, tables.postings, officer=world.ids[officer])]


def test_what_was_done_before_the_post_was_lost_counts_and_is_doubted(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    before = h.device.now()
    change(both, "PAT", "INT")
    h.open(observed_at=rfc3339(before))
    assert told(h) == APPLIED
    assert marks(h) == [LATE, UNPROVEN]


def test_what_was_done_after_it_waits_for_a_leader(both: World) -> None:
    h = Hand(both).signed_in("PAT")
    change(both, "PAT", "INT")
    round_, opened = h.open()
    assert told(h) == OFF_POST
    assert not store.rows(both, tables.records, id=round_)
    leader = Hand(both).signed_in("LEAD")
    leader.write("escrow", "release", derived(opened, "escrow"), {"op": opened, "reason": "已核实"})
    assert told(leader) == APPLIED
    assert store.one(both, tables.records, id=round_).state == "open"
    store.verified(both)


def test_who_never_held_the_post_is_refused_whatever_became_of_him(both: World) -> None:
    h = Hand(both).signed_in("MED")
    change(both, "MED", "INT")
    h.write("talk", "record", uuid7(), talk(both), signoff={"method": "session", "evidence": [], "challenge": None})
    assert told(h) == NEVER


def talk(world: World) -> dict[str, Any]:
    at = "2026-11-22T03:14:15.123Z"
    return {
        "person": world.ids["p1"], "place": None, "sort": "education", "occasion": "monthly", "started_at": at,
        "ended_at": at, "participants": [], "interpreter": None, "mood": "calm", "topics": ["rules"], "summary": "好",
        "follow_up": None, "follow_up_on": None,
    }  # fmt: skip


def test_a_post_that_was_given_later_does_not_reach_back(both: World) -> None:
    h = Hand(both).signed_in("INT")
    before = h.device.now()
    change(both, "INT", "INT", "PAT")
    h.open(observed_at=rfc3339(before))
    assert told(h) == OFF_POST
    h.open()
    assert told(h) == APPLIED


def test_what_is_proven_to_come_after_the_loss_is_not_believed_to_come_before(both: World) -> None:
    """The device says that it was before; the head that the operation names is from after."""
    h = Hand(both).signed_in("INT")
    before = h.device.now()
    change(both, "INT", "MED")
    h.hear(h.pull()["head"])
    edit = {"base": 1, "seen": {"bed": None}, "observed_at": rfc3339(before)}
    h.write("person", "change", both.ids["p1"], {"bed": "4"}, **edit)
    assert told(h) == APPLIED
    assert UNPROVEN in marks(h), "seen before, entered after: only the device says so"
    h.write("person", "change", both.ids["p1"], {"bed": "5"}, base=2, seen={"bed": "4"})
    assert told(h) == OFF_POST


def test_how_far_a_right_reaches_is_that_of_the_post_of_the_moment(both: World) -> None:
    """A patrol officer who leads by now: in another ward he was outside then, and is nowhere outside now."""
    h = Hand(both).signed_in("PAT")
    before = h.device.now()
    change(both, "PAT", "LEAD")
    h.open("V", observed_at=rfc3339(before))
    assert told(h) == APPLIED and OUTSIDE in marks(h)
    h.open("V")
    assert told(h) == APPLIED and marks(h) == []


def test_who_leads_no_more_settles_no_more(both: World) -> None:
    first, second = Hand(both).signed_in("INT"), Hand(both).signed_in("INT")
    for h, risk in ((first, "grade1"), (second, "grade2")):
        h.write("person", "change", both.ids["p1"], {"risk": risk}, base=1, seen={"risk": None})
    first.told()
    conflict = second.told()[0]["conflict"]
    settler = Hand(both).signed_in("DIR")
    change(both, "DIR", "PAT")
    op = second.say("", "", "", {})["op"]
    fields = {"saw": [op], "server": {"risk": "grade1"}, "choice": {"risk": "server"}, "reason": "核实"}
    settler.write("conflict", "settle", conflict, fields, base=1)
    assert told(settler) == OFF_POST
    assert store.one(both, tables.records, id=conflict).state == "open"


def test_posts_change_once_and_only_to_what_an_officer_may_hold(both: World) -> None:
    added = history(both, "PAT")
    assert [posts for _, posts in added] == ["PAT"]
    change(both, "PAT", "LEAD", "PAT")
    change(both, "PAT", "PAT", "LEAD")
    assert acts(both) == [(both.ids["PAT"], ["PAT", "LEAD"])], "in the order of Post, and once"
    assert [posts for _, posts in history(both, "PAT")] == ["PAT", "PAT LEAD"]
    door = both.services.door
    for posts in ((), ("CASE",), ("PAT", "PAT"), ("BOSS",)):
        with pytest.raises(Problem, match=r"field\.invalid"):
            postings.change_posts(door, FACILITY, both.ids["PAT"], posts, "test")
    with pytest.raises(UnknownOfficer):
        postings.change_posts(door, FACILITY, both.ids["p1"], ("PAT",), "test")
    assert Post.CASE not in HELD and len(acts(both)) == 1
    store.verified(both)


def test_of_two_changes_in_one_millisecond_the_second_stands(both: World) -> None:
    door, pat = both.services.door, both.ids["PAT"]
    postings.change_posts(door, FACILITY, pat, ("INT",), "test")
    postings.change_posts(door, FACILITY, pat, ("MED",), "test")
    assert history(both, "PAT")[-1][1] == "MED"
    assert len(history(both, "PAT")) <= 2


def test_scopes_follow_at_once(both: World) -> None:
    copy = Copy.of(both, "PAT").pull()
    assert both.ids["p4"] not in copy.rows
    change(both, "PAT", "LEAD")
    assert both.ids["p4"] in copy.pull().rows
