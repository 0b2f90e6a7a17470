"""What the fake server knows: one facility in memory, its log, its terminals' chains, its records."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.headless.fake_chains import Chain, Chains
from tests.headless.fake_crypto import Signer, b64, merkle, uuid7
from tests.headless.fake_kinds import State
from tests.headless.fake_log import Log
from tests.headless.fake_refusals import Failure
from tests.headless.fake_rows import Rows

__all__ = ["Failure", "World"]

OPERATION_MAX = 64 * 1024
SECRET = "a secret for tests"


class World:
    """One facility: a ward with two cells and a checkpoint, a second ward with one cell, two officers."""

    facility = "DEMO"

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.nonce = b64(os.urandom(12))
        self.codes: dict[str, str | None] = {"7Q2MK8ZD41XT": None, "00000000000A": None}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.refreshing: dict[str, tuple[dict[str, Any], int]] = {}
        """Refresh token → its session and generation."""
        self.lasts = 600
        """Seconds that an access token is good for."""
        self.trouble: list[Failure] = []
        self.max_batch, self.max_bytes, self.epoch = 500, 4 * 1024 * 1024, 1
        self.log = Log(self.facility)
        self.uncovered = False
        """No verified backup has what was handed in."""
        self.shown: list[dict[str, Any]] = []
        self.kept = State()
        self.chains = Chains(self.facility, self.kept)
        self.rows = Rows(self.kept)
        self.events: list[bytes] = []
        self.heartbeat: float = 15
        self.silent = 0.0
        self.hellos = 0
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
            for number, name, wards in (("PAT", "王巡", ["W"]), ("PAT2", "李巡", ["V"]))
        }

    @property
    def leaves(self) -> list[bytes]:
        """The log of the present epoch."""
        return self.log.leaves

    @leaves.setter
    def leaves(self, leaves: list[bytes]) -> None:
        self.log.leaves = leaves

    @property
    def signer(self) -> Signer:
        """The key that signs heads now."""
        return self.log.signer

    @property
    def terminals(self) -> dict[str, Chain]:
        """The present incarnation of each terminal."""
        return self.chains.present

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

    def person(self, cell: str, name: str = "张三") -> str:
        """A person is brought to a cell. Returns his id."""
        id_ = uuid7()
        doc = {"number": "1", "name": name, "sex": "m", "cell": self.places[cell], "state": "held"}
        self.kept.put(id_, "person", f"person/{id_}/base", "held", doc, self.now(), {})
        return id_

    def now(self) -> str:
        """The server's time."""
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def head(self) -> str:
        """The newest head, signed (section 12)."""
        payload = {"facility": self.facility, "epoch": self.epoch, "size": len(self.leaves)}
        payload |= {"root": b64(merkle(self.leaves)), "at": self.now()}
        return self.signer.sign("roundsman-head+jwt", payload)

    def tokens_of(self, session: dict[str, Any], generation: int) -> dict[str, Any]:
        """The tokens of a session (section 4): the refresh token of a generation is the same each time."""
        access, now = b64(os.urandom(24)), datetime.now(UTC)
        self.tokens[access] = session
        self.refreshing[refresh := f"{session['session']}.{generation}"] = (session, generation)
        ends = (now + timedelta(seconds=self.lasts)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {"access_token": access, "expires_at": ends, "refresh_token": refresh}
        told |= {"refresh_expires_at": "2099-01-01T00:00:00.000Z", "time": self.now()}
        return told | {"must_change": bool(session["officer"].get("must_change"))}

    def end(self, session: dict[str, Any]) -> None:
        """Ends a session."""
        session["ended"] = True
        self.tokens = {token: held for token, held in self.tokens.items() if held is not session}

    def end_all(self) -> None:
        """Ends every session."""
        for session in list(self.tokens.values()):
            self.end(session)

    def enrolled(self, code: str, key: str, jwk: dict[str, str]) -> Chain:
        """The terminal of this code and key; made on the first request."""
        if self.codes[code] == key:
            return self.chains.of_key(key)
        self.codes[code] = key
        chain = self.chains.begin(uuid7(), jwk, key, 1)
        self.leaves.append(f"enrolled {chain.id}".encode())
        return chain

    def receive(self, chain: Chain, claims: dict[str, Any], frames: list[tuple[int, str, bytes]]) -> dict[str, Any]:
        """Section 6."""
        if chain.frozen:
            raise Failure(409, "incarnation.frozen", detail={"incarnation": None})
        chain.captured = max(chain.captured, claims["captured"])
        known = set(chain.taken)
        outcomes = self.chains.receive(chain, claims["prior"], frames, self.now())
        self.leaves += [raw for n, _, raw in frames if n not in known]
        return self.standing(chain, outcomes)

    def standing(self, chain: Chain, outcomes: list[dict[str, Any]]) -> dict[str, Any]:
        """The answer of a push."""
        told = {"terminal": chain.id, "incarnation": chain.incarnation, "epoch": self.epoch, "next": chain.next}
        told |= {"missing": chain.missing, "safe_upto": chain.safe, "outcomes": outcomes}
        return told | {"head": self.head(), "time": self.now()}

    def scope(self, officer: dict[str, Any]) -> set[str]:
        """The partitions that an officer may read: his wards, what is in them, and who."""
        wards = {self.places[code] for code in officer["wards"]}
        rows = [row for row in self.kept.rows.values() if row["doc"] is not None]
        places = {
            row["id"]
            for row in rows
            if row["kind"] == "place" and (row["id"] in wards or row["doc"]["parent"] in wards)
        }
        persons = {row["partition"] for row in rows if row["kind"] == "person" and row["doc"]["cell"] in places}
        return {f"place/{id_}/base" for id_ in places} | persons

    def page(self, officer: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Section 7."""
        fresh = body.get("epoch", self.epoch) != self.epoch
        told = self.rows.page(
            self.scope(officer), body["partitions"], body["limit"], fresh, body.get("snapshots", False)
        )
        return {"epoch": self.epoch, **told, "head": self.head(), "time": self.now()}

    def backup(self) -> None:
        """A verified backup covers all that there is."""
        for chain in self.terminals.values():
            chain.safe = chain.next - 1

    def lose(self, terminal: str, kept: int) -> None:
        """An older backup is restored: of this terminal only `kept` operations are left, in a new epoch."""
        chain = self.terminals[terminal]
        for n in [n for n in chain.taken if n > kept]:
            outcome = chain.taken.pop(n).outcome
            self.kept.effects.pop(outcome["op"], None)
            self.kept.outcomes.pop(outcome["op"], None)
            self.kept.rows.pop(outcome.get("record", ""), None)
        chain.safe = min(chain.safe, kept)
        self.epoch += 1
        self.leaves = [f"epoch {self.epoch}".encode()]

    def say(self, name: str, data: dict[str, Any]) -> None:
        """An event of the stream."""
        self.events.append(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())

    def state(self) -> dict[str, Any]:
        """Everything that a test compares."""
        terminals = {
            chain.id: [
                {"n": n, "hash": link.hash, "raw": b64(link.raw), "outcome": link.outcome}
                for n, link in sorted(chain.taken.items())
            ]
            for chain in self.terminals.values()
        }
        scopes = {number: sorted(self.scope(officer)) for number, officer in self.officers.items()}
        rows = sorted(self.kept.rows.values(), key=lambda row: int(row["seq"]))
        told = {"terminals": terminals, "rows": rows, "scopes": scopes, "effects": self.kept.effects}
        told["wiped"] = [chain.id for chain in self.terminals.values() if chain.wiped]
        return dict(json.loads(json.dumps(told)))
