"""Every route as every post: the table is written out, so that a change of who may do what is seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from backend.domain.posts import Post
from backend.storage import tables
from headless.proof import Key, new_key
from tests.support import store
from tests.support.caller import NOBODY, Caller, is_problem, push_of
from tests.support.world import SECRET, World

ALL = ["INT", "PAT", "DISC", "MED", "AUX", "LEAD", "DIR", "AUD", "PROC", "ADM"]

TABLE: dict[str, tuple[str, list[str], int]] = {
    "GET /healthz": ("open", [], 200),
    "GET /v1/openapi.json": ("open", [], 200),
    "GET /v1/kinds": ("open", [], 200),
    "POST /v1/terminals": ("key", [], 201),
    "POST /v1/terminals/codes": ("session", ["ADM"], 201),
    "POST /v1/sessions": ("key", [], 201),
    "DELETE /v1/sessions/current": ("session", ALL, 204),
    "POST /v1/sync/push": ("push", [], 200),
    "POST /v1/sync/pull": ("session", ALL, 200),
    "GET /v1/audit/head": ("session", ALL, 200),
}
"""Route → who is asked for what, the posts that may, and the answer to those who may."""

REFUSED = {"key": "proof.missing", "session": "proof.missing", "push": "proof.missing"}
WITHOUT_GUARD = {"GET /v1/openapi.json"}


def found(world: World) -> Iterator[tuple[str, Any]]:
    """The routes of the application, with their views."""
    for rule in world.app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield f"{method} {rule.rule}", world.app.view_functions[rule.endpoint]


def body_of(world: World, route: str, caller: Caller) -> Any:
    """A right body for a route."""
    return {
        "POST /v1/terminals": {"code": world.code(), "label": "PDA", "jwk": caller.key.jwk},
        "POST /v1/sessions": {"number": "PAT", "secret": SECRET},
        "POST /v1/sync/pull": {"partitions": {}, "limit": 1},
    }.get(route)


def answer(world: World, route: str, caller: Caller, headers: dict[str, str] | None = None) -> Any:
    method, _, path = route.partition(" ")
    if route == "POST /v1/sync/push":
        body, proof = push_of(world)
        return caller.ask(method, path, body, proof if headers is None else headers, content_type=proof["Content-Type"])
    return caller.ask(method, path, body_of(world, route, caller), headers)


def test_the_table_names_every_route_and_what_guards_it(standing: World) -> None:
    routes = dict(found(standing))
    assert set(routes) == set(TABLE)
    for route, view in routes.items():
        if route in WITHOUT_GUARD:
            assert not hasattr(view, "guard")
            continue
        guard, posts, _ = TABLE[route]
        assert view.guard == guard, route
        assert view.posts == frozenset(posts if posts != ALL else []), route


def test_the_table_knows_every_post() -> None:
    assert [post.value for post in Post] == ALL


@pytest.mark.parametrize("name", [*ALL, "PAT2"])
def test_every_post_may_do_what_the_table_says_and_nothing_else(standing: World, name: str) -> None:
    post = name.rstrip("2")
    for route, (guard, posts, status) in TABLE.items():
        caller = Caller.of(standing, NOBODY if guard in ("key", "open") else name)
        if route == "POST /v1/terminals":
            caller.key = Key(new_key())
        response = answer(standing, route, caller)
        if guard == "session" and post not in posts:
            assert (response.status_code, is_problem(response)) == (403, "role.forbidden"), route
        else:
            assert response.status_code == status, (route, response.data)


def test_nobody_is_let_in_without_credentials(standing: World) -> None:
    for route, (guard, _, status) in TABLE.items():
        response = answer(standing, route, Caller(standing), headers={})
        if guard == "open":
            assert response.status_code == status, route
        else:
            assert (response.status_code, is_problem(response)) == (401, REFUSED[guard]), route
            assert response.headers["WWW-Authenticate"] == 'DPoP algs="ES256"'


def test_a_session_of_a_terminal_alone_is_not_enough(standing: World) -> None:
    """A proof of the key without a token: the terminal is known, but nobody is signed in."""
    caller = Caller.of(standing, NOBODY)
    for route, (guard, _, _) in TABLE.items():
        if guard == "session":
            response = answer(standing, route, caller)
            assert (response.status_code, is_problem(response)) == (401, "session.missing"), route


def test_an_officer_of_two_posts_may_what_either_may(small: World) -> None:
    caller = Caller.of(small, "PAT")
    assert answer(small, "POST /v1/terminals/codes", caller).status_code == 403
    store.alter(small, tables.officers, {"number": "PAT"}, posts="PAT ADM")
    assert answer(small, "POST /v1/terminals/codes", caller).status_code == 201


def test_answers_are_not_kept_and_offer_the_next_nonce(standing: World) -> None:
    for route, (guard, _, _) in TABLE.items():
        caller = Caller.of(standing, NOBODY if guard in ("key", "open") else "ADM")
        response = answer(standing, route, caller)
        assert response.headers["Cache-Control"] == "no-store", route
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        nonce = response.headers.get("DPoP-Nonce")
        assert (nonce == standing.services.nonces.fresh()) == (guard in ("key", "session")), route
