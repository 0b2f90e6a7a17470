"""The life of a terminal: enrol, sign in, capture (with or without signal), push, pull.

Whatever is interrupted, at any line, is taken up again by calling the same method once more: every step is
stored before it is relied upon, and every request may be sent twice.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from headless import chain, proof
from headless.capturing import Capturing
from headless.deciding import Deciding
from headless.errors import Broken, Frozen, NotEnrolled, Offline, Problem, Refused
from headless.living import Evacuated, Living
from headless.pulling import Pulled, Pulling
from headless.store import Identity, Queued, Session
from headless.stream import Event, Follower

__all__ = ["Evacuated", "Pulled", "Terminal"]
APP, REPORT = "headless", "/v1/terminals/current/report"


class Terminal(Capturing, Deciding, Living, Pulling):
    """One terminal on one database file. Methods may be called from any thread."""

    # Enrolment and sessions

    def enrol(self, code: str, label: str, asset: str | None = None) -> Identity:
        """Enrol with a one-time code (protocol section 2). Again with the same code: the same identity.

        `asset`: the device's inventory number, which closes the terminal that it was before. Raises Refused when
        enrolled by another code; Problem, Offline, Broken.
        """
        if self._base_url is None:
            raise NotEnrolled("no server is known")
        plain = code.replace("-", "").replace(" ", "").upper()
        pem, finished = self.store.begin_enrolment(plain, self._base_url, label, proof.new_key, asset)
        if not finished:
            key = proof.Key(pem)
            body = {"code": plain, "label": label, "jwk": key.jwk} | ({} if asset is None else {"asset": asset})
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
        self._met = True

    def fingerprint(self) -> str:
        """What an administrator compares before he approves this terminal (protocol section 2). Raises NotEnrolled."""
        key = proof.thumbprint(self._key().jwk)
        return " ".join(key[at : at + 4] for at in range(0, 16, 4))

    def sign_in(self, number: str, secret: str) -> Session:
        """Sign an officer in (protocol section 4); rows that another officer pulled are removed here."""
        body = {"number": number, "secret": secret}
        answer = self._recognised(lambda: self.wire.ask(self._key(), "POST", "/v1/sessions", body))
        try:
            officer = answer["officer"]
            session = Session(
                session=answer["session"],
                officer=officer["id"],
                number=officer["number"],
                name=officer["name"],
                posts=officer["posts"],
                token="",
                expires_at="",
            )
        except (KeyError, TypeError) as error:
            raise Broken(f"sign-in: {error}") from error
        session = self._with_tokens(session, answer)
        self.store.open_session(session)
        return session

    def change_secret(self, old: str, new: str) -> None:
        """Put another secret in place of the officer's own (protocol section 4); his other sessions end.

        Raises NotSignedIn, Problem (`secret.wrong`, `secret.weak`), Offline.
        """
        self.ask("PUT", "/v1/officers/current/secret", {"old": old, "new": new})
        self.store.renew_session(replace(self._session(), must_change=False))

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

    # All of it

    def sync(self) -> tuple[list[dict[str, Any]], Pulled | None]:
        """Push, then send files, then pull when somebody is signed in (None when nobody is).

        A terminal that finds its chain ended asks for a new incarnation and pushes again; its officer has to sign in
        anew. One that has been revoked hands everything in, and wipes itself on the order. When the pull is the first
        to hear of a new epoch, what that lacks is offered at once. At the end one proof is demanded, for all heads that were
        shown (`prove`). Raises as `push`, `renew`, `evacuate`, `pull` and `prove` do.
        """
        try:
            try:
                return self._synced()
            except Frozen:
                self.renew()
                return self._synced()
        except Problem as problem:
            if problem.code != "terminal.revoked":
                raise
            return self.evacuate().outcomes, None

    def push(
        self, limit: int = chain.MAX_BATCH, *, skip: Collection[int] = (), urgent: Collection[str] = ()
    ) -> list[dict[str, Any]]:
        """As `Living.push`; then the newest head shown has to be proved (`prove`)."""
        learnt = Living.push(self, limit, skip=skip, urgent=urgent)
        self.prove()
        return learnt

    def pull(self, limit: int = 500, *, snapshots: bool = True) -> Pulled:
        """As `Pulling.pull`; then the newest head shown has to be proved (`prove`)."""
        pulled = Pulling.pull(self, limit, snapshots=snapshots)
        self.prove()
        return pulled

    def _synced(self) -> tuple[list[dict[str, Any]], Pulled | None]:
        learnt, pulled = Living.push(self), None
        self.upload()
        if self.store.session() is not None:
            pulled = Pulling.pull(self)
            if not self.store.agreed():
                learnt += Living.push(self)
                pulled.add(Pulling.pull(self))
        self.prove()
        return learnt, pulled

    def follow(self, on_event: Callable[[Event], None], goes_on: Callable[[], bool] = lambda: True) -> None:
        """Pull, then listen to the stream and pull on news, for as long as `goes_on` says so (protocol section 9).

        `on_event` gets each event after what it asks for has been done. Lines that die are opened again, after waits
        that grow. Raises NotSignedIn, and Problem when the session has ended.
        """
        Follower(self, self._chance).run(on_event, goes_on)

    # What the terminal knows

    def queue(self, kind: str | None = None, record: str | None = None, officer: str | None = None) -> list[Queued]:
        """The operations kept here, by number: all, or those of a kind, record or officer.

        What is shown to an officer is his own: pass him as `officer`.
        """
        return self.store.queue(kind=kind, record=record, officer=officer)

    def waiting(self) -> list[Queued]:
        """Operations that the server has not acknowledged yet."""
        return self.store.queue(status="waiting")

    def held(self) -> list[Queued]:
        """Operations that the server has in custody, with its receipt as their outcome."""
        return self.store.queue(status="held")

    def outcomes(self) -> dict[str, dict[str, Any]]:
        """op -> its outcome, for all that are known; receipts among them."""
        return {queued.op: queued.outcome for queued in self.store.queue() if queued.outcome is not None}

    def report(self) -> None:
        """Tell the server how this terminal is (protocol section 8)."""
        unfinished = [queued for queued in self.queue() if queued.status in ("waiting", "held")]
        oldest = min((queued.operation["recorded_at"] for queued in unfinished if queued.operation), default=None)
        disk = shutil.disk_usage(self.store.path.parent)
        body = {
            "app": APP,
            "platform": platform.platform()[:80],
            "battery": None,
            "charging": None,
            "storage_used": self.store.path.stat().st_size,
            "storage_quota": disk.free + self.store.path.stat().st_size,
            "persisted": True,
            "queue": len(unfinished),
            "oldest_waiting": oldest,
            "clock": chain.rfc3339(self.clock.now()),
        }
        self._recognised(lambda: self.wire.ask(self._key(), "PUT", REPORT, body))

    def status(self) -> dict[str, Any]:
        """Identity, officer, how many operations there are of each status, what is safe, and the newest head."""
        identity, session, head = self.store.identity(), self.store.session(), self.store.head()
        return {
            "facility": identity.facility,
            "terminal": identity.terminal,
            "incarnation": identity.incarnation,
            "label": identity.label,
            "server": self._base_url,
            "officer": None if session is None else {"number": session.number, "name": session.name},
            "operations": self.store.counts(),
            "safe_upto": self.store.safe_upto(),
            "unsupported": sorted(self.unsupported),
            "head": None if head is None else head.anchor() | {"at": head.at},
            "frozen": identity.frozen,
            "alarm": self.store.alarm(),
            "order": self.store.fact("order"),
        }
