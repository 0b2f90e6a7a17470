"""One stream: what it has yet to say, and the thread that waits to say it (docs/protocol.md §9).

News coalesce while they wait, so that a slow line costs one event and not a queue; alarms keep their order. A stream
that has just told news is quiet for a second, so that a busy facility wakes its streams once a second each, whatever
the commits; alarms and the end do not wait.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from backend.identity.sessions import Session
from backend.kernel.clock import Clock

MOST_ALARMS = 64
"""Alarms that wait for one stream; of more it is only told that there is news, and pulls them."""
PACE_SECONDS = 1.0
SESSION, SERVER = "session", "server"
"""Why a stream ends."""
BEAT = b": beat\n\n"
Position = tuple[int, int]
"""Epoch and the facility's sequence number in it: greater is later."""


def event(name: str, data: Any) -> bytes:
    """One event of text/event-stream; ``data`` as compact JSON, which has no line breaks."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data))


def alarm_event(partition: str, row: bytes) -> bytes:
    """``event: alarm``, with the row's bytes as a pull gives them."""
    return b'event: alarm\ndata: {"partition":%s,"row":%s}\n\n' % (orjson.dumps(partition), row)


_SCOPE = event("scope", {})


class Tidings:
    """News for the streams of one scope: encoded once, however many are told the same."""

    __slots__ = ("_event", "at", "partitions")

    def __init__(self, at: Position, partitions: frozenset[str]) -> None:
        self.at = at
        self.partitions = partitions
        self._event: bytes | None = None

    def joined(self, other: Tidings) -> Tidings:
        """Both as one: the later position, all partitions."""
        return Tidings(max(self.at, other.at), self.partitions | other.partitions)

    @property
    def event(self) -> bytes:
        if self._event is None:
            epoch, at = self.at
            self._event = event("news", {"at": at, "epoch": epoch, "partitions": sorted(self.partitions)})
        return self._event


class Mailbox:
    """What is to be said on one stream. One thread takes, any thread puts; putting never waits for the taker."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._bell = threading.Lock()
        self._bell.acquire()
        self._alarms: list[bytes] = []
        self._tidings: Tidings | None = None
        self._scope_changed = False
        self._ended: str | None = None
        self._quiet_until = 0.0
        self.over = False
        """The end has been taken."""

    def tell(self, tidings: Tidings, alarms: Iterable[bytes] = ()) -> None:
        """Puts news and the events of alarms. Alarms beyond MOST_ALARMS are left to the news."""
        with self._guard:
            self._tidings = tidings if self._tidings is None else self._tidings.joined(tidings)
            before = len(self._alarms)
            self._alarms += list(alarms)[: MOST_ALARMS - before]
            urgent = len(self._alarms) > before or time.monotonic() >= self._quiet_until
        if urgent:
            self._ring()

    def change_scope(self) -> None:
        with self._guard:
            self._scope_changed = True
        self._ring()

    def end(self, reason: str) -> None:
        """The last thing to be said; the first reason stands."""
        with self._guard:
            self._ended = self._ended or reason
        self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(RuntimeError):  # it rings already
            self._bell.release()

    def take(self) -> bytes:
        """All that may be said now, as one chunk; empty: nothing."""
        with self._guard:
            said, self._alarms = self._alarms, []
            if self._scope_changed:
                said.append(_SCOPE)
                self._scope_changed = False
            now = time.monotonic()
            if self._tidings is not None and (self._ended or now >= self._quiet_until):
                said.append(self._tidings.event)
                self._tidings, self._quiet_until = None, now + PACE_SECONDS
            if self._ended:
                said.append(event("end", {"reason": self._ended}))
                self.over = True
        return b"".join(said)

    def wait(self, seconds: float) -> None:
        """Until there may be something to take, at most so long."""
        if self._tidings is not None:
            seconds = min(seconds, self._quiet_until - time.monotonic())
        self._bell.acquire(timeout=max(0.0, seconds))


class Stream:
    """The body of one answer: an iterator whose ``next`` waits, without a database connection.

    ``close`` is called by the HTTP server in the end, however it comes; twice does no harm.
    """

    def __init__(self, session: Session, clock: Clock, heartbeat: float, left: Callable[[Stream], None]) -> None:
        self.session = session
        self.mailbox = Mailbox()
        self.read_at: Position = (0, 0)
        """When its scope was read."""
        self.gone = False
        """It has given its place back."""
        self._clock = clock
        self._heartbeat = heartbeat
        self._left = left
        self._hello = b""

    def greet(self, at: Position) -> None:
        """What it says first: from here on it hears of everything."""
        self._hello = event("hello", {"heartbeat": int(self._heartbeat), "at": at[1], "epoch": at[0]})

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> bytes:
        if self.mailbox.over:
            raise StopIteration
        if self._hello:
            said, self._hello = self._hello, b""
            return said
        return self._next(time.monotonic() + self._heartbeat)

    def _next(self, beat_at: float) -> bytes:
        while True:
            left = (self.session.expires_at - self._clock.now()) / 1000
            if left <= 0:
                self.mailbox.end(SESSION)
            if said := self.mailbox.take():
                return said
            silence = beat_at - time.monotonic()
            if silence <= 0:
                return BEAT
            self.mailbox.wait(min(silence, left))

    def close(self) -> None:
        self.mailbox.over = True
        self._left(self)
