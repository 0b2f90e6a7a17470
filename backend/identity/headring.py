"""The keys that sign heads: the present one, those that it has followed, and how each handed over to the next.

A rotation is stated by the old key: for each facility a JWS over the new key and the last size that the old one signed
(docs/protocol.md §12). Who trusts the old key up to there trusts the new one from there on. Statements and public
keys stay in ``head.rotations.json``; the private key that was retired is destroyed. While a rotation is under way both
private keys are there, and each facility's row says which of them signs; so processes that share the folder agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from backend.audit.log import HEAD_TYPE
from backend.identity import keyfiles
from backend.kernel.ids import b64, sha256
from backend.kernel.keys import Jws, SigningKey, load_jwk, thumbprint
from backend.kernel.problems import Problem

ROTATION_TYPE = "roundsman-key-rotation+jwt"
PRESENT, NEXT, ROTATIONS = "head.pem", "head.next.pem", "head.rotations.json"
RETRY_AFTER = 60
Jwk = dict[str, str]
Rank = tuple[int, int]
"""Epoch and size of a head."""
_NOTHING = (0, 0)


@dataclass(frozen=True, slots=True)
class Rotation:
    """``old`` handed over to ``new`` (public keys) at ``at`` (RFC 3339). ``statements``: by facility, what ``old`` signed."""

    old: Jwk
    new: Jwk
    at: str
    statements: Mapping[str, str]

    @property
    def old_thumbprint(self) -> str:
        return thumbprint(self.old)

    def last(self, facility: str) -> Rank:
        """Epoch and size of the last head that the old key signed for a facility that it has stated. Raises ValueError."""
        said = Jws(self.statements[facility]).verify(load_jwk(self.old), ROTATION_TYPE)
        return said["epoch"], said["size"]


@dataclass(frozen=True, slots=True)
class Link:
    """A key in a facility's chain. ``statement``: the JWS of the key before it, None for the first.

    Its heads are those after ``after`` and up to ``upto``, by epoch and size; None: it still signs.
    """

    jwk: Jwk
    statement: str | None
    after: Rank
    upto: Rank | None


@dataclass(frozen=True, slots=True)
class _State:
    """What the folder had when it was read. ``coming``: the key of a rotation that is under way."""

    present: SigningKey
    coming: SigningKey | None
    rotations: tuple[Rotation, ...]

    @property
    def newest(self) -> SigningKey:
        return self.coming or self.present


class HeadRing:
    """Signs and verifies the heads of every facility, with the key that is right for each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: tuple[int, int] | None = None
        keyfiles.kept(folder / PRESENT, lambda: SigningKey.generate().pem())
        self._state = self._read()

    @property
    def newest(self) -> SigningKey:
        """The key that signs what no facility's row speaks of."""
        return self._state.newest

    @property
    def rotations(self) -> Sequence[Rotation]:
        """All rotations, the oldest first; the last one may be under way."""
        return self._state.rotations

    def signer(self, thumbprint: str) -> SigningKey:
        """The private key of a thumbprint, of an empty one the newest; the folder is read again for one unknown.

        Raises Problem ``server.behind`` when it is not there any more: the database is older than the key's end.
        """
        found = self._held(thumbprint)
        if found is None or not thumbprint:
            self._state = self._read()
            found = self._held(thumbprint)
        if found is None:
            raise Problem("server.behind", retry_after=RETRY_AFTER)
        return found

    def of(self, facility: str) -> SigningKey:
        """The private key that signs a facility's heads, and whatever its terminals are to believe."""
        return self.signer(thumbprint(self.chain(facility)[-1].jwk))

    def read(self, token: str) -> dict[str, Any]:
        """The payload of a head that the right key for its epoch and size has signed. Raises ValueError."""
        jws = Jws(token)
        kid = jws.header.get("kid", self.newest.thumbprint)
        facility = jws.payload.get("facility")
        if not isinstance(facility, str) or not isinstance(kid, str):
            raise ValueError("not a head")
        link = self._link(facility, kid)
        said = jws.verify(load_jwk(link.jwk), HEAD_TYPE)
        rank = (said["epoch"], said["size"])
        if rank <= link.after or (link.upto is not None and rank > link.upto):
            raise ValueError("signed by a key that was not the server's at that size")
        return said

    def chain(self, facility: str) -> list[Link]:
        """The keys that have signed a facility's heads, the first one first, each stated by the one before it.

        A command beside the server may have turned the key, and this process not have signed anything since.
        """
        if self._seen != self._stamp():
            self._state = self._read()
        state = self._state
        of_facility = [each for each in state.rotations if facility in each.statements]
        if not of_facility:
            return [Link(state.present.jwk, None, _NOTHING, None)]
        ends = [each.last(facility) for each in of_facility]
        found = [Link(of_facility[0].old, None, _NOTHING, ends[0])]
        for each, after, upto in zip(of_facility, ends, [*ends[1:], None], strict=True):
            found.append(Link(each.new, each.statements[facility], after, upto))
        return found

    def statements(self, facility: str) -> dict[Rank, tuple[str, str, str]]:
        """Where a facility's key changed, as ``audit.log.HeadReader`` says."""
        of_facility = [each for each in self._state.rotations if facility in each.statements]
        return {
            each.last(facility): (each.old_thumbprint, thumbprint(each.new), _digest(each.statements[facility]))
            for each in of_facility
        }

    # A rotation

    def exclusively(self) -> AbstractContextManager[None]:
        """One process at a time turns keys; another that wants to waits."""
        return keyfiles.locked(self._folder)

    def begin(self, at: str) -> SigningKey:
        """The next key, made durable with the beginning of its rotation; that of one under way, if there is one."""
        coming = SigningKey.from_pem(keyfiles.kept(self._folder / NEXT, lambda: SigningKey.generate().pem()))
        state = self._state = self._read()
        if not any(each.new == coming.jwk for each in state.rotations):
            self._write([*state.rotations, Rotation(state.present.jwk, coming.jwk, at, {})])
        return coming

    def state(self, facility: str, last: Rank, at: str) -> str:
        """The old key's statement of the last head that it signs for a facility: made durable, and returned."""
        state = self._state
        assert state.coming is not None
        said = {"facility": facility, "epoch": last[0], "size": last[1], "jwk": state.coming.jwk, "at": at}
        statement = state.present.sign({"typ": ROTATION_TYPE, "kid": state.present.thumbprint}, said)
        *before, under_way = state.rotations
        self._write([*before, replace(under_way, statements={**under_way.statements, facility: statement})])
        return statement

    def finish(self) -> None:
        """Destroys the old private key: nothing is signed by it any more."""
        keyfiles.supersede(self._folder / PRESENT, self._folder / NEXT)
        self._state = self._read()

    def _write(self, rotations: Sequence[Rotation]) -> None:
        plain = [{"old": r.old, "new": r.new, "at": r.at, "statements": dict(r.statements)} for r in rotations]
        keyfiles.replace(self._folder / ROTATIONS, orjson.dumps(plain, option=orjson.OPT_INDENT_2))
        self._state = self._read()

    def _read(self) -> _State:
        """One moment of the folder: what a rotation changes meanwhile is read again."""
        while True:
            self._seen = self._stamp()
            present, coming, rotations = (self._bytes(name) for name in (PRESENT, NEXT, ROTATIONS))
            if present == self._bytes(PRESENT):
                break
        assert present is not None
        found = tuple(Rotation(**each) for each in orjson.loads(rotations or b"[]"))
        key = None if coming is None else SigningKey.from_pem(coming)
        under_way = key is not None and bool(found) and found[-1].new == key.jwk
        return _State(SigningKey.from_pem(present), key if under_way else None, found)

    def _stamp(self) -> tuple[int, int] | None:
        """Which file of rotations it is: each one takes the place of the one before, and none is changed."""
        try:
            found = (self._folder / ROTATIONS).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _bytes(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def _held(self, thumbprint: str) -> SigningKey | None:
        state = self._state
        if not thumbprint:
            return state.newest
        held = (state.present, state.coming)
        return next((key for key in held if key is not None and key.thumbprint == thumbprint), None)

    def _link(self, facility: str, kid: str) -> Link:
        """The key of a thumbprint in a facility's chain. Raises ValueError."""
        for _ in range(2):
            for link in self._every(facility):
                if thumbprint(link.jwk) == kid:
                    return link
            self._state = self._read()
        raise ValueError("not a key of this server")

    def _every(self, facility: str) -> list[Link]:
        """The facility's chain; while a rotation is under way that has not come to it, also the key that is coming."""
        state = self._state
        found = self.chain(facility)
        if state.coming is not None and facility not in state.rotations[-1].statements:
            found.append(Link(state.coming.jwk, None, found[-1].after, None))
        return found


def _digest(statement: str) -> str:
    """How a leaf names a statement."""
    return b64(sha256(statement.encode()))
