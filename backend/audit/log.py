"""Appending to the log and signing its heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from backend.audit import merkle
from backend.kernel.clock import from_text, to_text
from backend.kernel.ids import b64, unb64
from backend.kernel.keys import Jws, SigningKey
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


class HeadSealer:
    """Extends the tree at the end of a transaction and signs its head with the server's key."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self._header = {"typ": HEAD_TYPE, "kid": key.thumbprint}

    def seal(self, transaction: Transaction) -> bytes:
        """Takes the transaction's leaves into its tree; returns the new root."""
        tree = transaction.tree
        hashes = map(merkle.leaf_hash, transaction.leaves)
        tree.size, tree.peaks = merkle.extend(tree.size, tree.peaks, hashes)
        root = merkle.root(tree.peaks)
        payload = {"facility": transaction.facility, "epoch": tree.epoch, "size": tree.size, "root": b64(root)}
        tree.head = self._key.sign(self._header, payload | {"at": to_text(transaction.now)})
        return root


def read_head(token: str, key: ec.EllipticCurvePublicKey) -> dict[str, Any]:
    """``{facility, epoch, size, root, at}`` of a signed head. Raises ValueError."""
    return Jws(token).verify(key, HEAD_TYPE)


def anchor_of(token: str) -> dict[str, Any]:
    """``{epoch, size, root}`` of a head that this server signed itself: what an operation names as its anchor."""
    payload = orjson.loads(unb64(token.split(".")[1]))
    return {name: payload[name] for name in ("epoch", "size", "root")}


def signed_at(token: str) -> int:
    """The moment in milliseconds at which this server signed a head of its own."""
    return from_text(orjson.loads(unb64(token.split(".")[1]))["at"])
