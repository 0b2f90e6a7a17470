"""Fields that a form does not have, at every route that takes one: who asks for more than he was asked for gets nothing.

Rosters (tests/api/test_imports.py), bytes of files (tests/api/test_files.py) and operations (tests/contract/test_forms.py)
have tests of their own.
"""

from __future__ import annotations

import pytest

from headless.proof import Key, new_key
from tests.api.test_routes import TABLE, address, body_of
from tests.support import store
from tests.support.caller import NOBODY, Caller, is_problem
from tests.support.world import World

OTHER_FORMS = ("POST /v1/sync/push", "POST /v1/sync/evacuate", "POST /v1/imports", "POST /v1/files", "PATCH /v1/files")
FORMS = [route for route in TABLE if route.startswith(("POST", "PUT", "PATCH")) and not route.startswith(OTHER_FORMS)]
WANTED = {
    "facility": "OTHER",
    "posts": ["DIR"],
    "role": "admin",
    "officer": "somebody",
    "by": "somebody",
    "state": "active",
    "approved_by": "somebody",
    "revoked_at": None,
    "__proto__": {"admin": True},
    "constructor": 1,
}
"""Names that the tables, the code or a library know, and that no form has but where it is meant."""
WITHOUT_A_FORM = {
    "POST /v1/terminals/wiped",
    "POST /v1/terminals/<uuid:terminal>/revoke",
    "POST /v1/terminals/<uuid:terminal>/approve",
    "POST /v1/terminals/<uuid:terminal>/refuse",
    "POST /v1/officers/<uuid:officer>/secret",
    "POST /v1/officers/<uuid:officer>/revoke",
}
"""They ask for nothing, and read nothing."""


@pytest.mark.parametrize("route", [route for route in FORMS if route not in WITHOUT_A_FORM])
def test_no_route_takes_a_field_that_it_does_not_name(standing: World, route: str) -> None:
    guard, posts, _ = TABLE[route]
    caller = Caller.of(standing, posts[-1] if guard == "session" else NOBODY)
    if route == "POST /v1/terminals":
        caller.key = Key(new_key())
    method, _, path = route.partition(" ")
    there, right = address(standing, path, caller), body_of(standing, route, caller) or {}
    before = len(store.leaves(standing))
    for name in WANTED.keys() - right.keys():
        response = caller.ask(method, there, right | {name: WANTED[name]})
        assert is_problem(response) == "request.invalid", (name, response.data)
        assert {"code": "field.unknown", "field": name}.items() <= response.get_json()["errors"][0].items()
    assert store.leaves(standing)[before:] == []
