"""Every route as every post: the table is written out, so that a change of who may do what is seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from backend.domain.posts import HELD, Post
from backend.identity import officers, terminals
from backend.identity.officers import NewOfficer
from backend.kernel.ids import uuid7
from backend.storage import tables
from headless.proof import Key, new_key
from tests.support import recordings, store, tus
from tests.support.alarms import alert
from tests.support.auditor import REPORT
from tests.support.caller import NOBODY, Caller, evacuation_of, is_problem, push_of
from tests.support.confirming import new_factor, right_body
from tests.support.hand import Hand
from tests.support.world import CHEAP, FACILITY, SECRET, World

ALL = ["INT", "PAT", "DISC", "MED", "AUX", "LEAD", "DIR", "AUD", "PROC", "ADM", "CITY"]
WATCHERS = ["AUD", "LEAD", "DIR", "PROC"]
KEEPERS = [*WATCHERS, "ADM"]
READERS = [post for post in ALL if post not in ("ADM", "CITY")]

TABLE: dict[str, tuple[str, list[str], int]] = {
    "GET /healthz": ("open", [], 200),
    "GET /install": ("open", [], 200),
    "GET /install/authority.pem": ("open", [], 404),
    "GET /v1/openapi.json": ("open", [], 200),
    "GET /v1/kinds": ("open", [], 200),
    "POST /v1/terminals": ("key", [], 201),
    "POST /v1/terminals/codes": ("session", ["ADM"], 201),
    "POST /v1/sessions": ("key", [], 201),
    "POST /v1/sessions/refresh": ("key", [], 200),
    "PUT /v1/officers/current/secret": ("session", ALL, 204),
    "DELETE /v1/sessions/current": ("session", ALL, 204),
    "GET /v1/factors": ("session", ALL, 200),
    "POST /v1/factors/webauthn/options": ("session", ALL, 200),
    "POST /v1/factors/webauthn": ("session", ALL, 201),
    "POST /v1/factors/totp": ("session", ALL, 200),
    "POST /v1/factors/totp/activate": ("session", ALL, 201),
    "DELETE /v1/factors/<uuid:factor>": ("session", ALL, 204),
    "POST /v1/confirmations/options": ("session", ALL, 200),
    "POST /v1/confirmations": ("session", ALL, 201),
    "POST /v1/terminals/incarnations": ("key", [], 201),
    "POST /v1/terminals/wiped": ("key", [], 204),
    "POST /v1/terminals/<uuid:terminal>/revoke": ("session", ["ADM"], 204),
    "GET /v1/terminals": ("session", ["ADM"], 200),
    "POST /v1/terminals/<uuid:terminal>/approve": ("session", ["ADM"], 204),
    "POST /v1/terminals/<uuid:terminal>/refuse": ("session", ["ADM"], 204),
    "POST /v1/sync/push": ("push", [], 200),
    "POST /v1/sync/evacuate": ("push", [], 200),
    "POST /v1/sync/outcomes": ("key", [], 200),
    "POST /v1/sync/pull": ("session", ALL, 200),
    "POST /v1/sync/digests": ("session", ALL, 200),
    "POST /v1/sync/buckets": ("session", READERS, 200),
    "POST /v1/sync/entries": ("session", READERS, 200),
    "POST /v1/sync/rows": ("session", READERS, 200),
    "POST /v1/sync/snapshots": ("session", READERS, 201),
    "GET /v1/sync/snapshots/<string:snapshot>": ("session", READERS, 200),
    "POST /v1/facilities": ("session", ["ADM"], 201),
    "GET /v1/officers": ("session", ["ADM"], 200),
    "POST /v1/officers": ("session", ["ADM"], 201),
    "PATCH /v1/officers/<uuid:officer>": ("session", ["ADM"], 204),
    "POST /v1/officers/<uuid:officer>/secret": ("session", ["ADM"], 200),
    "GET /v1/officers/<uuid:officer>/assignments": ("session", ["ADM"], 200),
    "POST /v1/officers/<uuid:officer>/assignments": ("session", ["ADM"], 204),
    "DELETE /v1/officers/<uuid:officer>/assignments/<uuid:place>": ("session", ["ADM"], 204),
    "POST /v1/officers/<uuid:officer>/revoke": ("session", ["ADM"], 204),
    "POST /v1/imports/officers": ("session", ["ADM"], 200),
    "POST /v1/imports/places": ("session", ["ADM"], 200),
    "POST /v1/imports/persons": ("session", ["INT"], 200),
    "POST /v1/imports/rosters": ("session", ["LEAD"], 200),
    "GET /v1/roster": ("session", READERS, 200),
    "GET /v1/roster/now": ("session", READERS, 200),
    "GET /v1/roster/nearest": ("session", ["LEAD", "DIR"], 200),
    "GET /v1/sync/stream": ("session", ALL, 200),
    "GET /v1/audit/head": ("session", ALL, 200),
    "POST /v1/files": ("key", [], 201),
    "PATCH /v1/files/uploads/<uuid:upload>": ("key", [], 204),
    "DELETE /v1/files/uploads/<uuid:upload>": ("key", [], 204),
    "GET /v1/files/<string:digest>": ("session", READERS, 200),
    "GET /v1/audit/consistency": ("key", [], 200),
    "GET /v1/audit/inclusion": ("key", [], 200),
    "GET /v1/audit/keys": ("key", [], 200),
    "POST /v1/audit/alarms": ("key", [], 204),
    "PUT /v1/terminals/current/report": ("key", [], 204),
    "GET /v1/audit/terminals": ("session", KEEPERS, 200),
    "GET /v1/audit/terminals/<uuid:terminal>": ("session", KEEPERS, 200),
    "GET /v1/audit/terminals/<uuid:terminal>/operations": ("session", WATCHERS, 200),
    "GET /v1/audit/terminals/<uuid:terminal>/clock": ("session", KEEPERS, 200),
    "GET /v1/audit/clocks": ("session", KEEPERS, 200),
    "GET /v1/audit/operations": ("session", WATCHERS, 200),
    "GET /v1/audit/operations/<uuid:op>": ("session", WATCHERS, 200),
    "GET /v1/audit/backlog": ("session", WATCHERS, 200),
    "GET /v1/audit/backlog/terminals": ("session", KEEPERS, 200),
    "GET /v1/audit/backlog/needs": ("session", WATCHERS, 200),
    "GET /v1/audit/conflicts": ("session", WATCHERS, 200),
    "GET /v1/audit/escrow": ("session", WATCHERS, 200),
    "GET /v1/audit/quarantine": ("session", WATCHERS, 200),
    "GET /v1/audit/forks": ("session", WATCHERS, 200),
    "GET /v1/audit/epochs": ("session", KEEPERS, 200),
    "POST /v1/audit/exports": ("session", ["AUD", "PROC", "DIR"], 200),
    "GET /v1/alerts": ("session", ["CITY", "LEAD", "DIR"], 200),
    "POST /v1/alerts/<uuid:record>/unmask": ("session", ["CITY", "LEAD", "DIR"], 200),
    "GET /v1/board": ("session", ["LEAD", "DIR", "PAT"], 200),
    "GET /v1/duties": ("session", ["INT", "PAT", "DISC", "MED", "AUX", "LEAD", "DIR"], 200),
    "GET /v1/handover/draft": ("session", ["INT", "PAT", "DISC", "MED", "AUX", "LEAD", "DIR"], 200),
    "GET /v1/since": ("session", ["INT", "PAT", "DISC", "MED", "AUX", "LEAD", "DIR"], 200),
    "GET /v1/rules": ("session", READERS, 200),
    "GET /v1/rules/<string:rule>": ("session", READERS, 200),
}
"""Route → who is asked for what, the posts that may, and the answer to those who may."""

PROOFS = {
    "GET /v1/audit/consistency": {"epoch": 1, "first": 1, "second": 2},
    "GET /v1/audit/inclusion": {"epoch": 1, "leaf": 0, "size": 2},
    "GET /v1/roster": {"from": "2026-11-20", "to": "2026-11-26"},
    "GET /v1/roster/nearest": {"place": uuid7(0)},
}
SCOPED = {f"POST /v1/sync/{name}" for name in ("buckets", "entries", "rows", "snapshots")}
JPEG = recordings.jpeg()
SPOKEN = {"HTTP_TUS_RESUMABLE": "1.0.0"}
UPLOADS = {
    "POST /v1/files": SPOKEN
    | {
        "HTTP_UPLOAD_LENGTH": str(len(JPEG)),
        "HTTP_UPLOAD_METADATA": tus.metadata(digest=tus.digest(JPEG), filetype="image/jpeg"),
    },
    "PATCH /v1/files/uploads/<uuid:upload>": SPOKEN | {"HTTP_UPLOAD_OFFSET": "0"},
    "DELETE /v1/files/uploads/<uuid:upload>": SPOKEN,
}
"""What these ask for in headers beside their credentials."""
REFUSED = {"key": "proof.missing", "session": "proof.missing", "push": "proof.missing"}
WITHOUT_GUARD = {"GET /v1/openapi.json"}
ENDS = {"DELETE /v1/sessions/current"}
"""After these the caller may ask no more."""


def found(world: World) -> Iterator[tuple[str, Any]]:
    """The routes of the application, with their views."""
    for rule in world.app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield f"{method} {rule.rule}", world.app.view_functions[rule.endpoint]


def body_of(world: World, route: str, caller: Caller) -> Any:
    """A right body for a route."""
    if route.startswith(("POST /v1/factors", "POST /v1/confirmations")):
        return right_body(world, route, caller)
    partition = scope_of(caller) if route in SCOPED else ""
    return {
        "POST /v1/sync/digests": {"partitions": {}},
        "POST /v1/sync/buckets": {"partition": partition},
        "POST /v1/sync/entries": {"partition": partition, "cursor": 1, "buckets": [1]},
        "POST /v1/sync/rows": {"partition": partition, "ids": [world.ids["W"]]},
        "POST /v1/sync/snapshots": {"partition": partition},
        "POST /v1/facilities": {
            "id": f"F-{store.one(world, tables.facilities, facility=FACILITY).size}",
            "name": "另一看守所",
            "type": "KSS",
            "administrator": {"number": "1", "name": "administrator"},
        },
        "POST /v1/officers": {"number": uuid7(world.clock.now())[-12:], "name": "another", "posts": ["PAT"]},
        "PATCH /v1/officers/<uuid:officer>": {"posts": ["DISC"]},
        "POST /v1/officers/<uuid:officer>/assignments": {"place": world.ids["V"]},
        "POST /v1/imports/officers": [{"number": "N1", "name": "another", "posts": "PAT"}],
        "POST /v1/imports/places": [{"type": "ward", "code": "N1", "name": "another"}],
        "POST /v1/imports/persons": [{"number": "N1", "name": "another", "sex": "m", "cell": "C1"}],
        "POST /v1/imports/rosters": [{"number": "PAT", "post": "PAT", "pattern": "四班", "since": "2026-11-20"}],
        "POST /v1/terminals": {"code": world.code(), "label": "PDA", "jwk": caller.key.jwk},
        "POST /v1/sessions": {"number": "PAT", "secret": SECRET},
        "POST /v1/sessions/refresh": {"refresh_token": ticket_of(caller) if route.endswith("/refresh") else ""},
        "PUT /v1/officers/current/secret": {"old": SECRET, "new": "another secret for tests"},
        "PATCH /v1/files/uploads/<uuid:upload>": JPEG[:9],
        "POST /v1/audit/alarms": dict.fromkeys(("held", "shown"), head_of(world)) | {"why": "proof"},
        "POST /v1/audit/exports": {"person": world.ids["p1"], "reason": "检察机关调取"},
        "POST /v1/alerts/<uuid:record>/unmask": {"reason": "调度警力"},
        "POST /v1/terminals/incarnations": caller.next_incarnation(),
        "POST /v1/sync/outcomes": {"incarnation": 1, "numbers": [1]},
        "POST /v1/sync/pull": {"partitions": {}, "limit": 1},
        "PUT /v1/terminals/current/report": REPORT | {"clock": "2026-11-22T03:14:15.123Z"},
    }.get(route)


def ticket_of(caller: Caller) -> str:
    """A refresh token, if the caller's terminal is enrolled."""
    return str(orjson.loads(caller.sign_in("PAT").data).get("refresh_token", "none"))


