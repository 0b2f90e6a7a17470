"""What the front takes and what Flask takes instead of it are the same to the one who asks."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from werkzeug.test import TestResponse

from mobile_api.front import Front
from tests.support.caller import JSON, Caller, is_problem, push_of
from tests.support.hand import Hand
from tests.support.sealing import Sealer
from tests.support.world import World

PULL, PUSH = "/v1/sync/pull", "/v1/sync/push"
BY_FLASK = f"{JSON}; charset=utf-8"
"""The same type, in a form in which no terminal says it."""


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch, shared: World) -> list[str]:
    """Paths of requests that the front answered by itself, in their order."""
    seen: list[str] = []

    def watched(name: str) -> Any:
        way = getattr(Front, name)

        def noted(self: Front, environ: dict[str, Any], read: Any, **how: Any) -> Any:
            told = way(self, environ, read, **how)
            seen.append(environ["PATH_INFO"])
            return told

        return noted

    for name in ("_push", "_pull"):
        monkeypatch.setattr(Front, name, watched(name))
    rest = shared.app.wsgi_app._rest  # type: ignore[attr-defined]
    monkeypatch.setattr(shared.app, "wsgi_app", Front(rest, shared.services))
    return seen


def headers_of(response: TestResponse) -> dict[str, str]:
    return dict(response.headers)


def test_a_pull_is_answered_alike_by_both(ways: list[str], shared: World) -> None:
    caller = Caller.of(shared, "LEAD")
    body = {"partitions": {}, "limit": 50}
    front, flask = caller.ask("POST", PULL, body), caller.ask("POST", PULL, body, content_type=BY_FLASK)
    assert ways == [PULL]
    assert front.status_code == flask.status_code == 200
    assert orjson.loads(front.data) == orjson.loads(flask.data)
    assert headers_of(front) == headers_of(flask)
    assert shared.services.nonces.good(front.headers["DPoP-Nonce"])


def test_a_refused_pull_is_answered_alike_by_both_and_offers_a_nonce(ways: list[str], shared: World) -> None:
    caller, body = Caller.of(shared, "LEAD"), {"partitions": {}, "limit": 1}
    stale = caller.headers("POST", PULL) | {"DPoP": caller.dpop("POST", PULL, nonce="stale")}
    lost = {"DPoP": caller.dpop("POST", PULL, ath=None)}
    for headers, code in (({}, "proof.missing"), (stale, "proof.nonce_required"), (lost, "session.missing")):
        front = caller.ask("POST", PULL, body, headers)
        flask = caller.ask("POST", PULL, body, headers, content_type=BY_FLASK)
        assert is_problem(front) == is_problem(flask) == code
        assert front.data == flask.data
        assert headers_of(front) == headers_of(flask)
        assert shared.services.nonces.good(front.headers["DPoP-Nonce"])
    assert ways == []


@pytest.mark.parametrize("body", [b"{", b'{"partitions":{},"limit":0}', b'{"partitions":{"x":-1},"limit":1}', b"{}"])
def test_a_pull_that_is_not_right_is_left_to_flask_with_its_body(ways: list[str], shared: World, body: bytes) -> None:
    caller = Caller.of(shared, "LEAD")
    front, flask = caller.ask("POST", PULL, body), caller.ask("POST", PULL, body, content_type=BY_FLASK)
    assert is_problem(front) == is_problem(flask)
    assert (front.status_code, front.data) == (flask.status_code, flask.data)
    assert ways == []


def test_a_push_is_answered_by_the_front(ways: list[str], shared: World) -> None:
    body, headers = push_of(shared)
    with shared.app.test_client() as client:
        assert client.post(PUSH, data=body, headers=headers).status_code == 200
    assert ways == [PUSH]


def test_a_sealed_push_is_answered_by_the_front(ways: list[str], shared: World) -> None:
    h = Hand(shared, sealer=Sealer(shared.services.keyring.seals.present.jwk)).signed_in("PAT")
    h.open()
    assert h.push().status_code == 200
    assert ways == [PUSH]


def test_a_fault_of_a_pull_tells_nothing_of_itself(monkeypatch: pytest.MonkeyPatch, shared: World) -> None:
    def broken(*_: Any) -> bytes:
        raise RuntimeError("secret")

    caller = Caller.of(shared, "LEAD")
    monkeypatch.setattr(type(shared.services.puller), "pull", broken)
    response = caller.ask("POST", PULL, {"partitions": {}, "limit": 1})
    assert response.status_code == 500 and orjson.loads(response.data)["code"] == "server.fault"
    assert b"secret" not in response.data
