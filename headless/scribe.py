"""A terminal that keeps its chain in memory: for load, and for a demo's past. Its work dies with the process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from headless import chain, proof
from headless.clock import Clock
from headless.errors import Broken
from headless.wire import Wire


@dataclass(frozen=True)
class Written:
    """A push that is ready to be sent: its proof and its body, with the operations' ids in order."""

    proof: str
    body: bytes
    ops: list[str]


class Scribe:
    """Enrols, signs in, writes operations and pushes. `wire` says where to."""

    def __init__(self, wire: Wire, clock: Clock) -> None:
        self.wire = wire
        self.clock = clock
        self.key = proof.Key(proof.new_key())
        self.n = 0
        self.incarnation = 1
        self._frames: list[tuple[int, str, bytes]] = []
        self._ops: list[str] = []

    def enrol(self, code: str, label: str) -> None:
        """Use a one-time code. Raises Problem, Offline, Broken."""
        body = {"code": code, "label": label, "jwk": self.key.jwk}
        answer = self.wire.ask(self.key, "POST", "/v1/terminals", body)
        self.facility: str = answer["facility"]["id"]
        self.terminal: str = answer["terminal"]
        self.server_key = answer["server_key"]
        self.incarnation = answer["incarnation"]
        self._prior = self._sent = answer["genesis"]
        self._keep(answer["head"])

    def sign_in(self, number: str, secret: str) -> dict[str, Any]:
        """Sign an officer in; what is written from now on is his."""
        answer = self.wire.ask(self.key, "POST", "/v1/sessions", {"number": number, "secret": secret})
        self.use(answer["officer"]["id"], answer["session"])
        self.token: str = answer["access_token"]
        return answer

    def use(self, officer: str, session: str) -> None:
        """Write for an officer who signed in before."""
        self.officer, self.session = officer, session

    def _keep(self, head: str) -> None:
        self._anchor = proof.verify_head(head, self.server_key, self.facility).anchor()

    def write(
        self,
        kind: str,
        verb: str,
        record: str,
        fields: dict[str, Any],
        *,
        base: int = 0,
        after: Sequence[str] = (),
        seen: dict[str, Any] | None = None,
        signoff: dict[str, Any] | None = None,
        observed_at: datetime | None = None,
    ) -> str:
        """Puts an operation on the chain; `pack` takes it into a push. Returns its id."""
        op, now = chain.uuid7(), self.clock.now()
        said = {
            "op": op,
            "terminal": self.terminal,
            "incarnation": self.incarnation,
            "n": self.n + 1,
            "kind": kind,
            "schema": 1,
            "verb": verb,
            "record": record,
            "base": base,
            "after": list(after),
            "officer": self.officer,
            "session": self.session,
            "observed_at": chain.rfc3339(observed_at or now),
            "recorded_at": chain.rfc3339(observed_at or now),
            "clock": {"boot": self.clock.boot, "monotonic": self.clock.monotonic()},
            "anchor": self._anchor,
            "signoff": signoff,
            "attachments": [],
            "fields": fields,
        }
        if seen is not None:
            said["seen"] = seen
        self._append(op, chain.canonical(said))
        return op

    def _append(self, op: str, raw: bytes) -> None:
        self.n += 1
        self._prior = chain.link(self._prior, self.n, raw)
        self._frames.append((self.n, self._prior, raw))
        self._ops.append(op)

    def renew(self, reason: str = "fork") -> None:
        """Asks for a new incarnation; what was not packed is wrapped again. The officer signs in anew."""
        new = proof.Key(proof.new_key())
        body = {"jwk": new.jwk, "proof": new.claim(self.terminal), "reason": reason}
        answer = self.wire.ask(self.key, "POST", "/v1/terminals/incarnations", body)
        kept = [(op, orjson.loads(raw)) for op, (_, _, raw) in zip(self._ops, self._frames, strict=True)]
        self.key, self.incarnation, self.n = new, answer["incarnation"], 0
        self._prior = self._sent = answer["genesis"]
        self._frames, self._ops = [], []
        self._keep(answer["head"])
        for op, said in kept:
            self._append(op, chain.canonical(said | {"incarnation": self.incarnation, "n": self.n + 1}))

    @property
    def waiting(self) -> int:
        """How many operations `pack` would take."""
        return len(self._frames)

    def pack(self) -> Written:
        """What was written since the last time, as one push. One that is sent later leaves a gap; it may be filled."""
        claims = {
            "facility": self.facility,
            "terminal": self.terminal,
            "incarnation": self.incarnation,
            "first": self._frames[0][0],
            "count": len(self._frames),
            "prior": self._sent,
            "last": self._prior,
            "captured": self.n,
        }
        written = Written(self.key.push(claims), chain.frames(self._frames), self._ops)
        self._sent, self._frames, self._ops = self._prior, [], []
        return written

    def push(self) -> list[dict[str, Any]]:
        """Packs and sends. Raises Broken when anything did not take effect: a scribe has no second try."""
        outcomes = self.send(self.pack())
        refused = [outcome for outcome in outcomes if outcome["status"] not in ("applied", "merged")]
        if refused:
            raise Broken(f"not applied: {refused[0]}")
        return outcomes

    def send(self, written: Written) -> list[dict[str, Any]]:
        """Sends what was packed, now or before; returns the outcomes as they are."""
        answer = self.wire.push(written.proof, written.body)
        self._keep(answer["head"])
        outcomes: list[dict[str, Any]] = answer["outcomes"]
        return outcomes