def file_of_both_wards(world: World) -> str:
    """The digest of a file that a record in each ward names."""
    for name, area in () if store.rows(world, tables.attachments) else (("PAT", "W"), ("PAT2", "V")):
        hand = Hand(world).signed_in(name)
        hand.changes = {"attachments": [tus.sent(Caller(world, hand.key), JPEG)]}
        hand.open(area)
        hand.told()
    return tus.digest(JPEG)


def head_of(world: World) -> str:
    """The newest head of the small facility."""
    found: str = store.one(world, tables.facilities, facility=FACILITY).head
    return found


def scope_of(caller: Caller) -> str:
    """A partition of the caller's scope, if he has any."""
    response = caller.ask("POST", "/v1/sync/pull", {"partitions": {}, "limit": 1})
    parts = orjson.loads(response.data).get("partitions")
    return parts[0]["partition"] if parts else "place/none/base"


def address(world: World, path: str, caller: Caller) -> str:
    """The address of something that there is: a new terminal or officer, a snapshot of the caller's scope, or the
    first operation of the facility's server."""
    if path.endswith(("/approve", "/refuse")):
        return path.replace("<uuid:terminal>", Hand(world, code=world.code(approved=False)).terminal)
    if "<uuid:upload>" in path:
        return path.replace(
            "<uuid:upload>", str(orjson.loads(tus.begin(caller, JPEG).data).get("upload", world.ids["W"]))
        )
    if "<string:rule>" in path:
        return path.replace("<string:rule>", "A09")
    if "<string:digest>" in path:
        return path.replace("<string:digest>", file_of_both_wards(world))
    if "<uuid:record>" in path:
        return path.replace("<uuid:record>", alert(world))
    if "<uuid:factor>" in path:
        return path.replace("<uuid:factor>", new_factor(caller))
    if "<uuid:terminal>" in path:
        return path.replace("<uuid:terminal>", Hand(world).terminal)
    if "<uuid:officer>" in path:
        fresh = uuid7(world.clock.now())
        officers.add(world.services.door, FACILITY, [NewOfficer(fresh, fresh, "new", (Post.PAT,), SECRET)], CHEAP)
        return path.replace("<uuid:officer>", fresh).replace("<uuid:place>", world.ids["V"])
    if "<string:snapshot>" in path:
        made = caller.ask("POST", "/v1/sync/snapshots", {"partition": scope_of(caller)})
        return path.replace("<string:snapshot>", orjson.loads(made.data).get("snapshot", "none"))
    return path.replace("<uuid:op>", store.first_operation(world).op) if "<uuid:op>" in path else path


