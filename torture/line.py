"""HTTP/1.1 over one connection, by hand: what was cut is told from what is whole, and what came before a cut is kept."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

TIMEOUT = 20.0
CHUNK = 1 << 16


class Silence(Exception):
    """No whole answer came: the request may or may not have taken effect. ``status``, ``got``: as far as it came."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.status = 0
        self.got = b""


class Line:
    """One connection to a port of this machine; one request at a time. Everything raises Silence when it ends early."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket()
        self._socket.settimeout(TIMEOUT)
        self._read = b""
        try:
            self._socket.connect(("127.0.0.1", port))
        except OSError as error:
            self.close()
            raise Silence(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Hangs up, whatever is under way, in any thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def patience(self, seconds: float) -> None:
        """How long nothing may move."""
        self._socket.settimeout(seconds)

    def ask(self, method: str, path: str, headers: dict[str, str], content: bytes | None) -> tuple[int, dict[str, str]]:
        """Sends a request; returns the status and the headers of its answer, by their names in lower case."""
        body = content or b""
        length = f"Content-Length: {len(body)}\r\n" if method != "GET" else ""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        try:
            self._socket.sendall(f"{method} {path} HTTP/1.1\r\n{lines}{length}\r\n".encode("ascii") + body)
        except OSError as error:
            raise Silence(f"{type(error).__name__}: {error}") from error
        begin, *rest = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        split = (line.partition(":") for line in rest)
        return int(begin[9:12]), {name.strip().lower(): value.strip() for name, _, value in split}

    def pieces(self, status: int, headers: dict[str, str]) -> Iterator[bytes]:
        """The body of the answer, as it comes."""
        if headers.get("transfer-encoding", "") == "chunked":
            while size := int(self._until(b"\r\n"), 16):
                yield self._exactly(size)
                self._until(b"\r\n")
            self._until(b"\r\n")
        elif status != 204:
            left = int(headers.get("content-length", "0"))
            while left > 0:
                piece = self._some()[:left]
                self._read = self._read[len(piece) :]
                left -= len(piece)
                yield piece

    def _some(self) -> bytes:
        """What has been read and not yet been taken; waits for something."""
        if not self._read:
            self._more()
        return self._read

    def _more(self) -> None:
        try:
            piece = self._socket.recv(CHUNK)
        except OSError as error:
            raise Silence(f"{type(error).__name__}: {error}") from error
        if not piece:
            raise Silence("the connection has ended")
        self._read += piece

    def _until(self, end: bytes) -> bytes:
        while (at := self._read.find(end)) < 0:
            self._more()
        found, self._read = self._read[:at], self._read[at + len(end) :]
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._read) < size:
            self._more()
        found, self._read = self._read[:size], self._read[size:]
        return found
