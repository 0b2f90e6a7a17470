"""A push: proof and frames in, stored outcomes out (docs/protocol.md §6)."""

from __future__ import annotations

import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from backend.identity import terminals
from backend.identity.proofs import PushClaim, PushProof
from backend.kernel import framing
from backend.kernel.clock import to_text
from backend.kernel.framing import Frame, Malformed
from backend.kernel.keys import load_jwk
from backend.kernel.problems import Problem
from backend.storage.engine import Store
from sync.accept import Acceptance
from sync.commit import Commits
from sync.jobs import Answer, Job


class Pusher:
    """Takes pushes. Terminals' keys never change within an incarnation, so they are remembered."""

    def __init__(self, store: Store, commits: Commits, acceptance: Acceptance) -> None:
        self._store = store
        self._commits = commits
        self._acceptance = acceptance
        self._keys: dict[str, tuple[str, ec.EllipticCurvePublicKey]] = {}

    def push(self, proof: str | None, body: bytes) -> bytes:
        """The answer's JSON. Raises Problem; then nothing was applied, or, for ``server.busy``, a resend tells."""
        claim = PushClaim(proof)
        facility, key = self._key(claim.terminal)
        claims = claim.check(key)
        frames = _frames(body)
        _check(claims, facility, frames)
        operations = [self._acceptance.accept(frame, claims.terminal, claims.incarnation) for frame in frames]
        here = (facility, claims.terminal, claims.incarnation)
        job = Job(*here, lambda _end: operations, claims.prior, claims.captured)
        return _document(claims, self._commits.submit(job))

    def _key(self, terminal: str) -> tuple[str, ec.EllipticCurvePublicKey]:
        known = self._keys.get(terminal)
        if known is None:
            found = terminals.by_id(self._store, terminal)
            known = self._keys[terminal] = (found.facility, load_jwk(found.jwk))
        return known


def _frames(body: bytes) -> list[Frame]:
    if len(body) > framing.MAX_BODY:
        raise Problem("batch.too_large", limit=framing.MAX_BODY)
    try:
        frames = framing.read(body)
    except Malformed as fault:
        raise Problem("frame.malformed", at=fault.where) from None
    if len(frames) > framing.MAX_OPERATIONS:
        raise Problem("batch.too_large", limit=framing.MAX_OPERATIONS)
    return frames


def _check(claims: PushProof, facility: str, frames: list[Frame]) -> None:
    """The proof describes this body, and the body's chain holds from ``prior`` to ``last``."""
    told = (claims.facility, claims.first, claims.count, claims.last)
    if told != (facility, frames[0].n, len(frames), frames[-1].hash) or claims.captured < frames[-1].n:
        raise Problem("proof.invalid", "Roundsman-Proof")
    prior = claims.prior
    for frame in frames:
        prior = framing.link(prior, frame.n, frame.raw)
        if prior != frame.hash:
            raise Problem("proof.invalid", "Roundsman-Proof")


def _document(claims: PushProof, answer: Answer) -> bytes:
    outcomes = b",".join(answer.outcomes)
    begin = {"terminal": claims.terminal, "incarnation": claims.incarnation, "epoch": answer.epoch, "next": answer.next}
    end = {"head": answer.head, "time": to_text(answer.now)}
    return orjson.dumps(begin)[:-1] + b',"outcomes":[' + outcomes + b"]," + orjson.dumps(end)[1:]
