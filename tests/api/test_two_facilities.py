"""Two facilities in one installation: whoever asks from the one cannot tell what is in the other, nor that it is there."""

from __future__ import annotations

import re
from typing import Any

import pytest

from backend.domain.posts import HELD, Post
from backend.identity import facilities, officers, terminals
from backend.identity.officers import NewOfficer
from backend.kernel.ids import uuid7
from backend.storage import tables
from tests.api.test_routes import TABLE, address, answer, body_of
from tests.support import store
from tests.support.caller import Caller, is_problem
from tests.support.hand import Hand
from tests.support.world import CHEAP, SECRET, World

OTHER = "OTHER"
VARIABLE = re.compile(r"<(\w+):\w+>")
EVERYWHERE = {"GET /v1/rules/<string:rule>"}
"""The rules of duty are no facility's own; what one has changed of them is told to its own officers alone."""
HERE = [
    route
    for route, (guard, _, _) in TABLE.items()
    if guard == "session" and VARIABLE.search(route) and route not in EVERYWHERE
]
LISTS = [
    route
    for route, (guard, *_) in TABLE.items()
    if guard == "session" and route.startswith("GET") and route not in HERE
]


@pytest.fixture(scope="module")
def apart(standing: World) -> World:
    """The small facility, and another one beside it with an officer of every post."""
    services = standing.services
    facilities.found(services.door, OTHER, "另一所", "KSS", services.keyring.head)
    new = [NewOfficer(uuid7(0), post, f"{post} elsewhere", (Post(post),), SECRET) for post in HELD]
    officers.add(services.door, OTHER, new, CHEAP)
    return standing


def elsewhere(world: World, post: str) -> Caller:
    """An officer of the other facility, on a terminal of it."""
    hand = Hand(world, code=terminals.make_code(world.services.door, OTHER, "test")[0]).signed_in(post)
    assert hand.facility == OTHER
    return Caller(world, hand.key, hand.token, world.services.nonces.fresh(), hand.terminal)


def nowhere(path: str) -> str:
    """The path of something that never was."""
    return VARIABLE.sub(lambda found: uuid7(1) if found[1] == "uuid" else "A" * 43, path)


def told(caller: Caller, route: str, path: str, body: Any) -> tuple[int, str, bytes]:
    response = caller.ask(route.partition(" ")[0], path, body)
    return response.status_code, is_problem(response), response.data


@pytest.mark.parametrize("route", HERE)
def test_what_is_in_the_other_facility_answers_as_if_it_were_not_there(apart: World, route: str) -> None:
    path = route.partition(" ")[2]
    for post in TABLE[route][1]:
        owner, stranger = Caller.of(apart, post), elsewhere(apart, post)
        there, body = address(apart, path, owner), body_of(apart, route, owner)
        told_there = told(stranger, route, there, body)
        assert told_there == told(stranger, route, nowhere(path), body), (route, post)
        assert told_there[0] in (403, 404), (route, post)


@pytest.mark.parametrize("route", LISTS)
def test_no_list_names_anything_of_the_other_facility(apart: World, route: str) -> None:
    ids = set(apart.ids.values()) | {
        row.terminal for row in store.rows(apart, tables.terminals) if row.facility != OTHER
    }
    for post in TABLE[route][1]:
        said = answer(apart, route, elsewhere(apart, post))
        assert said.status_code < 500
        if not said.is_streamed:
            assert not [each for each in ids if each.encode() in said.data], (route, post)


def test_a_place_of_the_other_facility_is_given_to_nobody(apart: World) -> None:
    caller = elsewhere(apart, "ADM")
    fresh = uuid7(0)
    officers.add(apart.services.door, OTHER, [NewOfficer(fresh, fresh, "new", (Post.PAT,), SECRET)], CHEAP)
    response = caller.ask("POST", f"/v1/officers/{fresh}/assignments", {"place": apart.ids["W"]})
    assert is_problem(response) == "reference.unknown"


def test_numbers_and_sessions_of_one_facility_are_none_in_the_other(apart: World) -> None:
    """The same number is another officer in each; a terminal signs in those of its own facility alone."""
    hand = Hand(apart, code=terminals.make_code(apart.services.door, OTHER, "test")[0])
    there = hand.signed_in("PAT").officer
    assert there not in apart.ids.values()
    assert is_problem(Caller(apart, hand.key).sign_in("PAT2")) == "session.refused"


def test_an_operation_for_the_other_facility_is_none(apart: World) -> None:
    """A session of one facility, the records of the other: neither can be reached by a push from elsewhere."""
    hand = Hand(apart, code=terminals.make_code(apart.services.door, OTHER, "test")[0]).signed_in("PAT")
    hand.open("W")
    hand.open("W", officer=apart.ids["PAT"])
    found = hand.told()
    assert [each["status"] for each in found] == ["held", "rejected"] or {each["status"] for each in found} <= {
        "held", "rejected", "escrowed",
    }  # fmt: skip
    assert not {each.get("version") for each in found} - {None}
