"""Every sort of partition as every post, at every door that gives rows: the table is written out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from backend.domain.posts import HELD
from backend.kernel.ids import uuid7
from headless.errors import Problem
from sync.writing.local import Act
from tests.support.reader import Copy
from tests.support.rows import fill
from tests.support.world import FACILITY, World

WHOLE = {"INT", "MED", "LEAD", "DIR", "AUD", "PROC"}
WARD = WHOLE | {"PAT", "DISC", "AUX"}
NOTHING = {"ADM", "CITY"}
"""Posts that are given no records at all."""

TABLE: dict[str, set[str]] = {
    "place/C1/base": WARD,
    "place/W/base": WARD,
    "place/D1/base": WHOLE,
    "place/V/base": WHOLE,
    "person/p1/base": WARD,
    "person/p4/base": WHOLE,
    "person/p1/case": {"DISC", "INT", "LEAD", "DIR", "AUD", "PROC"},
    "person/p4/case": {"INT", "LEAD", "DIR", "AUD", "PROC"},
    "person/p1/medical": {"MED", "DIR", "AUD", "PROC"},
    "person/p4/medical": {"MED", "DIR", "AUD", "PROC"},
    "person/p1/location": {"PAT", "LEAD", "DIR"},
    "person/p4/location": {"LEAD", "DIR"},
    "facility/TEST/base": WHOLE,
    "facility/TEST/roster": WARD,
    "facility/TEST/duty": WARD,
    "matter/M/base": {"INT", "LEAD", "DIR", "AUD", "PROC"},
    "matter/M/case": set(),
    "matter/closed/base": set(),
    "matter/nowhere/base": set(),
    "facility/OTHER/base": set(),
    "place/nowhere/base": set(),
    "person/nobody/medical": set(),
    "person/p1/nonsense": set(),
}
"""Partition → the posts that are given it. PAT, DISC and AUX have the ward W alone, in which C1 and p1 are."""

DOORS: dict[str, dict[str, Any]] = {
    "buckets": {},
    "entries": {"cursor": 1, "buckets": [1]},
    "rows": {"ids": []},
    "snapshots": {},
}


NEVER = {"nowhere": uuid7(0), "nobody": uuid7(0)}
"""Ids of what never was."""


def named(world: World, partition: str) -> str:
    subject, name, compartment = partition.split("/")
    return f"{subject}/{(world.ids | NEVER).get(name, name)}/{compartment}"


AT = "2026-11-22T03:14:15.123Z"


def complaint(world: World) -> str:
    """A complaint that the desk takes, of nobody who asks here."""
    record = uuid7(world.clock.now())
    said = {
        "person": None, "by": "lawyer", "sort": "complaint", "addressed_to": "facility", "sealed": False, "words": "投诉",
        "against": [world.ids["PAT2"]], "received_at": AT,
    }  # fmt: skip
    assert world.desk("INT", Act("complaint", "receive", record, said))[0]["status"] == "applied"
    return record


@pytest.fixture(scope="module")
def filled(shared: World) -> World:
    """A row in every partition that there is, and a matter that is closed: nobody is given that any more."""
    shared.ids |= {"M": complaint(shared), "closed": complaint(shared)}
    signed = {"organ": "court", "result": "unfounded", "answered_at": AT, "told_at": None, "answer": "不成立"}
    shared.desk(
        "LEAD",
        Act("complaint", "answer", shared.ids["closed"], signed, base=1),
        Act("complaint", "close", shared.ids["closed"], {"note": None}, base=2, seen={"state": "answered"}),
    )
    for partition, posts in TABLE.items():
        if posts:
            fill(shared, named(shared, partition), 1)
    return shared


@pytest.mark.parametrize("post", [post.value for post in HELD])
def test_each_post_is_given_what_the_table_says_at_every_door(filled: World, post: str) -> None:
    copy = Copy.of(filled, post).pull()
    for partition, posts in TABLE.items():
        name = named(filled, partition)
        assert (name in copy.cursors) == bool(copy.of_partition(name)) == (post in posts), partition
        for door, asked in DOORS.items():
            body = {"partition": name} | asked | ({"ids": [uuid7(1)]} if door == "rows" else {})
            assert _answer(copy, door, body) == _expected(post, posts), (partition, door)


def _answer(copy: Copy, door: str, body: dict[str, Any]) -> str:
    try:
        copy.ask(door, body)
    except Problem as problem:
        return problem.code
    return "given"


def _expected(post: str, posts: set[str]) -> str:
    if post in NOTHING:
        return "role.forbidden"
    return "given" if post in posts else "partition.forbidden"


@pytest.mark.parametrize("post", [post.value for post in HELD])
def test_what_is_not_given_is_not_compared_either(filled: World, post: str) -> None:
    """Whoever names a partition that is not his learns that it is gone, not whether his guess of its digest is right."""
    copy = Copy.of(filled, post)
    asked = {named(filled, each): {"cursor": 1, "digest": "A" * 43} for each in TABLE}
    told = copy.ask("digests", {"partitions": asked})
    hidden = {named(filled, each) for each, posts in TABLE.items() if post not in posts}
    assert hidden <= set(told["gone"])
    assert not hidden & {*told["differ"], *told["stale"]}


def test_nothing_of_the_table_is_of_another_facility(filled: World) -> None:
    assert FACILITY == "TEST"
    assert {post for posts in TABLE.values() for post in posts} <= {post.value for post in HELD} - NOTHING
