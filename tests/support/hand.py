"""Pushes by hand: a terminal whose every byte, number and claim a test chooses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import orjson

from headless import chain, proof
from headless.patrol import BY_SESSION
from headless.terminal import Terminal
from headless.wire import Wire
from tests.support.sealing import Sealer
from tests.support.world import SECRET, TAGS, Device, World, looked, tag

PUSH = "http://localhost/v1/sync/push"
EVACUATE = "http://localhost/v1/sync/evacuate"
FRAMES = "application/vnd.roundsman.frames"
SEALED = "application/vnd.roundsman.sealed-frames"
Frames = list[tuple[int, str, bytes]]


def send(world: World, signed: str | None, body: bytes, to: str = PUSH, type_: str = FRAMES) -> httpx.Response:
    """Posts a push, well formed or not."""
    headers = {"Content-Type": type_} | ({} if signed is None else {"Roundsman-Proof": signed})
    with httpx.Client(transport=world.transport()) as client:
        return client.post(to, headers=headers, content=body)


def outcomes(response: httpx.Response) -> bytes:
    """The outcomes of an answer, as the bytes between their brackets."""
    assert response.status_code == 200, response.text
    content = response.content
    return content[content.index(b'"outcomes":[') + 12 : content.rindex(b'],"head":')]


def resend(world: World, terminal: Terminal, first: int, last: int) -> httpx.Response:
    """Sends numbers of a terminal's queue again, whatever their outcomes, cut as told."""
    identity, queue = terminal.identity, terminal.queue()
    before = queue[first - 2].hash if first > 1 else chain.genesis(
        identity.facility, identity.terminal, identity.incarnation, proof.thumbprint(proof.Key(identity.pem).jwk)
    )  # fmt: skip
    claims = {
        "facility": identity.facility,
        "terminal": identity.terminal,
        "incarnation": identity.incarnation,
        "first": first,
        "count": last - first + 1,
        "prior": before,
        "last": queue[last - 1].hash,
        "captured": len(queue),
    }
    body = chain.frames((each.n, each.hash, each.raw) for each in queue[first - 1 : last])
    return send(world, proof.Key(identity.pem).push(claims), body)


