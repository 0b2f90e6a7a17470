"""A terminal that keeps its chain in memory: for load, and for a demo's past. Its work dies with the process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
        self._frames: list[tuple[int, str, bytes]] = []
        self._ops: list[str] = []

    def enrol(self, code: str, label: str) -> None:
        """Use a one-time code. Raises Problem, Offline, Broken."""
        body = {"code": code, "label": label, "jwk": self.key.jwk}
        answer = self.wire.ask(self.key, "POST", "/v1/terminals", body)
        self.facility: str = answer["facility"]["id"]
        self.terminal: str = answer["terminal"]
        self.server_key = answer["server_key"]
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
        signoff: dict[str, Any] | None = None,
        observed_at: datetime | None = None,
    ) -> str:
        """Puts an operation on the chain; `pack` takes it into a push. Returns its id."""
        op, now = chain.uuid7(), self.clock.now()
        said = {
            "op": op,
            "terminal": self.terminal,
            "incarnation": 1,
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
        raw = chain.canonical(said)
        self.n += 1
        self._prior = chain.link(self._prior, self.n, raw)
        self._frames.append((self.n, self._prior, raw))
        self._ops.append(op)
        return op

    @property
    def waiting(self) -> int:
        """How many operations `pack` would take."""
        return len(self._frames)

    def pack(self) -> Written:
        """What was written since the last time, as one push."""
        claims = {
            "facility": self.facility,
            "terminal": self.terminal,
            "incarnation": 1,
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
        """Packs and sends. Raises Broken when anything was not applied: a scribe has no second try."""
        written = self.pack()
        answer = self.wire.push(written.proof, written.body)
        self._keep(answer["head"])
        refused = [outcome for outcome in answer["outcomes"] if outcome["status"] != "applied"]
        if refused:
            raise Broken(f"not applied: {refused[0]}")
        outcomes: list[dict[str, Any]] = answer["outcomes"]
        return outcomes
