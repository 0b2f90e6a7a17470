"""From what the store has to the rows of a bundle, and what leaves and operations say. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson

from backend.kernel.clock import to_text
from backend.kernel.ids import b64
from backend.kernel.strict_json import Unreadable, read_object

FINAL, HELD = "operation", "held"
ENROLMENTS = ("terminal.enrolled", "incarnation.issued")
_TEXTS = ("kind", "verb", "record", "officer", "session", "observed_at", "recorded_at")
Version = tuple[str, int]
"""Record and version."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf in its place, and what it says."""

    epoch: int
    position: int
    body: bytes
    said: Mapping[str, Any]

    @classmethod
    def read(cls, row: Any) -> Self:
        """Raises ValueError, KeyError for what is no leaf."""
        return cls(row.epoch, row.position, row.body, orjson.loads(row.body))

    @property
    def act(self) -> str:
        return str(self.said["act"])

    def is_outcome(self) -> bool:
        """Whether it gives an operation's outcome or receipt."""
        return self.act in (FINAL, HELD)

    def operation(self) -> tuple[str, int, int]:
        """The operation that it gives the outcome or receipt of."""
        return self.said["terminal"], self.said["incarnation"], self.said["n"]

    def versions(self) -> Iterator[tuple[Version, str]]:
        """The versions that the operation made, each with the digest of its bytes."""
        if not self.is_outcome():
            return
        if "row" in self.said:
            yield (self.said["record"], self.said["version"]), self.said["row"]
        for record, version, digest in self.said.get("also", ()):
            yield (record, version), digest

    def row(self, path: str | None) -> dict[str, Any]:
        """Its row in ``leaves``."""
        return {
            "epoch": self.epoch,
            "position": self.position,
            "act": self.act,
            "at": self.said["at"],
            "body": self.body.decode(),
            "path": path,
        }


@dataclass(frozen=True, slots=True)
class Operation:
    """Its row in ``operations``, and what its bytes say; nothing where they cannot be read."""

    row: dict[str, Any]
    said: Mapping[str, Any]


def read(raw: bytes) -> Mapping[str, Any]:
    """What an operation's bytes say; of a quarantined one they may be anything."""
    try:
        return read_object(raw)
    except Unreadable:
        return {}


def texts_of(said: Mapping[str, Any]) -> dict[str, str | None]:
    """What stands in columns of their own, as far as it is text."""
    signoff = said.get("signoff")
    named = signoff.get("confirmation") if isinstance(signoff, dict) else None
    found = {name: said.get(name) for name in _TEXTS} | {"confirmation": named}
    return {name: value if isinstance(value, str) else None for name, value in found.items()}


def operation_row(row: Any, start: bytes) -> Operation:
    """``row``: of ``operations`` with the hash before it; ``start``: the one at the beginning of its chain."""
    said = read(row.raw)
    return Operation(
        {
            "terminal": row.terminal,
            "incarnation": row.incarnation,
            "n": row.n,
            "op": row.op,
            "status": row.status,
            **texts_of(said),
            "received_at": to_text(row.received_at),
            "hash": b64(row.hash),
            "prior": b64(start if row.n == 1 else row.prior),
            "raw": row.raw,
            "outcome": row.outcome.decode(),
            "epoch": row.epoch,
            "leaf": row.leaf,
        },
        said,
    )


def receipt_row(row: Any) -> dict[str, Any]:
    """The row in ``receipts`` of an operation that waits or waited."""
    return {
        "terminal": row.terminal,
        "incarnation": row.incarnation,
        "n": row.n,
        "receipt": row.receipt.decode(),
        "received_at": to_text(row.held_at),
        "deadline": to_text(row.deadline),
        "settled_at": None if row.settled_at is None else to_text(row.settled_at),
        "epoch": row.held_epoch,
        "leaf": row.held_leaf,
    }


def version_row(leaf: Leaf, body: bytes) -> dict[str, Any]:
    """The row in ``versions`` of what the operation of a leaf made."""
    said = orjson.loads(body)
    names = ("version", "kind", "partition", "state", "seq", "op", "received_at")
    own = {"record": said["id"]} | {name: said[name] for name in names}
    return own | {"body": body.decode(), "epoch": leaf.epoch, "leaf": leaf.position}


def anchor_of(said: Mapping[str, Any]) -> tuple[int, int, str] | None:
    """Epoch, size and root of the head that an operation names; of a quarantined one they may be anything."""
    anchor = said.get("anchor")
    if not isinstance(anchor, dict):
        return None
    epoch, size, root = anchor.get("epoch"), anchor.get("size"), anchor.get("root")
    if type(epoch) is not int or type(size) is not int or not isinstance(root, str):
        return None
    return (epoch, size, root) if 0 < epoch < 2**31 and 0 < size < 2**53 else None


def files_of(operation: Operation) -> list[dict[str, Any]]:
    """The files that an operation names: digest, place and use."""
    place = {name: operation.row[name] for name in ("terminal", "incarnation", "n")}
    return [{"digest": digest, **place, "use": use} for digest, use in named_files(operation.said)]


def named_files(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(digest, use) of the files that an operation names, each once."""
    attached, signoff = said.get("attachments"), said.get("signoff")
    evidence = signoff.get("evidence") if isinstance(signoff, dict) else None
    named = [(each, "attachment") for each in attached] if isinstance(attached, list) else []
    shown = evidence if isinstance(evidence, list) else []
    named += [(each.get("digest"), "signoff") for each in shown if isinstance(each, dict)]
    return list(dict.fromkeys((digest, use) for digest, use in named if isinstance(digest, str)))