@dataclass
class Hand:
    """An enrolled terminal that writes by hand. ``frames`` are all that it ever wrote."""

    world: World
    code: str = ""
    officer: str = ""
    session: str = ""
    frames: Frames = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)
    """What every operation says instead of what it should."""
    incarnation: int = 1
    asset: str | None = None
    label: str = "by hand"
    sealer: Sealer | None = None
    """With it the frames that are sent hold what was sealed, and not the operations' own bytes."""

    def __post_init__(self) -> None:
        self.device = Device(self.world.clock)
        self.key = proof.Key(proof.new_key())
        self.wire = Wire("http://localhost", self.device, self.world.transport())
        body = {"code": self.code or self.world.code(), "label": self.label, "jwk": self.key.jwk}
        body |= {} if self.asset is None else {"asset": self.asset}
        answer = self.wire.ask(self.key, "POST", "/v1/terminals", body)
        self.facility, self.terminal = answer["facility"]["id"], answer["terminal"]
        self.genesis, self.server_key = answer["genesis"], answer["server_key"]
        self.seal_statement = answer["seal"]
        self.hear(answer["head"])

    def hear(self, head: str) -> None:
        """Takes a signed head as the anchor of what is written from now on."""
        self.anchor = proof.verify_head(head, self.server_key, self.facility).anchor()

    def signed_in(self, name: str) -> Hand:
        """Signs an officer in; what is written from now on is his."""
        body = {"number": name, "secret": SECRET}
        answer = self.wire.ask(self.key, "POST", "/v1/sessions", body)
        self.officer, self.session, self.token = answer["officer"]["id"], answer["session"], answer["access_token"]
        return self

    def pull(self, cursors: dict[str, int] | None = None, limit: int = 500) -> dict[str, Any]:
        """One page of a pull."""
        body = {"partitions": cursors or {}, "limit": limit}
        return self.wire.ask(self.key, "POST", "/v1/sync/pull", body, self.token)

    @property
    def n(self) -> int:
        return len(self.frames)

    def say(self, kind: str, verb: str, record: str, fields: Any, **other: Any) -> dict[str, Any]:
        """The next operation, complete; ``other`` keys replace or join its own."""
        now = chain.rfc3339(self.device.now())
        return {
            "op": chain.uuid7(),
            "terminal": self.terminal,
            "incarnation": self.incarnation,
            "n": self.n + 1,
            "kind": kind,
            "schema": 1,
            "verb": verb,
            "record": record,
            "base": 0,
            "after": [],
            "officer": self.officer,
            "session": self.session,
            "observed_at": now,
            "recorded_at": now,
            "clock": {"boot": self.device.boot, "monotonic": self.device.monotonic()},
            "anchor": self.anchor,
            "signoff": None,
            "attachments": [],
            "fields": fields,
        } | self.changes | other  # fmt: skip

    def put(self, raw: bytes) -> int:
        """Puts bytes on the chain, be they an operation or not; returns their number."""
        n = self.n + 1
        self.frames.append((n, chain.link(self.prior(n), n, raw), raw))
        return n

    def prior(self, n: int) -> str:
        """The hash before a number."""
        return self.frames[n - 2][1] if n > 1 else self.genesis

    def write(self, kind: str, verb: str, record: str, fields: Any, **other: Any) -> str:
        """Puts an operation on the chain; returns its id."""
        said = self.say(kind, verb, record, fields, **other)
        self.put(orjson.dumps(said))
        return str(said["op"])

    def claims(self, first: int = 1, last: int | None = None) -> dict[str, Any]:
        """What a proof of these numbers says."""
        last = self.n if last is None else last
        return {
            "facility": self.facility,
            "terminal": self.terminal,
            "incarnation": self.incarnation,
            "first": first,
            "count": last - first + 1,
            "prior": self.prior(first),
            "last": self.frames[last - 1][1],
            "captured": self.n,
        }

    def push(self, first: int = 1, last: int | None = None, /, **other: Any) -> httpx.Response:
        """Sends these numbers; ``other`` claims replace what the proof should say."""
        claims = self.claims(first, last) | other
        return self.send(self.key.push(claims), self.frames[first - 1 : last], PUSH)

    def evacuate(self, first: int = 1, last: int | None = None, /, **other: Any) -> httpx.Response:
        """Hands in these numbers as a revoked terminal does."""
        claims = self.claims(first, last) | other
        signed = self.key._sign(claims, {"typ": "roundsman-evacuation+jwt", "kid": self.terminal})
        return self.send(signed, self.frames[first - 1 : last], EVACUATE)

    def send(self, signed: str, frames: Frames, to: str) -> httpx.Response:
        """Posts frames under a proof, sealed if there is a sealer."""
        if self.sealer is None:
            return send(self.world, signed, chain.frames(frames), to)
        sealed = [(n, hash_, self.sealer.seal(raw)) for n, hash_, raw in frames]
        return send(self.world, signed, chain.frames(sealed), to, SEALED)

    def fetch(self, *numbers: int, incarnation: int | None = None) -> dict[str, Any]:
        """The stored outcomes of these numbers, with where the chain stands."""
        body = {"incarnation": self.incarnation if incarnation is None else incarnation, "numbers": list(numbers)}
        return self.wire.ask(self.key, "POST", "/v1/sync/outcomes", body)

    def ask_next(self, key: proof.Key, reason: str = "fork", **other: Any) -> dict[str, Any]:
        """Asks for the next incarnation for a key; ``other`` claims replace what that key's proof should say."""
        claims = {"terminal": self.terminal, "thumbprint": proof.thumbprint(key.jwk)} | other
        body = {"jwk": key.jwk, "proof": key._sign(claims, {"typ": "roundsman-key+jwt"}), "reason": reason}
        return self.wire.ask(self.key, "POST", "/v1/terminals/incarnations", body)

    def begin_again(self, reason: str = "fork") -> Frames:
        """Takes the next incarnation with a new key; returns the frames of the one that ended."""
        key = proof.Key(proof.new_key())
        answer = self.ask_next(key, reason)
        self.incarnation, self.genesis, self.key = answer["incarnation"], answer["genesis"], key
        before, self.frames = self.frames, []
        return before

    def told(self, first: int = 1, last: int | None = None) -> list[dict[str, Any]]:
        """Sends these numbers; returns their outcomes."""
        response = self.push(first, last)
        assert response.status_code == 200, response.text
        found: list[dict[str, Any]] = response.json()["outcomes"]
        return found

    # A round on foot

    def open(self, area: str = "W", **other: Any) -> tuple[str, str]:
        """Opens a round; returns its id and the operation's."""
        record = chain.uuid7()
        fields = {"area": self.world.ids[area], "companions": []}
        return record, self.write("patrol.round", "open", record, fields, **other)

    def visit(self, round_: str, code: str = "C1", *, observed_at: datetime | None = None, **fields: Any) -> str:
        """Records a stop: at a cell two who move and are calm unless told otherwise; returns the operation's id."""
        said = {
            "round": round_,
            "place": self.world.ids[code],
            "tag": tag(code) if code in TAGS else None,
            "cell": None if code == "K" else looked(),
            "note": None,
        }
        seen = {} if observed_at is None else {"observed_at": chain.rfc3339(observed_at)}
        return self.write("patrol.visit", "record", chain.uuid7(), said | fields, **seen)

    def close_round(self, round_: str, **other: Any) -> str:
        """Closes a round, signed; returns the operation's id."""
        fields = {"result": "completed", "reason": None, "visits": 0}
        other = {"base": 1, "signoff": BY_SESSION} | other
        return self.write("patrol.round", "close", round_, fields, **other)
