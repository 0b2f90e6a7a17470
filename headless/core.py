"""What every part of a terminal stands on: its store, its clock, its connection."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from headless import proof
from headless.backoff import Backoff, Chance, by_chance
from headless.clock import Clock, SystemClock
from headless.errors import Broken, Frozen, HeadlessError, NotEnrolled, NotSignedIn, Offline, Problem
from headless.store import Identity, Session, Store
from headless.wire import Wire

T = TypeVar("T")
REFRESH = "/v1/sessions/refresh"
MARGIN = 60_000  # milliseconds before its end at which a token is renewed; of a short one, the last fifth


class Core:
    """One terminal on one database file. Methods may be called from any thread."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        base_url: str | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Clock | None = None,
        chance: Chance = by_chance,
    ) -> None:
        """`base_url` may be left out once enrolled; `transport` lets tests call a WSGI application in-process."""
        self.store = Store(path)
        self.clock: Clock = clock or SystemClock()
        self._base_url = base_url or self.store.server()
        self._transport = transport
        self._chance = chance
        self._wire: Wire | None = None
        self._wiring = threading.Lock()
        self._refreshing = threading.Lock()
        self._renewal: tuple[str, int] | None = None  # a token, and when to renew it, by the monotonic clock

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
                self._wire = Wire(self._base_url, self.clock, self._transport, self._chance)
            return self._wire

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

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Any request of the protocol in the name of the officer signed in. Raises NotSignedIn, Frozen, Problem, …"""
        key = self._key()
        try:
            return self._authorised(lambda token: self.wire.ask(key, method, path, body, token))
        except Problem as problem:
            raise self._refused(problem) from problem

    def _authorised(self, step: Callable[[str], T]) -> T:
        """Do a step with an access token. One that ends while it is done is renewed, and the step done again, once."""
        token = self._token()
        try:
            return step(token)
        except Problem as problem:
            if problem.code != "session.expired" or not self._renewed(token):
                raise
        return step(self._session().token)

    def _token(self) -> str:
        """The access token, renewed shortly before its end; by the device's count of time, never by its clock."""
        token = self._session().token
        due = self._renewal is not None and self._renewal[0] == token and self.clock.monotonic() >= self._renewal[1]
        if due:
            try:
                self._renewed(token)
            except (Offline, Problem):
                return token  # the request itself will tell
        return self._session().token

    def _renewed(self, token: str) -> bool:
        """Whether there is another access token than this one now. The refresh token stands until its successor is stored.

        Raises Problem, Offline, Broken; a session that is over is no problem but a no.
        """
        with self._refreshing:
            session = self._session()
            if session.token != token:
                return True
            if session.refresh_token is None:
                return False
            try:
                told = self.wire.ask(self._key(), "POST", REFRESH, {"refresh_token": session.refresh_token})
            except Problem as problem:
                if problem.code not in ("session.expired", "session.missing"):
                    raise
                return False
            self.store.renew_session(self._with_tokens(session, told))
            return True

    def _with_tokens(self, session: Session, told: dict[str, Any]) -> Session:
        """The session with the tokens of an answer (protocol section 4). Raises Broken."""
        try:
            ends, time = (datetime.fromisoformat(told[name]) for name in ("expires_at", "time"))
            lasts = max(0, int((ends - time).total_seconds() * 1000))
            self._renewal = told["access_token"], self.clock.monotonic() + lasts - min(MARGIN, lasts // 5)
            return replace(
                session,
                token=told["access_token"],
                expires_at=told["expires_at"],
                refresh_token=told["refresh_token"],
                refresh_expires_at=told["refresh_expires_at"],
                must_change=told["must_change"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Broken(f"tokens: {error!r}") from error

    def insist(self, step: Callable[[], T], goes_on: Callable[[], bool] = lambda: True) -> T:
        """Do a step as soon as the server lets it be done, however long that takes (protocol section 13).

        Without an answer it waits 1, 2, 4 … 60 seconds; with 429 or 503 as long as the server says. After an outage it
        comes at a moment of its own. Raises what a wait cannot heal, and Offline or Problem once `goes_on` says no.
        """
        backoff = Backoff(self.clock, self._chance)
        while True:
            try:
                return step()
            except Offline:
                if not goes_on():
                    raise
                backoff.wait()
            except Problem as problem:
                if problem.status not in (429, 502, 503, 504) or not goes_on():
                    raise
                backoff.wait(problem.retry_after)

    def _refused(self, problem: Problem) -> HeadlessError:
        """The problem; or Frozen, when it says that the incarnation has ended, which is remembered."""
        if problem.code not in ("chain.fork", "incarnation.frozen"):
            return problem
        self.store.freeze(problem.body)
        return Frozen(problem.body)

    def _key(self) -> proof.Key:
        return proof.Key(self.store.identity().pem)

    def _session(self) -> Session:
        session = self.store.session()
        if session is None:
            raise NotSignedIn("nobody is signed in")
        return session
