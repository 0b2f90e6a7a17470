"""Second factors as officers use them: a key in software for each, added when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pyotp

from headless.chain import uuid7
from headless.patrol import BY_SESSION
from headless.terminal import Terminal
from tests.support.authenticator import Authenticator
from tests.support.caller import Caller
from tests.support.hand import Hand
from tests.support.world import SECRET, World

Ask = Callable[[str, str, Any], dict[str, Any]]
"""(method, path, body) → answer, for an officer who is signed in."""


def by_hand(h: Hand) -> Ask:
    """Requests of whoever is signed in at a hand."""
    return lambda method, path, body: h.wire.ask(h.key, method, path, body, h.token)


def add_key(ask: Ask, made: Authenticator | None = None, secret: str = SECRET) -> Authenticator:
    """Adds a key for an officer."""
    made = made or Authenticator()
    offered = ask("POST", "/v1/factors/webauthn/options", {"secret": secret})
    answer = {"challenge": offered["challenge"], "label": "钥匙", "credential": made.create(offered["options"])}
    ask("POST", "/v1/factors/webauthn", answer)
    return made


def confirm(ask: Ask, key: Authenticator, decision: Mapping[str, Any]) -> dict[str, Any]:
    """Confirms a decision ``{kind, verb, record, base, fields}`` by a key."""
    offered = ask("POST", "/v1/confirmations/options", dict(decision))
    answer = {"challenge": offered["challenge"], "credential": key.get(offered["webauthn"])}
    return ask("POST", "/v1/confirmations", {**decision, **answer})


def signed(world: World, officer: str, ask: Ask, decision: Mapping[str, Any]) -> dict[str, Any]:
    """A sign-off with a confirmation of a decision, by an officer's own key."""
    if officer not in world.keys:
        world.keys[officer] = add_key(ask)
    return BY_SESSION | {"confirmation": confirm(ask, world.keys[officer], decision)["confirmation"]}


def signed_by(h: Hand, kind: str, verb: str, record: str, base: int, fields: Any) -> dict[str, Any]:
    """The same for whoever is signed in at a hand."""
    decision = {"kind": kind, "verb": verb, "record": record, "base": base, "fields": fields}
    return signed(h.world, h.officer, by_hand(h), decision)


def signed_at(world: World, terminal: Terminal, kind: str, verb: str, record: str, base: int, fields: Any) -> Any:
    """The same for whoever is signed in at a headless terminal."""
    assert terminal.session is not None
    decision = {"kind": kind, "verb": verb, "record": record, "base": base, "fields": fields}
    return signed(world, terminal.session.officer, terminal.ask, decision)


RELEASING = {"kind": "person", "verb": "release", "base": 1, "fields": {}}
"""A decision, but for whom it is about."""


def by_caller(caller: Caller) -> Ask:
    """Requests of a caller, which must succeed."""

    def ask(method: str, path: str, body: Any) -> dict[str, Any]:
        response = caller.ask(method, path, body)
        assert response.status_code < 300, response.data
        found: dict[str, Any] = orjson.loads(response.data)
        return found

    return ask


def code_of(world: World, secret: str, later: int = 0) -> str:
    """The code that an authenticator app shows in the world, so many steps later."""
    return pyotp.TOTP(secret).generate_otp(world.services.clock.now() // 30_000 + later)


def right_body(world: World, route: str, caller: Caller) -> Any:
    """A right body for a route of factors or confirmations; for a caller who is not signed in, one of the right form."""
    decision = RELEASING | {"record": world.ids["p1"]}
    nobody = caller.token is None
    ask, unknown = by_caller(caller), {"challenge": world.ids["p1"], "label": "钥匙"}
    if route in ("POST /v1/factors/webauthn/options", "POST /v1/factors/totp"):
        return {"secret": SECRET}
    if route == "POST /v1/factors/webauthn":
        offered = {} if nobody else ask("POST", "/v1/factors/webauthn/options", {"secret": SECRET})
        return unknown | ({"challenge": offered["challenge"]} if offered else {}) | {
            "credential": Authenticator().create(offered["options"]) if offered else {}
        }  # fmt: skip
    if route == "POST /v1/factors/totp/activate":
        offered = {} if nobody else ask("POST", "/v1/factors/totp", {"secret": SECRET})
        code = code_of(world, offered["secret"]) if offered else "000000"
        return unknown | ({"challenge": offered["challenge"]} if offered else {}) | {"code": code}
    key = None if nobody else add_key(ask)
    if route == "POST /v1/confirmations/options" or key is None:
        return decision
    offered = ask("POST", "/v1/confirmations/options", decision)
    return decision | {"challenge": offered["challenge"], "credential": key.get(offered["webauthn"])}


def new_factor(caller: Caller) -> str:
    """The id of a factor of the caller's own, if he is signed in."""
    if caller.token is None:
        return uuid7()
    ask = by_caller(caller)
    add_key(ask)
    return str(ask("GET", "/v1/factors", None)["factors"][-1]["factor"])
