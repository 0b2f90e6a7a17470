"""A terminal in memory and its server: one connection through a cutting proxy, nothing retried behind one's back."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from torture.keys import Key, uuid7
from torture.line import Line, Silence

HOST = "torture.test"
"""The name by which every terminal calls the server, whichever port it comes in by: proofs name it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes
    nonce: str | None
    retry_after: float

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        return orjson.loads(self.body) if self.body else {}

    @property
    def code(self) -> str:
        """The problem's code, or the bare status where there is none."""
        try:
            return str(self.json().get("code") or f"http.{self.status}")
        except (orjson.JSONDecodeError, AttributeError):
            return f"http.{self.status}"


class Wire:
    """``ports`` says which ports may be gone to; each new connection draws one."""

    def __init__(self, ports: Callable[[], list[int]], chance: random.Random) -> None:
        self._ports = ports
        self._chance = chance
        self._line: Line | None = None
        self._nonce: str | None = None

    def close(self) -> None:
        """Hangs up."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def dial(self) -> Line:
        """A connection of its own. Raises Silence."""
        return Line(self._chance.choice(self._ports()))

    def send(self, method: str, path: str, headers: dict[str, str], content: bytes | None) -> Answer:
        """One request, one answer. Raises Silence, which tells how far the answer came."""
        status, got = 0, list[bytes]()
        try:
            line = self._line = self._line or self.dial()
            status, told = line.ask(method, path, {"Host": HOST, **headers}, content)
            if status != 204 and not told.keys() & {"content-length", "transfer-encoding"}:
                raise Silence("headers that were cut look whole")
            for piece in line.pieces(status, told):
                got.append(piece)
        except (Silence, ValueError) as error:
            self.close()
            silence = error if isinstance(error, Silence) else Silence(f"garbled: {error}")
            silence.status, silence.got = status, b"".join(got)
            raise silence from error
        if told.get("connection", "").lower() == "close":
            self.close()
        wait = told.get("retry-after", "")
        return Answer(status, b"".join(got), told.get("dpop-nonce"), float(wait) if wait.isdigit() else 0.0)

    def ask(
        self, key: Key, method: str, path: str, body: Any = None, token: str | None = None, **more: str
    ) -> Answer:  # fmt: skip
        """A request with a proof of the key; signed again once with the server's nonce. ``more``: headers. Raises Silence."""
        content = None
        if body is not None:
            more["Content-Type"], content = "application/json", orjson.dumps(body)
        answer = self.send(method, path, self.proven(key, method, path, token) | more, content)
        self._nonce = answer.nonce or self._nonce
        if answer.status == 401 and answer.code == "proof.nonce_required":
            answer = self.send(method, path, self.proven(key, method, path, token) | more, content)
            self._nonce = answer.nonce or self._nonce
        return answer

    def proven(self, key: Key, method: str, path: str, token: str | None) -> dict[str, str]:
        """The headers that prove a request."""
        headers = {"DPoP": key.dpop(method, f"http://{HOST}{path}", self._nonce, token, uuid7(self._chance, 0))}
        return headers if token is None else headers | {"Authorization": f"DPoP {token}"}
