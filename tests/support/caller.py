"""Requests to the API as a terminal makes them, or as one does who wants in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
from werkzeug.test import TestResponse

from backend.identity import terminals
from backend.kernel.problems import CATALOGUE
from headless import proof
from headless.chain import frames
from tests.support.hand import FRAMES, Hand
from tests.support.world import FACILITY, SECRET, World

HOST = "http://localhost"
NOBODY = "nobody"
JSON = "application/json"


def is_problem(response: TestResponse) -> str:
    """The code of an answer that is a problem of the closed set, in the form that the protocol promises."""
    assert response.headers["Content-Type"] == "application/problem+json", response.data
    body = orjson.loads(response.data)
    entry = CATALOGUE[body["code"]]
    assert entry.status == body["status"] == response.status_code < 500, body
    assert (body["type"], body["title"], body["zh"], body["en"]) == ("about:blank", entry.en, entry.zh, entry.en)
    assert set(body) <= {"type", "status", "title", "code", "field", "zh", "en", "detail", "errors"}
    assert set(body.get("detail", {})) <= set(entry.detail)
    for error in body.get("errors", []):
        assert (error["zh"], error["en"]) == (CATALOGUE[error["code"]].zh, CATALOGUE[error["code"]].en)
    return entry.code


@dataclass
class Caller:
    """A terminal that asks by hand. ``token``: what it shows for an officer, if anything."""

    world: World
    key: proof.Key = field(default_factory=lambda: proof.Key(proof.new_key()))
    token: str | None = None
    nonce: str | None = None
    terminal: str = ""

    @classmethod
    def of(cls, world: World, name: str) -> Caller:
        """A newly enrolled terminal with an officer signed in, or NOBODY."""
        hand = Hand(world)
        if name != NOBODY:
            hand.signed_in(name)
        return cls(world, hand.key, getattr(hand, "token", None), world.services.nonces.fresh(), hand.terminal)

    def dpop(self, method: str, path: str, **claims: Any) -> str:
        """A right proof for the request, but for the claims given."""
        nonce = self.world.services.nonces.fresh()
        said = {"jti": str(uuid4()), "htm": method, "htu": HOST + path, "iat": 0, "nonce": nonce}
        if self.token is not None:
            said["ath"] = proof.b64u(proof.sha256(self.token.encode()))
        said = {name: value for name, value in (said | claims).items() if value is not None}
        return self.key._sign(said, {"typ": "dpop+jwt", "jwk": self.key.jwk})

    def headers(self, method: str, path: str) -> dict[str, str]:
        """The credentials of a right request."""
        token = {} if self.token is None else {"Authorization": f"DPoP {self.token}"}
        return {"DPoP": self.dpop(method, path)} | token

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **more: Any
    ) -> TestResponse:
        """A request. ``body``: bytes as they are, or anything as JSON; ``headers`` replace the credentials."""
        given = self.headers(method, path) if headers is None else headers
        data = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
        options = {"content_type": JSON} if data is not None else {}
        with self.world.app.test_client() as client:
            return client.open(path, method=method, data=data, headers=given, **(options | more))

    def next_incarnation(self) -> dict[str, Any]:
        """The body of a right request for the next incarnation of this terminal."""
        key = proof.Key(proof.new_key())
        claims = {"terminal": self.terminal, "thumbprint": proof.thumbprint(key.jwk)}
        return {"jwk": key.jwk, "proof": key._sign(claims, {"typ": "roundsman-key+jwt"}), "reason": "restored"}

    def sign_in(self, number: str, secret: str = SECRET) -> TestResponse:
        """A request to sign in."""
        return self.ask("POST", "/v1/sessions", {"number": number, "secret": secret})


def push_of(world: World, name: str = "PAT") -> tuple[bytes, dict[str, str]]:
    """Body and headers of a right push of one round."""
    hand = Hand(world).signed_in(name)
    hand.open()
    headers = {"Roundsman-Proof": hand.key.push(hand.claims()), "Content-Type": FRAMES}
    return frames(hand.frames), headers


def evacuation_of(world: World) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a right evacuation of one round."""
    hand = Hand(world).signed_in("PAT")
    hand.open()
    terminals.revoke(world.services.door, FACILITY, hand.terminal, "test")
    signed = hand.key._sign(hand.claims(), {"typ": "roundsman-evacuation+jwt", "kid": hand.terminal})
    return frames(hand.frames), {"Roundsman-Proof": signed, "Content-Type": FRAMES}


def moment(world: World) -> datetime:
    """The world's time."""
    return datetime.fromtimestamp(world.clock.now() / 1000, UTC)
