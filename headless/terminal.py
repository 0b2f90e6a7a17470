"""The life of a terminal: enrol, sign in, capture (with or without signal), push, pull.

Whatever is interrupted, at any line, is taken up again by calling the same method once more: every step is
stored before it is relied upon, and every request may be sent twice.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx

from headless import chain, proof
from headless.clock import Clock, SystemClock
from headless.errors import Broken, Frozen, NotEnrolled, NotSignedIn, Offline, Problem, Refused
from headless.store import Batch, Identity, Place, Queued, Session, Store
from headless.wire import Wire

SCHEMA = 1  # the only one of this protocol version (section 10)


@dataclass
class Pulled:
    """What a pull brought: how many rows, and which partitions have left the officer's scope."""

    rows: int = 0
    gone: list[str] = field(default_factory=list)


class Terminal:
    """One terminal on one database file. Methods may be called from any thread."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        base_url: str | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`base_url` may be left out once enrolled; `transport` lets tests call a WSGI application in-process."""
        self.store = Store(path)
        self.clock: Clock = clock or SystemClock()
        self._base_url = base_url or self.store.server()
        self._transport = transport
        self._wire: Wire | None = None
        self._wiring = threading.Lock()

    def close(self) -> None:
        """Close database and connections."""
        if self._wire is not None:
            self._wire.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def wire(self) -> Wire:
        """The connection, made when first needed: capture needs none."""
        with self._wiring:
            if self._wire is None:
                if self._base_url is None:
                    raise NotEnrolled("no server is known")
                self._wire = Wire(self._base_url, self.clock, self._transport)
            return self._wire

    # Enrolment and sessions

    def enrol(self, code: str, label: str) -> Identity:
        """Enrol with a one-time code (protocol section 2). Again with the same code: the same identity.

        Raises Refused when enrolled by another code; Problem, Offline, Broken.
        """
        if self._base_url is None:
            raise NotEnrolled("no server is known")
        plain = code.replace("-", "").replace(" ", "").upper()
        pem, finished = self.store.begin_enrolment(plain, self._base_url, label, proof.new_key)
        if not finished:
            key = proof.Key(pem)
            body = {"code": plain, "label": label, "jwk": key.jwk}
            self._finish_enrolment(key, self.wire.ask(key, "POST", "/v1/terminals", body))
        identity = self.store.identity()
        if identity.code != plain:
            raise Refused("this terminal is enrolled already, by another code")
        return identity

    def _finish_enrolment(self, key: proof.Key, answer: dict[str, Any]) -> None:
        try:
            facility, terminal, incarnation = (
                answer["facility"]["id"],
                answer["terminal"],
                answer["incarnation"],
            )
            server_key, told, jws = answer["server_key"], answer["genesis"], answer["head"]
        except (KeyError, TypeError) as error:
            raise Broken(f"enrolment: {error}") from error
        genesis = chain.genesis(facility, terminal, incarnation, proof.thumbprint(key.jwk))
        if genesis != told:
            raise Broken("enrolment: genesis is not the one computed here")
        head = proof.verify_head(jws, server_key, facility)
        self.store.finish_enrolment(facility, terminal, incarnation, genesis, server_key, head)

    def sign_in(self, number: str, secret: str) -> Session:
        """Sign an officer in (protocol section 4); rows that another officer pulled are removed here."""
        answer = self.wire.ask(self._key(), "POST", "/v1/sessions", {"number": number, "secret": secret})
        try:
            officer = answer["officer"]
            session = Session(
                session=answer["session"],
                officer=officer["id"],
                number=officer["number"],
                name=officer["name"],
                posts=officer["posts"],
                token=answer["access_token"],
                expires_at=answer["expires_at"],
            )
        except (KeyError, TypeError) as error:
            raise Broken(f"sign-in: {error}") from error
        self.store.open_session(session)
        return session

    def sign_out(self) -> bool:
        """End the session here, whatever the network says. True when the server has ended it too.

        An officer who hands the device on without signal must be gone from it; the token dies at its own hour.
        """
        if self.store.session() is None:
            return True
        try:
            self.ask("DELETE", "/v1/sessions/current")
            told = True
        except Offline:
            told = False
        except Problem as problem:
            told = problem.status == 401  # it had ended before
        self.store.close_session()
        return told

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Any request of the protocol in the name of the officer signed in. Raises NotSignedIn, Problem, …"""
        return self.wire.ask(self._key(), method, path, body, self._session().token)

    @property
    def identity(self) -> Identity:
        """Raises NotEnrolled."""
        return self.store.identity()

    @property
    def session(self) -> Session | None:
        """The current session, its token perhaps ended; None when nobody is signed in."""
        return self.store.session()

    @property
    def anchor(self) -> proof.Head | None:
        """The newest verified head; after enrolment there is always one."""
        return self.store.head()

    def _key(self) -> proof.Key:
        return proof.Key(self.store.identity().pem)

    def _session(self) -> Session:
        session = self.store.session()
        if session is None:
            raise NotSignedIn("nobody is signed in")
        return session

    # Capture

    def capture(
        self,
        kind: str,
        verb: str,
        record: str,
        fields: dict[str, Any],
        *,
        base: int = 0,
        after: Sequence[str] | None = None,
        signoff: dict[str, Any] | None = None,
        attachments: Sequence[str] = (),
        observed_at: datetime | None = None,
        officer: str | None = None,
        session: str | None = None,
        schema: int = SCHEMA,
    ) -> str:
        """Queue an operation (protocol section 5); needs no signal. Returns its id (`op`).

        `after` gets this terminal's previous operation on the record added; officer and session are those of the
        current sign-in unless given. Raises Refused for what cannot be an operation; no number is used then.
        """
        if officer is None or session is None:
            current = self._session()
            officer, session = officer or current.officer, session or current.session
        identity, op = self.store.identity(), chain.uuid7()
        said = {
            "kind": kind,
            "schema": schema,
            "verb": verb,
            "record": record,
            "base": base,
            "officer": officer,
            "session": session,
            "signoff": signoff,
            "attachments": list(attachments),
            "fields": fields,
        }

        def build(place: Place) -> bytes:
            where = {"op": op, "terminal": identity.terminal, "incarnation": identity.incarnation, "n": place.n}
            needed = {"after": _after(after or (), place.previous), "anchor": place.anchor.anchor()}
            return chain.canonical(where | said | needed | self._times(observed_at))

        self.store.enqueue(op, kind, verb, record, officer, build)
        return op

    def _times(self, observed_at: datetime | None) -> dict[str, Any]:
        """The device's clocks at this moment. Read while the number is given, so that they rise with the numbers."""
        now = self.clock.now()
        return {
            "observed_at": chain.rfc3339(observed_at or now),
            "recorded_at": chain.rfc3339(now),
            "clock": {"boot": self.clock.boot, "monotonic": self.clock.monotonic()},
        }

    # Push

    def push(self, limit: int = chain.MAX_BATCH) -> list[dict[str, Any]]:
        """Send what has no outcome yet, up to `limit` operations a request. Returns the outcomes learnt.

        Raises Frozen (fork, or an older copy of this database), Problem, Offline, Broken; the queue stays as it is.
        """
        learnt: list[dict[str, Any]] = []
        start: int | None = None
        gap = 0
        while True:
            identity = self.store.identity()
            if identity.frozen is not None:
                raise Frozen(identity.frozen)
            batch = self.store.batch(start, limit)
            if not batch.operations:
                return learnt
            try:
                learnt += self._push(identity, batch)
                start = None
            except Problem as problem:
                if problem.code == "chain.fork":
                    self.store.freeze(problem.body)
                    raise Frozen(problem.body) from problem
                if problem.code == "chain.gap":
                    start = gap = _gap(problem, gap, batch.operations[0].n)
                elif problem.status == 413 and len(batch.operations) > 1:  # the server's limit, or a proxy's
                    limit = len(batch.operations) // 2
                else:
                    raise

    def _push(self, identity: Identity, batch: Batch) -> list[dict[str, Any]]:
        claims = {
            "facility": identity.facility,
            "terminal": identity.terminal,
            "incarnation": identity.incarnation,
            "first": batch.operations[0].n,
            "count": len(batch.operations),
            "prior": batch.prior,
            "last": batch.operations[-1].hash,
            "captured": batch.captured,
        }
        body = chain.frames((queued.n, queued.hash, queued.raw) for queued in batch.operations)
        answer = self.wire.push(proof.Key(identity.pem).push(claims), body)
        try:
            epoch, next_, outcomes = answer["epoch"], answer["next"], answer["outcomes"]
            told = [outcome["n"] for outcome in outcomes if outcome["status"]]
            head = proof.verify_head(answer["head"], identity.server_key, identity.facility)
            # Without an outcome for each, and the next number beyond them, the loop would send the same for ever.
            if told != [queued.n for queued in batch.operations] or next_ <= told[-1]:
                raise Broken("push: the answer does not speak of the operations sent")
            return self.store.settle(epoch, next_, outcomes, head)
        except (KeyError, TypeError) as error:
            raise Broken(f"push: {error!r}") from error

    # Pull

    def pull(self, limit: int = 500) -> Pulled:
        """Fetch the rows of the officer's scope until there are no more, `limit` rows a page (protocol section 7)."""
        identity = self.store.identity()
        pulled = Pulled()
        more = True
        while more:
            sent = self.store.cursors()
            answer = self.ask("POST", "/v1/sync/pull", {"partitions": sent, "limit": limit})
            try:
                partitions, gone, more = answer["partitions"], answer["gone"], answer["more"]
                moved = any(sent.get(part["partition"], -1) != part["cursor"] for part in partitions)
                head = proof.verify_head(answer["head"], identity.server_key, identity.facility)
                if more and not moved and not gone:
                    raise Broken("pull: more is promised, and nothing moves")
                kept = self.store.keep_page(sent, partitions, gone, head)
            except (KeyError, TypeError) as error:
                raise Broken(f"pull: {error!r}") from error
            if not kept:
                more = True
                continue
            pulled.rows += sum(len(part["rows"]) for part in partitions)
            pulled.gone += gone
        return pulled

    def sync(self) -> tuple[list[dict[str, Any]], Pulled | None]:
        """Push, then pull when somebody is signed in (None when nobody is)."""
        learnt = self.push()
        return learnt, None if self.store.session() is None else self.pull()

    # What the terminal knows

    def queue(self, kind: str | None = None, record: str | None = None) -> list[Queued]:
        """Every operation ever captured here, by number, or those of a kind or record."""
        return self.store.queue(kind=kind, record=record)

    def waiting(self) -> list[Queued]:
        """Operations whose outcome is not known yet."""
        return self.store.queue(status="waiting")

    def outcomes(self) -> dict[str, dict[str, Any]]:
        """op -> its outcome, for all that are known."""
        return {queued.op: queued.outcome for queued in self.store.queue() if queued.outcome is not None}

    def rows(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The rows held, in the server's order (protocol section 7), or those of a kind."""
        return self.store.rows(kind)

    def status(self) -> dict[str, Any]:
        """Identity, officer, how many operations there are of each status, and the newest head."""
        identity, session, head = self.store.identity(), self.store.session(), self.store.head()
        return {
            "facility": identity.facility,
            "terminal": identity.terminal,
            "incarnation": identity.incarnation,
            "label": identity.label,
            "server": self._base_url,
            "officer": None if session is None else {"number": session.number, "name": session.name},
            "operations": self.store.counts(),
            "head": None if head is None else head.anchor() | {"at": head.at},
            "frozen": identity.frozen,
        }


def _after(named: Sequence[str], previous: str | None) -> list[str]:
    """The operations needed, each once. Raises Refused beyond the protocol's number."""
    needed = list(dict.fromkeys([*named, *([previous] if previous else [])]))
    if len(needed) > chain.MAX_AFTER:
        raise Refused(f"after: {len(needed)} operations are more than {chain.MAX_AFTER}")
    return needed


def _gap(problem: Problem, before: int, sent: int) -> int:
    """Where the server wants us to start. Raises Broken unless it asks for an earlier number, and moves on."""
    wanted = problem.detail.get("next")
    if not isinstance(wanted, int) or not before < wanted < sent:
        raise Broken(f"chain.gap: the server wants {wanted!r} after {before}, we sent from {sent}") from problem
    return wanted
