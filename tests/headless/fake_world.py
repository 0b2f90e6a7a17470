"""What the fake server knows: one facility in memory, its log, its terminals' chains, its records."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.headless.fake_crypto import Signer, b64, digest, merkle, unb64
from tests.headless.fake_kinds import Refusal, State, applied, read_operation

OPERATION_MAX = 64 * 1024
SECRET = "a secret for tests"


def uuid7() -> str:
    """RFC 9562 section 5.7, without any order within a millisecond."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=value & ~(3 << 62) | 2 << 62))


class Failure(Exception):
    """A problem (section 8)."""

    def __init__(
        self,
        status: int,
        code: str,
        *,
        field: str | None = None,
        detail: dict[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.field, self.detail = status, code, field, detail
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """The problem's JSON."""
        told = {"type": "about:blank", "status": self.status, "title": self.code, "code": self.code}
        return told | {"field": self.field, "zh": "不行", "en": "no", "detail": self.detail or {}, "errors": []}


@dataclass
class Chain:
    """A terminal: its key and what it has sent. `taken[i]` is operation i+1."""

    id: str
    jwk: dict[str, str]
    thumbprint: str
    genesis: str
    incarnation: int = 1
    revoked: bool = False
    taken: list[tuple[str, bytes, dict[str, Any]]] = field(default_factory=list)

    def hash_before(self, n: int) -> str:
        """hash(n-1)."""
        return self.genesis if n == 1 else self.taken[n - 2][0]


class World:
    """One facility: a ward with two cells and a checkpoint, a second ward with one cell, two officers."""

    facility = "DEMO"

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.signer = Signer()
        self.nonce = b64(os.urandom(12))
        self.codes: dict[str, str | None] = {"7Q2MK8ZD41XT": None, "00000000000A": None}
        self.terminals: dict[str, Chain] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.sessions: set[str] = set()
        self.trouble: list[Failure] = []
        self.max_batch, self.max_bytes, self.epoch = 500, 4 * 1024 * 1024, 1
        self.leaves: list[bytes] = []
        self.kept = State()
        self.places: dict[str, str] = {}
        for code, kind, parent in (
            ("W", "ward", None),
            ("C1", "cell", "W"),
            ("C2", "cell", "W"),
            ("K", "checkpoint", "W"),
            ("V", "ward", None),
            ("D1", "cell", "V"),
        ):
            self._place(code, kind, parent)
        self.officers = {
            number: {
                "id": uuid7(),
                "number": number,
                "name": name,
                "posts": ["PAT"],
                "secret": SECRET,
                "wards": wards,
            }
            for number, name, wards in (("PAT", "王巡", ["W"]), ("PAT2", "李控", ["V"]))
        }

    def _place(self, code: str, kind: str, parent: str | None) -> None:
        id_ = self.places[code] = uuid7()
        doc: dict[str, Any] = {
            "type": kind,
            "code": code,
            "name": f"{code} 室",
            "parent": self.places[parent] if parent else None,
            "position": len(self.places),
            "tags": [],
        }
        self.kept.put(id_, "place", f"place/{id_}/base", "current", doc, self.now(), {})

    def now(self) -> str:
        """The server's time."""
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def head(self) -> str:
        """The newest head, signed (section 9)."""
        payload = {"facility": self.facility, "epoch": self.epoch, "size": len(self.leaves)}
        payload |= {"root": b64(merkle(self.leaves)), "at": self.now()}
        return self.signer.sign("roundsman-head+jwt", payload)

    def enrolled(self, code: str, key: str, jwk: dict[str, str]) -> Chain:
        """The terminal of this code and key; made on the first request."""
        if self.codes[code] == key:
            return self.terminal_of(key)
        id_ = uuid7()
        text = "".join(f"{part}\n" for part in ("roundsman/genesis/1", self.facility, id_, 1, key))
        self.codes[code] = key
        self.terminals[id_] = Chain(id_, jwk, key, b64(digest(text.encode())))
        self.leaves.append(f"enrolled {id_}".encode())
        return self.terminals[id_]

    def terminal_of(self, key: str) -> Chain:
        """By the thumbprint of its key."""
        for chain in self.terminals.values():
            if chain.thumbprint == key:
                return chain
        raise Failure(401, "proof.invalid")

    def receive(self, chain: Chain, prior: str, frames: list[tuple[int, str, bytes]]) -> dict[str, Any]:
        """Section 6. First the whole chain is looked at, then each unknown operation is applied."""
        first, next_ = frames[0][0], len(chain.taken) + 1
        if first > next_:
            raise Failure(409, "chain.gap", detail={"next": next_})
        if prior != chain.hash_before(first):
            raise Failure(409, "chain.fork")
        before = prior
        for n, claimed, raw in frames:
            before = b64(digest(b"roundsman/op/1\n" + unb64(before) + n.to_bytes(8, "big") + raw))
            if n < next_ and chain.taken[n - 1][1] != raw:
                raise Failure(409, "chain.fork")
            if claimed != before:
                raise Failure(401, "proof.invalid")
        for n, claimed, raw in frames[max(0, next_ - first) :]:
            chain.taken.append((claimed, raw, self._outcome(chain, n, raw)))
            self.leaves.append(raw)
        return {
            "terminal": chain.id,
            "incarnation": chain.incarnation,
            "epoch": self.epoch,
            "next": len(chain.taken) + 1,
            "outcomes": [chain.taken[n - 1][2] for n, _, _ in frames],
            "head": self.head(),
            "time": self.now(),
        }

    def _outcome(self, chain: Chain, n: int, raw: bytes) -> dict[str, Any]:
        try:
            operation = read_operation(raw)
            if (operation["terminal"], operation["incarnation"], operation["n"]) != (chain.id, chain.incarnation, n):
                raise ValueError("another terminal's, or another number")
        except ValueError as error:
            problem = {"code": "operation.unreadable", "field": None, "zh": "不可读", "en": str(error)}
            return {"n": n, "op": None, "status": "quarantined", "problem": problem}
        told = {"n": n, "op": operation["op"]}
        try:
            if operation["session"] not in self.sessions:
                raise Refusal("session.unknown", "session")
            told |= applied(self.kept, operation, self.now())
        except Refusal as refusal:
            problem = {"code": refusal.code, "field": refusal.field, "zh": "不行", "en": "no"}
            told |= {"status": "rejected", "problem": problem}
        self.kept.outcomes[operation["op"]] = told
        return told

    def scope(self, officer: dict[str, Any]) -> set[str]:
        """The partitions that an officer may read: his wards and what is in them."""
        wards = {self.places[code] for code in officer["wards"]}
        rows = [row for row in self.kept.rows.values() if row["kind"] == "place"]
        return {row["partition"] for row in rows if row["id"] in wards or row["doc"]["parent"] in wards}

    def page(self, officer: dict[str, Any], held: dict[str, int], limit: int) -> dict[str, Any]:
        """Section 7, in the order of sequence numbers over all partitions."""
        scope, at = self.scope(officer), self.kept.seq
        new = [
            row
            for row in sorted(self.kept.rows.values(), key=lambda row: int(row["seq"]))
            if row["partition"] in scope and row["seq"] > held.get(row["partition"], 0)
        ]
        chosen, more = new[:limit], len(new) > limit
        upto = chosen[-1]["seq"] if more else at
        partitions = [
            {"partition": name, "cursor": upto, "rows": [row for row in chosen if row["partition"] == name]}
            for name in sorted(scope)
            if held.get(name) is None or upto > held[name]
        ]
        gone = sorted(set(held) - scope)
        told = {"epoch": self.epoch, "at": at, "more": more, "partitions": partitions, "gone": gone}
        return told | {"head": self.head(), "time": self.now()}

    def lose(self, terminal: str, kept: int) -> None:
        """An older backup is restored: of this terminal only `kept` operations are left, in a new epoch."""
        chain = self.terminals[terminal]
        for _, _, outcome in chain.taken[kept:]:
            self.kept.effects.pop(outcome["op"], None)
            row = self.kept.rows.get(outcome.get("record", ""))
            if row is not None:
                del self.kept.rows[row["id"]]
        del chain.taken[kept:]
        self.epoch += 1

    def state(self) -> dict[str, Any]:
        """Everything that a test compares."""
        terminals = {
            chain.id: [
                {"n": n, "hash": hash_, "raw": b64(raw), "outcome": outcome}
                for n, (hash_, raw, outcome) in enumerate(chain.taken, 1)
            ]
            for chain in self.terminals.values()
        }
        scopes = {number: sorted(self.scope(officer)) for number, officer in self.officers.items()}
        rows = sorted(self.kept.rows.values(), key=lambda row: int(row["seq"]))
        told = {"terminals": terminals, "rows": rows, "scopes": scopes, "effects": self.kept.effects}
        return dict(json.loads(json.dumps(told)))
