"""One incarnation's chain, as a terminal in memory keeps it: bytes, numbers, hashes and what was learnt of each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from torture.keys import Key, b64u, frame, genesis, link

FINAL = frozenset({"applied", "merged", "conflict", "rejected", "quarantined", "escrowed"})


@dataclass(slots=True)
class Item:
    """An operation of the chain. ``said`` is None for bytes that are no operation; ``status`` until something is known.

    ``tag`` is what its maker intends: ``good``, ``bad`` (read and refused), ``poison`` (not readable).
    """

    n: int
    op: str | None
    raw: bytes
    hash: bytes
    said: dict[str, Any] | None
    tag: str
    status: str | None = None
    outcome: dict[str, Any] | None = None
    lost: bool = False
    kept: bool = False
    """The server does not take its schema: it stays, and what stands behind it goes over the gap."""
    frame: bytes = b""

    @property
    def final(self) -> bool:
        return self.status in FINAL


@dataclass
class Chain:
    """``items[n - 1]`` is number n."""

    facility: str
    terminal: str
    incarnation: int
    key: Key
    items: list[Item] = field(default_factory=list)
    safe: int = 0
    """Up to which number a verified backup has it."""

    def __post_init__(self) -> None:
        self.genesis = genesis(self.facility, self.terminal, self.incarnation, self.key.thumbprint)

    @property
    def last(self) -> int:
        return len(self.items)

    def prior(self, n: int) -> bytes:
        """The hash before a number."""
        return self.items[n - 2].hash if n > 1 else self.genesis

    def put(self, op: str | None, raw: bytes, said: dict[str, Any] | None, tag: str) -> Item:
        """Puts bytes behind the last number."""
        n = self.last + 1
        hash_ = link(self.prior(n), n, raw)
        item = Item(n, op, raw, hash_, said, tag, frame=frame(n, b64u(hash_), raw))
        self.items.append(item)
        return item

    def waiting(self) -> list[Item]:
        """What has no outcome yet and is still there."""
        return [item for item in self.items if item.status is None and not (item.lost or item.kept)]

    def take_up(self) -> None:
        """What a server did not take is offered again."""
        for item in self.items:
            item.kept = False

    def copy(self) -> Chain:
        """An older copy for later: the items themselves are copied, their outcomes too."""
        made = Chain(self.facility, self.terminal, self.incarnation, self.key)
        made.items, made.safe = [replace(item) for item in self.items], self.safe
        return made

    def push(self, first: int, last: int, head: str | None, *, evacuating: bool) -> tuple[str, bytes]:
        """Proof and body for these numbers; for none of them when ``last`` stands before ``first``."""
        claims = {
            "facility": self.facility,
            "terminal": self.terminal,
            "incarnation": self.incarnation,
            "first": first,
            "count": last - first + 1,
            "prior": b64u(self.prior(first)),
            "last": b64u(self.prior(last + 1)),
            "captured": self.last,
        } | ({} if head is None else {"head": head})
        kind = "roundsman-evacuation+jwt" if evacuating else "roundsman-push+jwt"
        proof = self.key.sign({"typ": kind, "kid": self.terminal}, claims)
        return proof, b"".join([item.frame for item in self.items[first - 1 : last]])
