"""A terminal in memory: the whole protocol by hand, so that every byte, number, repetition and loss can be chosen.

One thread drives it. Whatever it captures, is told and throws away stands in its journal at that moment.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from torture.chain import Chain, Item
from torture.held import Held
from torture.journal import Journal, packed
from torture.keys import Key, b64u, to_text, unb64u, uuid7
from torture.line import Silence
from torture.town import SECRET
from torture.wire import Answer, Wire

PATIENCE = 0.5
"""At most so many seconds of a Retry-After are waited: the torture is a rude guest."""


@dataclass(frozen=True, slots=True)
class Seat:
    """An officer signed in."""

    number: str
    officer: str
    session: str
    token: str
    posts: tuple[str, ...]


@dataclass(slots=True)
class Device:
    """A clock that is wrong by ``wrong`` milliseconds, and a count since its start."""

    chance: random.Random
    wrong: int = 0
    boot: str = ""
    started: float = field(default_factory=time.monotonic)

    def restart(self) -> None:
        self.boot, self.started = uuid7(self.chance, self.now()), time.monotonic()

    def now(self) -> int:
        return time.time_ns() // 1_000_000 + self.wrong

    def clock(self) -> dict[str, Any]:
        return {"boot": self.boot, "monotonic": int((time.monotonic() - self.started) * 1000)}


class Light:
    """One terminal. ``abilities`` are the server's routes, so that what is not there is not asked for."""

    def __init__(
        self, name: str, journal: Journal, ports: Callable[[], list[int]], seed: str, routes: frozenset[str]
    ) -> None:
        self.name, self.journal, self.routes = name, journal, routes
        self.chance = random.Random(seed)
        self.wire = Wire(ports, random.Random(f"{seed}/wire"))
        self.second = Wire(ports, random.Random(f"{seed}/second"))
        self.device = Device(random.Random(f"{seed}/device"))
        self.device.restart()
        self.held = Held()
        self.seat: Seat | None = None
        self.reader: str | None = None
        self.epoch = 1
        self.anchor: dict[str, Any] = {}
        self.head: str | None = None
        self.old_head: str | None = None
        self.frozen: str | None = None
        self.revoked = self.gone = False
        self.keys: list[Key] = []
        self.former: list[Chain] = []
        self.wrapped: set[tuple[int, int]] = set()
        """(incarnation, number) of what stands on a newer chain too."""
        self.next_key: Key | None = None
        self.shelf: list[Key] = []
        """Keys of incarnations that a restored server does not know, the newest first: they are claimed once more."""

    # Identity

    def enrol(self, code: str) -> None:
        """Uses a one-time code; insists until it has an answer."""
        key = Key(self.chance)
        self.keys = [key]
        body = {"code": code, "label": self.name, "jwk": key.jwk}
        answer = self._insist(lambda: self.wire.ask(key, "POST", "/v1/terminals", body), 201)
        said = answer.json()
        self.server_key = said["server_key"]
        self.chain = Chain(said["facility"]["id"], said["terminal"], said["incarnation"], key)
        self.journal.note(
            "enrolled", terminal=said["terminal"], incarnation=said["incarnation"], genesis=said["genesis"],
            thumbprint=key.thumbprint, server_key=said["server_key"], head=said["head"],
        )  # fmt: skip
        self.hear(said["head"])

    def _insist(self, ask: Callable[[], Answer], status: int, seconds: float = 60) -> Answer:
        until = time.monotonic() + seconds
        while True:
            try:
                answer = ask()
                if answer.status == status:
                    return answer
                if answer.status not in (429, 503) or time.monotonic() > until:
                    raise RuntimeError(f"{self.name}: {answer.status} {answer.body[:300]!r}")
            except Silence:
                if time.monotonic() > until:
                    raise
            time.sleep(0.1)

    def hear(self, head: str) -> None:
        """Takes a signed head as the anchor of what is captured from now on, if it is newer."""
        told = orjson.loads(unb64u(head.split(".")[1]))
        if not self.anchor or (told["epoch"], told["size"]) > (self.anchor["epoch"], self.anchor["size"]):
            self.anchor = {name: told[name] for name in ("epoch", "size", "root")}
            self.head = head

    def sign_in(self, number: str) -> bool:
        """Signs an officer in; rows that another one pulled go. Whether it worked."""
        body = {"number": number, "secret": SECRET}
        answer = self.asked("sign_in", "POST", "/v1/sessions", body)
        if answer is None or answer.status != 201:
            return False
        said = answer.json()
        officer = said["officer"]
        self.seat = Seat(number, officer["id"], said["session"], said["access_token"], tuple(officer["posts"]))
        if self.reader != self.seat.officer:
            self.held, self.reader = Held(self.held.epoch), self.seat.officer
        self.journal.note("signed_in", number=number, officer=officer["id"], session=said["session"])
        return True

    def sign_out(self) -> None:
        """Ends the session, whatever the network says."""
        if self.seat is not None:
            officer = self.seat.officer
            self.asked("sign_out", "DELETE", "/v1/sessions/current")
            self.journal.note("signed_out", officer=officer)
            self.seat = None

    def asked(self, what: str, method: str, path: str, body: Any = None) -> Answer | None:
        """A proven request, journalled when it is not answered by success; None when no whole answer came."""
        key = self.keys[-1]
        token = self.seat.token if self.seat is not None and path != "/v1/sessions" else None
        try:
            answer = self.wire.ask(key, method, path, body, token)
        except Silence:
            self.journal.note("silence", route=what)
            return None
        if not answer.ok:
            self.refused(what, answer, key)
        return answer

    def refused(self, what: str, answer: Answer, key: Key) -> None:
        """Takes a refusal of what this key had proven."""
        self.journal.note(
            "refused", route=what, status=answer.status, code=answer.code, body=answer.body[:400].decode()
        )
        if answer.status in (429, 503):
            time.sleep(min(answer.retry_after, PATIENCE) * self.chance.uniform(1, 1.25))
        if answer.code in ("session.expired", "session.missing"):
            self.seat = None
        if answer.code == "terminal.revoked":
            self.revoked, self.seat = True, None
        if answer.code in ("terminal.unknown", "proof.invalid"):
            self._forgotten(key)

    def _forgotten(self, key: Key) -> None:
        """A restored server may be older than this incarnation: it knows the key of one before."""
        if key is not self.keys[-1]:
            return  # two answers may say it at once
        if len(self.keys) > 1:
            self.shelf.append(self.keys.pop())
            self.frozen, self.seat = self.frozen or "again", None
        else:
            self.end("terminal.unknown")

    def end(self, why: str) -> None:
        """This terminal is never heard of again."""
        self.journal.note("gone", why=why)
        self.gone = True

    # Capture

    def capture(
        self, kind: str, verb: str, record: str, fields: Any, *, tag: str = "good", observed: int | None = None,
        recorded: int | None = None, **other: Any,
    ) -> Item | None:  # fmt: skip
        """The next operation, complete; ``other`` keys replace or join its own. None when nobody is signed in."""
        if self.seat is None or self.gone or self.frozen:
            return None
        now = recorded if recorded is not None else self.device.now()
        said = {
            "op": uuid7(self.chance, self.device.now()), "terminal": self.chain.terminal,
            "incarnation": self.chain.incarnation, "n": self.chain.last + 1, "kind": kind, "schema": 1, "verb": verb,
            "record": record, "base": 0, "after": [], "officer": self.seat.officer, "session": self.seat.session,
            "observed_at": to_text(now if observed is None else observed), "recorded_at": to_text(now),
            "clock": self.device.clock(), "anchor": self.anchor, "signoff": None, "attachments": [], "fields": fields,
        } | other  # fmt: skip
        return self.put(orjson.dumps(said), said, tag)

    def put(self, raw: bytes, said: dict[str, Any] | None, tag: str, why: str | None = None) -> Item:
        """Puts bytes on the chain, be they an operation or not."""
        item = self.chain.put(said["op"] if said else None, raw, said, tag)
        self.journal.note(
            "captured", incarnation=self.chain.incarnation, n=item.n, op=item.op, raw=packed(raw),
            hash=b64u(item.hash), tag=tag, why=why,
        )  # fmt: skip
        return item

    # Push

    def push(self, first: int, last: int, *, wire: Wire | None = None) -> Answer | None:
        """Sends these numbers and learns from the answer; None when no whole answer came."""
        chain = self.chain
        route = "evacuate" if self.revoked else "push"
        shown = self._shown()
        proof, body = chain.push(first, last, shown, evacuating=self.revoked)
        headers = {"Content-Type": "application/vnd.roundsman.frames", "Roundsman-Proof": proof}
        self.journal.note(
            "push", route=route, incarnation=chain.incarnation, first=first, last=last, captured=chain.last, shown=shown
        )
        try:
            answer = (wire or self.wire).send("POST", f"/v1/sync/{route}", headers, body)
        except Silence as silence:
            self.journal.note("silence", route=route, first=first, last=last, why=str(silence)[:80])
            return None
        if not answer.ok:
            self.refused(route, answer, chain.key)
            self._trouble(answer)
            return answer
        if shown is not None and shown == self.old_head:
            self.old_head = None
        self.learn(chain, answer, route, shown)
        return answer

    def _shown(self) -> str | None:
        """The newest head, with some of the pushes; after an epoch has opened, the last one of the epoch before."""
        if self.old_head is not None:
            return self.old_head
        return self.head if self.chance.random() < 0.3 else None

    def _trouble(self, answer: Answer) -> None:
        if answer.code in ("chain.fork", "incarnation.frozen"):
            self.frozen = "fork"
        if answer.code == "evacuation.not_ordered":
            self.revoked = False  # a restored server has forgotten the revocation
        if answer.code == "schema.unsupported":
            self.chain.items[answer.json()["detail"]["n"] - 1].kept = True

    def learn(self, chain: Chain, answer: Answer, route: str, shown: str | None = None) -> None:
        """Takes an answer of a push, journalled as it came."""
        self.journal.note("told", route=route, incarnation=chain.incarnation, answer=answer.body.decode(), shown=shown)
        told = answer.json()
        if told["epoch"] > self.epoch:
            self.opens(told["epoch"])
        if told["epoch"] < self.epoch:
            return
        for outcome in told["outcomes"]:
            item = chain.items[outcome["n"] - 1]
            if item.final and outcome["status"] == "held":
                continue  # a receipt that the final outcome overtook
            item.status, item.outcome = outcome["status"], outcome
        chain.safe = told["safe_upto"]
        self.hear(told["head"])
        if told["next"] > chain.last + 1 and chain is self.chain:
            self.frozen = "restored"
        if chain is self.chain and self.chance.random() < 0.2:
            self._forget()
        if told.get("order") == "wipe":
            self._wiped()

    def _forget(self) -> None:
        """What has its outcome, and a verified backup covers, need not be kept."""
        gone = [item for item in self.chain.items[: self.chain.safe] if item.final and not item.lost]
        for item in gone:
            item.lost = True
        if gone:
            self.journal.note("forgot", incarnation=self.chain.incarnation, numbers=[item.n for item in gone])

    def opens(self, epoch: int) -> None:
        """Reads of a larger epoch: all that is still there is offered again; what the server has, it says again."""
        self.journal.note("epoch", epoch=epoch)
        self.epoch, self.old_head = epoch, self.head
        for item in self.chain.items:
            if not item.lost:
                item.status = None
        for chain in self.former:
            self.wrap(chain, [item for item in chain.items[chain.safe :] if not item.lost])

    def wrap(self, old: Chain, items: list[Item]) -> None:
        """Puts operations of an earlier chain on the present one: all as it was but incarnation, number and hash."""
        for item in items:
            place = (old.incarnation, item.n)
            if place in self.wrapped:
                continue
            self.wrapped.add(place)
            why = f"wrapped from {old.incarnation}/{item.n}"
            if item.said is None:
                self.put(item.raw, None, item.tag, why=why)
            else:
                said = item.said | {"incarnation": self.chain.incarnation, "n": self.chain.last + 1}
                self.put(orjson.dumps(said), said, item.tag, why=why)

    def fetch(self) -> None:
        """Asks what has become of held operations."""
        numbers = [item.n for item in self.chain.items if item.status == "held"][:500]
        if not numbers or "/v1/sync/outcomes" not in self.routes:
            return
        body = {"incarnation": self.chain.incarnation, "numbers": numbers}
        try:
            answer = self.wire.ask(self.keys[-1], "POST", "/v1/sync/outcomes", body)
        except Silence:
            self.journal.note("silence", route="outcomes")
            return
        if answer.ok:
            self.learn(self.chain, answer, "outcomes")
        else:
            self.refused("outcomes", answer, self.keys[-1])
            self._trouble(answer)

    def _wiped(self) -> None:
        try:
            answer = self.wire.ask(self.keys[-1], "POST", "/v1/terminals/wiped", {})
        except Silence:
            self.journal.note("silence", route="wiped")
            return
        if answer.status == 204:
            self.journal.note("wiped")
            self.end("wiped")
        else:
            self.refused("wiped", answer, self.keys[-1])
