"""Signing in and refreshing by hand, with all that the server answers."""

from __future__ import annotations

from typing import Any

import orjson
from werkzeug.test import TestResponse

from tests.support.caller import Caller, is_problem
from tests.support.world import SECRET

MINUTE = 60_000
NEW = "another secret, my own"


def told(response: TestResponse) -> tuple[int, str | None]:
    """Status, and the problem's code where it is one."""
    return response.status_code, None if response.status_code < 300 else is_problem(response)


def signed_in(caller: Caller, name: str, secret: str = SECRET) -> dict[str, Any]:
    """The answer to a right sign-in; what the caller asks from now on is that officer's."""
    caller.token = None
    response = caller.sign_in(name, secret)
    assert response.status_code == 201, response.data
    said: dict[str, Any] = orjson.loads(response.data)
    caller.token = said["access_token"]
    return said


def refreshed(caller: Caller, ticket: str) -> TestResponse:
    """The answer to a refresh, which is asked by the key alone."""
    token, caller.token = caller.token, None
    try:
        return caller.ask("POST", "/v1/sessions/refresh", {"refresh_token": ticket})
    finally:
        caller.token = token


def pull(caller: Caller) -> tuple[int, str | None]:
    """What a pull of one row comes to."""
    return told(caller.ask("POST", "/v1/sync/pull", {"partitions": {}, "limit": 1}))


def changed(caller: Caller, old: str, new: str) -> tuple[int, str | None]:
    """What a change of one's own secret comes to."""
    return told(caller.ask("PUT", "/v1/officers/current/secret", {"old": old, "new": new}))
