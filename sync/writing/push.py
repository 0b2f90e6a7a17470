"""A push: proof and frames in, stored outcomes out (docs/protocol.md §6). An evacuation is one of a revoked terminal."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec

from backend.audit.highwater import HighWater
from backend.identity import incarnations
from backend.identity.proofs import EVACUATION, PUSH, PushClaim, PushProof
from backend.kernel import framing
from backend.kernel.framing import Frame, Malformed
from backend.kernel.keys import load_jwk
from backend.kernel.problems import Problem
from backend.kernel.seal import Seals, UnknownSeal, Unsealable
from backend.storage.engine import Store
from sync.judging.accept import Acceptance
from sync.writing.commit import Commits
from sync.writing.entrance import Entrance
from sync.writing.jobs import Answer, Job
from sync.writing.outcomes import document

Read = Callable[[], bytes]
"""Gives a push's body, at the speed of its sender."""


class Pusher:
    """Takes pushes. A terminal's key never changes within an incarnation, so it is remembered."""

    def __init__(
        self, store: Store, commits: Commits, acceptance: Acceptance, highwater: HighWater, seals: Seals
    ) -> None:
        self._store = store
        self._seals = seals
        self._commits = commits
        self._acceptance = acceptance
        self._highwater = highwater
        self._entrance = Entrance()
        self._keys: dict[tuple[str, int], tuple[str, ec.EllipticCurvePublicKey]] = {}

    def push(self, proof: str | None, read: Read, *, sealed: bool = False) -> bytes:
        """The answer's JSON. ``read`` is called once, when it is the push's turn, or not at all. ``sealed``: the frames
        hold operations as they lay in the terminal's store, sealed to this server.

        Raises Problem; then nothing was applied: of a fork only the bytes were kept, and for ``server.busy`` a resend
        tells. What ``read`` raises is passed on.
        """
        return document(*self._take(proof, read, PUSH, sealed))

    def evacuate(self, proof: str | None, read: Read, *, sealed: bool = False) -> bytes:
        """The same of a revoked terminal; the answer tells whether to wipe. Raises Problem as ``push``."""
        return document(*self._take(proof, read, EVACUATION, sealed), order=True)

    def _take(self, proof: str | None, read: Read, typ: str, sealed: bool) -> tuple[str, Answer]:
        """In the order of what it costs: who it is, whether he may come in, and only then what he brings."""
        claim = PushClaim(proof)
        self._entrance.look(claim.terminal)
        facility, key = self._key(claim.terminal, claim.incarnation)
        claims = claim.check(key, typ)
        with self._entrance.place(claims.terminal):
            body = read()
            frames = [] if typ == EVACUATION and not body else _frames(body)
            return claims.terminal, self._enter(claims, facility, self._opened(frames) if sealed else frames, typ)

    def _enter(self, claims: PushProof, facility: str, frames: list[Frame], typ: str) -> Answer:
        _check(claims, facility, frames)
        if claims.head is not None:
            self._highwater.shown(facility, claims.head, claims.terminal)
        operations = [self._acceptance.accept(frame, claims.terminal, claims.incarnation) for frame in frames]
        job = Job(
            facility, claims.terminal, claims.incarnation, lambda _end: operations, claims.prior, claims.captured,
            evacuation=typ == EVACUATION,
        )  # fmt: skip
        return self._commits.submit(job)

    def _opened(self, frames: list[Frame]) -> list[Frame]:
        """The frames with what was sealed in them: that is what was numbered, hashed and chained on the terminal."""
        opened = []
        for frame in frames:
            try:
                opened.append(Frame(frame.n, frame.hash, self._seals.open(frame.raw)))
            except UnknownSeal:
                raise Problem("seal.unknown", n=frame.n) from None
            except Unsealable:
                raise Problem("seal.broken", n=frame.n) from None
        return opened

    def _key(self, terminal: str, incarnation: int) -> tuple[str, ec.EllipticCurvePublicKey]:
        known = self._keys.get((terminal, incarnation))
        if known is None:
            facility, jwk = incarnations.key_of(self._store, terminal, incarnation)
            known = self._keys[terminal, incarnation] = (facility, load_jwk(jwk))
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
    told = (claims.facility, claims.count, claims.last)
    if told != (facility, len(frames), frames[-1].hash if frames else claims.prior):
        raise Problem("proof.invalid", "Roundsman-Proof")
    if frames and (claims.first != frames[0].n or claims.captured < frames[-1].n):
        raise Problem("proof.invalid", "Roundsman-Proof")
    prior = claims.prior
    for frame in frames:
        prior = framing.link(prior, frame.n, frame.raw)
        if prior != frame.hash:
            raise Problem("proof.invalid", "Roundsman-Proof")