def answer(world: World, route: str, caller: Caller, headers: dict[str, str] | None = None) -> Any:
    method, _, path = route.partition(" ")
    if route in ("POST /v1/sync/push", "POST /v1/sync/evacuate"):
        body, proof = push_of(world) if path.endswith("push") else evacuation_of(world)
        return caller.ask(method, path, body, proof if headers is None else headers, content_type=proof["Content-Type"])
    query: dict[str, Any] = {"query_string": PROOFS[route]} if route in PROOFS else {}
    if route == "GET /v1/audit/operations":
        query = {"query_string": {"terminal": store.first_operation(world).terminal, "incarnation": 1, "n": 1}}
    if route in UPLOADS:
        query = {"environ_overrides": UPLOADS[route], "content_type": tus.PIECE}
    told = caller.ask(method, address(world, path, caller), body_of(world, route, caller), headers, **query)
    if path.endswith("/secret"):  # everybody has the same one, and has it again
        store.alter(world, tables.officers, {"facility": FACILITY}, secret=CHEAP.hash(SECRET))
    return told


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
    assert [post.value for post in HELD] == ALL


@pytest.mark.parametrize("name", [*ALL, "PAT2"])
def test_every_post_may_do_what_the_table_says_and_nothing_else(standing: World, name: str) -> None:
    post, working = name.rstrip("2"), Caller.of(standing, name)
    for route, (guard, posts, status) in TABLE.items():
        if guard == "session" and route not in ENDS:
            caller = working
        else:
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


def test_a_terminal_that_waits_or_was_refused_is_told_so_by_every_route_of_its_key(standing: World) -> None:
    for refused, code in ((False, "terminal.pending"), (True, "terminal.refused")):
        h = Hand(standing, code=standing.code(approved=False))
        caller = Caller(standing, h.key, terminal=h.terminal)
        if refused:
            terminals.refuse(standing.services.door, FACILITY, h.terminal, "test")
        for route, (guard, _, _) in TABLE.items():
            if guard == "key" and route != "POST /v1/terminals":
                response = answer(standing, route, caller)
                assert (response.status_code, is_problem(response)) == (403, code), route


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
