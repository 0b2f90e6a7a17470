"""The stream of hints (protocol section 9): server-sent events over an ordinary answer, and who follows them.

A stream is a hint; what counts is the pull.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from headless.backoff import Backoff, Chance
from headless.clock import Clock
from headless.errors import Broken, Offline, Problem
from headless.outbox import WAITING
from headless.proof import Key
from headless.store import Store
from headless.wire import Wire

PATH = "/v1/sync/stream"
HEARTBEAT = 15  # seconds, until a server says otherwise
SILENCE = 2.5  # heartbeats without a byte, after which the line is dead
PULLS = ("hello", "news", "scope", "alarm")


@dataclass(frozen=True)
class Event:
    """One event: its name and its data."""

    name: str
    data: dict[str, Any]


class Listener:
    """One officer's stream at a time; remembers the server's heartbeat from one line to the next."""

    def __init__(self, wire: Wire, key: Key, token: Callable[[], str]) -> None:
        self._wire, self._key, self._token = wire, key, token
        self.heartbeat: float = HEARTBEAT
        self.token = ""
        """The one that the present line was opened with."""

    def events(self) -> Iterator[Event]:
        """Events as they come, until the server ends the stream. Raises Problem, Broken, and Offline when it falls silent."""
        headers = {"Accept": "text/event-stream"}
        while True:
            silence, self.token = self.heartbeat * SILENCE, self._token()
            with self._wire.opened(self._key, PATH, self.token, headers, silence) as response:
                for event in parsed(response.iter_lines()):
                    if event.name == "hello" and event.data.get("heartbeat", self.heartbeat) != self.heartbeat:
                        self.heartbeat = event.data["heartbeat"]
                        break  # the line's patience was set for another heartbeat: take a new one
                    yield event
                    if event.name == "end":
                        return
                else:
                    raise Offline("the stream ended without a word")


def parsed(lines: Iterator[str]) -> Iterator[Event]:
    """Events out of lines (HTML standard, section 9.2.6). Comments are beats. Raises Broken for data that is no object."""
    name, data = "message", list[str]()
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            continue
        if data:
            yield Event(name, _object("\n".join(data)))
        name, data = "message", []


def _object(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Broken("stream: data that is no JSON") from error
    if not isinstance(found, dict):
        raise Broken("stream: data that is no object")
    return found


class Follows(Protocol):
    """What a follower asks of a terminal."""

    store: Store
    clock: Clock

    @property
    def wire(self) -> Wire: ...

    def _key(self) -> Key: ...

    def _token(self) -> str: ...

    def _renewed(self, token: str) -> bool: ...

    def push(self) -> Any: ...

    def pull(self) -> Any: ...


class Follower:
    """Keeps a terminal's rows up to date for as long as it is told to."""

    def __init__(self, terminal: Follows, chance: Chance) -> None:
        self._terminal = terminal
        self._backoff = Backoff(terminal.clock, chance)
        self._lost = False

    def run(self, on_event: Callable[[Event], None], goes_on: Callable[[], bool]) -> None:
        """See `Terminal.follow`."""
        heartbeat: float = HEARTBEAT
        while goes_on():
            listener = Listener(self._terminal.wire, self._terminal._key(), self._terminal._token)
            listener.heartbeat = heartbeat
            try:
                self._catch_up()
                for event in listener.events():
                    self._backoff.reset()
                    self._lost = False
                    if event.name in PULLS:
                        self._terminal.pull()
                    on_event(event)
                    if event.name == "end" and event.data.get("reason") == "session":
                        return
                    if not goes_on():
                        return
                self._backoff.wait()  # the server has ended it: it is going down, or coming up again
            except Offline:
                self._lost = True
                self._backoff.wait()
            except Problem as problem:
                if problem.code == "session.expired" and listener.token and self._terminal._renewed(listener.token):
                    continue
                if problem.status not in (429, 502, 503, 504):
                    raise
                self._backoff.wait(problem.retry_after)
            heartbeat = listener.heartbeat

    def _catch_up(self) -> None:
        """Before listening: what was missed. After an outage, at a moment of its own."""
        if self._lost:
            self._backoff.settle()
        if self._terminal.store.numbers(WAITING):
            self._terminal.push()
        self._terminal.pull()
