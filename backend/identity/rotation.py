"""Handing the signing of heads over to a new key (docs/operations.md)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sqlalchemy import select

from backend.audit.log import append
from backend.identity.headring import HeadRing
from backend.kernel.clock import to_text
from backend.kernel.ids import b64, sha256
from backend.storage import tables
from backend.storage.door import Door, Transaction

_F = tables.facilities.c


@dataclass(frozen=True, slots=True)
class Rotated:
    """Thumbprints of the key that was retired and of the one that signs; the facilities that changed over."""

    old: str
    new: str
    facilities: tuple[str, ...]


def rotate(door: Door, ring: HeadRing) -> Rotated:
    """Makes a new key, has the old one state it in every facility with a leaf ``key.rotated``, and destroys the old one.

    Beside running servers; one that was interrupted is taken up again. From the leaf on, the new key signs the facility's
    heads. Raises Problem ``server.behind`` where a facility's database is older than what was signed: the others have
    changed over then, and the old key stays until this one has too.
    """
    with ring.exclusively():
        new = ring.begin(to_text(door.clock.now()))
        old = ring.rotations[-1].old_thumbprint
        turned: list[str] = []
        while left := _left(door, new.thumbprint):
            for facility in left:
                door.write(facility, partial(_turn, ring=ring, new=new.thumbprint))
            turned += left
        ring.finish()
    return Rotated(old, new.thumbprint, tuple(sorted({*turned, *ring.rotations[-1].statements})))


def _left(door: Door, new: str) -> list[str]:
    """The facilities whose heads another key signs."""
    with door.store.reading() as connection:
        return list(connection.execute(select(_F.facility).where(_F.key != new).order_by(_F.facility)).scalars())


def _turn(transaction: Transaction, ring: HeadRing, new: str) -> None:
    """Under the facility's lock: what the old key has signed last is known, and the next head is the new key's."""
    if transaction.key == new:
        return
    tree = transaction.tree
    statement = ring.state(transaction.facility, (tree.epoch, tree.size), to_text(transaction.now))
    old = ring.rotations[-1].old_thumbprint
    append(transaction, "key.rotated", {"from": old, "to": new, "statement": b64(sha256(statement.encode()))})
    transaction.key = new
