"""The chains of the fake server's terminals: gaps, forks, incarnations, custody, evacuation (protocol section 6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.headless.fake_crypto import b64, digest, unb64
from tests.headless.fake_kinds import State, applied, read_operation
from tests.headless.fake_refusals import Failure, Missing, Refusal

SUPPORTED = [1]
UNTIL = "2099-01-01T00:00:00.000Z"
Frames = list[tuple[int, str, bytes]]


@dataclass
class Link:
    """One operation as it came, and what became of it."""

    hash: str
    raw: bytes
    outcome: dict[str, Any]


@dataclass
class Chain:
    """One incarnation of a terminal. `priors[n]`: the hash(n-1) that a run beyond a gap claims."""

    id: str
    jwk: dict[str, str]
    thumbprint: str
    genesis: str
    incarnation: int = 1
    revoked: bool = False
    frozen: bool = False
    wiped: bool = False
    captured: int = 0
    safe: int = 0
    taken: dict[int, Link] = field(default_factory=dict)
    priors: dict[int, str] = field(default_factory=dict)

    @property
    def next(self) -> int:
        """The first number that is lacking."""
        return next(n for n in range(1, len(self.taken) + 2) if n not in self.taken)

    @property
    def missing(self) -> list[list[int]]:
        """Ranges that are lacking below the highest number."""
        ranges: list[list[int]] = []
        for n in range(1, max(self.taken, default=0)):
            if n in self.taken:
                continue
            if ranges and ranges[-1][1] == n - 1:
                ranges[-1][1] = n
            else:
                ranges.append([n, n])
        return ranges

    def hash_of(self, n: int) -> str | None:
        """hash(n), as far as it is known."""
        return self.genesis if n == 0 else self.taken[n].hash if n in self.taken else self.priors.get(n + 1)


class Chains:
    """All terminals of a facility."""

    def __init__(self, facility: str, state: State) -> None:
        self.facility, self.state = facility, state
        self.present: dict[str, Chain] = {}
        self.ended: list[Chain] = []
        self.sessions: set[str] = set()
        self.quarantine: list[bytes] = []
        self.custody: list[tuple[Chain, int]] = []

    def begin(self, id_: str, jwk: dict[str, str], key: str, incarnation: int) -> Chain:
        """A chain without operations, present from here on."""
        text = "".join(f"{part}\n" for part in ("roundsman/genesis/1", self.facility, id_, incarnation, key))
        chain = Chain(id_, jwk, key, b64(digest(text.encode())), incarnation)
        if id_ in self.present:
            self.ended.append(self.present[id_])
        self.present[id_] = chain
        return chain

    def succeed(self, chain: Chain, jwk: dict[str, str], key: str) -> Chain:
        """The next incarnation, for this key. `chain` is that of the key which asks."""
        present = self.present[chain.id]
        if present.thumbprint == key and present.incarnation == chain.incarnation + 1:
            return present  # the answer was lost
        if present is not chain:
            raise Failure(409, "incarnation.taken")
        chain.frozen = True
        return self.begin(chain.id, jwk, key, chain.incarnation + 1)

    def of_key(self, key: str) -> Chain:
        """By the thumbprint of its key, ended ones too."""
        for chain in (*self.present.values(), *self.ended):
            if chain.thumbprint == key:
                return chain
        raise Failure(401, "terminal.unknown")

    def receive(self, chain: Chain, prior: str, frames: Frames, now: str) -> list[dict[str, Any]]:
        """A push: the whole of it is looked at first, then each unknown operation is judged."""
        self._known(chain, prior, frames)
        if not chain.revoked:
            self._supported(chain, frames)
        if frames and frames[0][0] - 1 and frames[0][0] - 1 not in chain.taken:
            chain.priors[frames[0][0]] = prior
        for n, claimed, raw in frames:
            if n not in chain.taken:
                gap = n > chain.next
                chain.taken[n] = Link(claimed, raw, {})
                chain.taken[n].outcome = self._outcome(chain, n, raw, now, gap)
        self.judge_held(now)
        return [chain.taken[n].outcome for n, _, _ in frames]

    def _known(self, chain: Chain, prior: str, frames: Frames) -> None:
        if not frames:
            return
        first, before = frames[0][0], prior
        if chain.hash_of(first - 1) not in (None, prior):
            self._fork(chain, first, frames)
        for n, claimed, raw in frames:
            before = b64(digest(b"roundsman/op/1\n" + unb64(before) + n.to_bytes(8, "big") + raw))
            if n in chain.taken and chain.taken[n].raw != raw:
                self._fork(chain, n, frames)
            if claimed != before:
                raise Failure(401, "proof.invalid")
            if chain.priors.get(n + 1, before) != before:
                self._fork(chain, n, frames)

    def _fork(self, chain: Chain, n: int, frames: Frames) -> None:
        chain.frozen = True
        self.quarantine += [raw for _, _, raw in frames]
        raise Failure(409, "chain.fork", detail={"n": n})

    def _supported(self, chain: Chain, frames: Frames) -> None:
        for n, _, raw in frames:
            try:
                operation = read_operation(raw)
            except ValueError:
                continue
            if n not in chain.taken and operation["schema"] not in SUPPORTED:
                told = {"kind": operation["kind"], "n": n, "supported": SUPPORTED}
                raise Failure(426, "schema.unsupported", detail=told)

    def _outcome(self, chain: Chain, n: int, raw: bytes, now: str, gap: bool) -> dict[str, Any]:
        try:
            operation = read_operation(raw)
            if (operation["terminal"], operation["incarnation"], operation["n"]) != (chain.id, chain.incarnation, n):
                raise ValueError("another terminal's, or another number")
        except ValueError as error:
            problem = {"code": "operation.unreadable", "field": None, "zh": "不可读", "en": str(error)}
            return {"n": n, "op": None, "status": "quarantined", "problem": problem}
        before = self._before(chain, operation["op"])
        if before is not None:
            old, number = before
            repeats = {"incarnation": old.incarnation, "n": number}
            return old.taken[number].outcome | {"n": n, "repeats": repeats}
        told = {"n": n, "op": operation["op"]}
        if chain.revoked:
            return told | {
                "status": "escrowed",
                "problem": {"code": "terminal.evacuated", "zh": "托管", "en": "in escrow"},
            }
        told |= self._judged(operation, now, forced=False)
        if told["status"] == "held":
            self.custody.append((chain, n))
        elif gap and "marks" in told:
            told["marks"] = [*told["marks"], {"code": "chain.gap", "rule": None}]
        self.state.outcomes[operation["op"]] = told
        return told

    def _before(self, chain: Chain, op: str) -> tuple[Chain, int] | None:
        for old in self.ended:
            for n, link in old.taken.items():
                if old.id == chain.id and link.outcome.get("op") == op:
                    return old, n
        return None

    def _judged(self, operation: dict[str, Any], now: str, *, forced: bool) -> dict[str, Any]:
        try:
            if operation["session"] not in self.sessions:
                raise Refusal("session.unknown", "session")
            return applied(self.state, operation, now, forced=forced)
        except Refusal as refusal:
            problem = {"code": refusal.code, "field": refusal.field, "zh": "不行", "en": "no"}
            return {"status": "rejected", "problem": problem}
        except Missing as missing:
            problem = {"code": "operation.held", "zh": "收存", "en": "in custody"}
            return {"status": "held", "missing": missing.needs, "until": UNTIL, "problem": problem}

    def judge_held(self, now: str, *, forced: bool = False) -> None:
        """Judge what is in custody and has all it needs; all of it when its time is over (`forced`)."""
        moved = True
        while moved:
            moved = False
            for chain, n in list(self.custody):
                link = chain.taken[n]
                operation = read_operation(link.raw)
                told = {"n": n, "op": operation["op"]} | self._judged(operation, now, forced=forced)
                if told["status"] != "held":
                    link.outcome = self.state.outcomes[operation["op"]] = told
                    self.custody.remove((chain, n))
                    moved = True
