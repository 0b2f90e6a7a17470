"""Appending to the log and signing its heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from backend.audit import merkle
from backend.kernel.clock import from_text, to_text
from backend.kernel.ids import b64, unb64
from backend.kernel.keys import Jws, SigningKey
from backend.storage import tables
from backend.storage.door import Transaction

HEAD_TYPE = "roundsman-head+jwt"


def append(transaction: Transaction, act: str, facts: Mapping[str, Any]) -> int:
    """Adds one leaf and returns its position. ``act`` names what happened; ``facts`` are ids, digests and times."""
    position = transaction.tree.size + len(transaction.leaves)
    transaction.leaves.append(leaf(act, to_text(transaction.now), facts))
    return position


def leaf(act: str, at: str, facts: Mapping[str, Any]) -> bytes:
    """The bytes of a leaf; ``at`` is RFC 3339 text."""
    return orjson.dumps({"act": act, "at": at, **facts})


class Signers(Protocol):
    """The server's keys, by their thumbprints."""

    def signer(self, thumbprint: str) -> SigningKey:
        """The key of this thumbprint, of an empty one the newest. Raises Problem ``server.behind`` when it has gone."""
        ...


class HeadReader(Protocol):
    """Knows which of the server's keys signed which heads."""

    def read(self, token: str) -> dict[str, Any]:
        """The payload of a signed head. Raises ValueError when none of the keys signed it, or not this one."""
        ...

    def statements(self, facility: str) -> Mapping[tuple[int, int], tuple[str, str, str]]:
        """Where a facility's key changed: (epoch, size that the old key signed last) → thumbprints of old and new, and the
        SHA-256 of the old key's statement.
        """
        ...


HeadKeys = ec.EllipticCurvePublicKey | HeadReader
"""What heads are verified by: one key, or all that the server has had."""


class HeadSealer:
    """Extends the tree at the end of a transaction and signs its head with the key that the facility is at."""

    def __init__(self, keys: Signers) -> None:
        self._keys = keys

    def seal(self, transaction: Transaction) -> bytes:
        """Takes the transaction's leaves into its tree; returns the new root."""
        tree = transaction.tree
        hashes = map(merkle.leaf_hash, transaction.leaves)
        tree.size, tree.peaks, nodes = merkle.grow(tree.size, tree.peaks, hashes)
        if nodes:
            key = {"facility": transaction.facility, "epoch": tree.epoch}
            rows = [key | {"level": each.level, "position": each.position, "hash": each.hash} for each in nodes]
            transaction.insert(tables.nodes, rows)
        root = merkle.root(tree.peaks)
        payload = {"facility": transaction.facility, "epoch": tree.epoch, "size": tree.size, "root": b64(root)}
        signer = self._keys.signer(transaction.key)
        transaction.key = signer.thumbprint
        header = {"typ": HEAD_TYPE, "kid": signer.thumbprint}
        tree.head = signer.sign(header, payload | {"at": to_text(transaction.now)})
        return root


def read_head(token: str, keys: HeadKeys) -> dict[str, Any]:
    """``{facility, epoch, size, root, at}`` of a signed head. Raises ValueError."""
    if isinstance(keys, ec.EllipticCurvePublicKey):
        return Jws(token).verify(keys, HEAD_TYPE)
    return keys.read(token)


def anchor_of(token: str) -> dict[str, Any]:
    """``{epoch, size, root}`` of a head that this server signed itself: what an operation names as its anchor."""
    payload = orjson.loads(unb64(token.split(".")[1]))
    return {name: payload[name] for name in ("epoch", "size", "root")}


def signed_at(token: str) -> int:
    """The moment in milliseconds at which this server signed a head of its own."""
    return from_text(orjson.loads(unb64(token.split(".")[1]))["at"])
