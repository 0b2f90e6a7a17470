"""Many streams held open by one thread, and when each event came: for measurements and for tests."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from headless.proof import Key

PATH = "/v1/sync/stream"
_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Heard:
    """One event; ``at`` is the client's clock in seconds since 1970. A heartbeat has the name ``beat``."""

    at: float
    name: str
    data: Any


@dataclass
class Line:
    """One stream as its client sees it. ``status`` is 0 until the answer has begun; ``closed`` when the server ended it."""

    key: Key
    token: str
    heard: list[Heard] = field(default_factory=list)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    closed: bool = False
    socket: socket.socket | None = None
    _rest: bytes = b""

    def named(self, *names: str) -> list[Heard]:
        """Its events of these names."""
        return [each for each in list(self.heard) if each.name in names]

    def take(self, data: bytes, now: float) -> None:
        """Bytes from the connection."""
        self._rest += data
        if not self.status and b"\r\n\r\n" in self._rest:
            head, _, self._rest = self._rest.partition(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            self.status = int(first.split(" ")[1])
        if self.status == 200:
            self._read_chunks(now)
        elif self.status:
            self.body, self._rest = self.body + self._rest, b""

    def _read_chunks(self, now: float) -> None:
        """Chunks (RFC 9112 §7.1) → events; the server writes whole events into each chunk."""
        while b"\r\n" in self._rest:
            size, _, rest = self._rest.partition(b"\r\n")
            count = int(size, 16)
            if len(rest) < count + 2:
                return
            chunk, self._rest = rest[:count], rest[count + 2 :]
            self.closed = self.closed or not count
            for block in filter(None, chunk.decode().split("\n\n")):
                self.heard.append(_heard(block, now))


def _heard(block: str, now: float) -> Heard:
    if block.startswith(":"):
        return Heard(now, block[1:].strip(), None)
    name, data = block.split("\n")
    return Heard(now, name.removeprefix("event: "), orjson.loads(data.removeprefix("data: ")))


class Listeners:
    """Holds lines open in a thread of its own until it is left."""

    def __init__(self, base: str, nonce: str) -> None:
        parts = urlsplit(base)
        self._address = (str(parts.hostname), int(parts.port or 80))
        self._uri = base + PATH
        self.nonce = nonce
        self._selector = selectors.DefaultSelector()
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.lines: list[Line] = []
        self.counted: Counter[str] = Counter()
        """Events of all lines by name."""

    def __enter__(self) -> Listeners:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()
        for line in self.lines:
            self.drop(line)
        self._selector.close()

    def open(self, credentials: Iterable[tuple[Key, str]]) -> list[Line]:
        """Asks for a stream with each key and token; does not wait for the answers."""
        made = []
        for key, token in credentials:
            line = Line(key, token)
            line.socket = socket.create_connection(self._address)
            line.socket.sendall(self._request(key, token))
            line.socket.setblocking(False)
            self._selector.register(line.socket, selectors.EVENT_READ, line)
            made.append(line)
        self.lines += made
        return made

    def _request(self, key: Key, token: str) -> bytes:
        proof = key.dpop("GET", self._uri, datetime.now(UTC), nonce=self.nonce, token=token)
        host, port = self._address
        head = f"GET {PATH} HTTP/1.1\r\nHost: {host}:{port}\r\nDPoP: {proof}\r\nAuthorization: DPoP {token}\r\n\r\n"
        return head.encode()

    def _run(self) -> None:
        while not self._over:
            for found, _ in self._selector.select(0.1):
                line: Line = found.data
                now = time.time()
                try:
                    data = line.socket.recv(_CHUNK) if line.socket is not None else b""
                except OSError:
                    data = b""
                if data:
                    known = len(line.heard)
                    line.take(data, now)
                    self.counted.update(each.name for each in line.heard[known:])
                else:
                    line.closed = True
                    self._selector.unregister(found.fileobj)

    def drop(self, line: Line) -> None:
        """Closes a line from this end."""
        if line.socket is not None:
            if not line.closed and line.socket.fileno() in self._selector.get_map():
                self._selector.unregister(line.socket)
            line.socket.close()
            line.socket = None


def within(seconds: float, what: Callable[[], bool]) -> bool:
    """Waits until something holds; whether it came to that in time."""
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
