"""HTTP for a terminal in memory: one connection through a cutting proxy, nothing retried behind one's back."""

from __future__ import annotations

import http.client
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from torture.keys import Key, uuid7

HOST = "torture.test"
"""The name by which every terminal calls the server, whichever port it comes in by: proofs name it."""
TIMEOUT = 20.0


class Silence(Exception):
    """No whole answer came: the request may or may not have taken effect."""


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
        self._connection: http.client.HTTPConnection | None = None
        self._nonce: str | None = None

    def close(self) -> None:
        """Hangs up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(self, method: str, path: str, headers: dict[str, str], content: bytes | None) -> Answer:
        """One request, one answer. Raises Silence."""
        if self._connection is None:
            port = self._chance.choice(self._ports())
            self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        try:
            self._connection.request(method, path, content, {"Host": HOST, **headers})
            response = self._connection.getresponse()
            body = response.read()
            if response.length is None and response.status != 204 and not response.chunked:
                raise http.client.IncompleteRead(body)  # headers that were cut look whole to http.client
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Silence(f"{type(error).__name__}: {error}") from error
        wait = response.headers.get("Retry-After", "")
        seconds = float(wait) if wait.isdigit() else 0.0
        return Answer(response.status, body, response.headers.get("DPoP-Nonce"), seconds)

    def ask(self, key: Key, method: str, path: str, body: Any = None, token: str | None = None) -> Answer:
        """A request with a proof of the key; signed again once with the server's nonce. Raises Silence."""
        answer = self._proven(key, method, path, body, token)
        if answer.status == 401 and answer.code == "proof.nonce_required":
            answer = self._proven(key, method, path, body, token)
        return answer

    def _proven(self, key: Key, method: str, path: str, body: Any, token: str | None) -> Answer:
        jti = uuid7(self._chance, 0)
        headers = {"DPoP": key.dpop(method, f"http://{HOST}{path}", self._nonce, token, jti)}
        if token is not None:
            headers["Authorization"] = f"DPoP {token}"
        content = None
        if body is not None:
            headers["Content-Type"], content = "application/json", orjson.dumps(body)
        answer = self.send(method, path, headers, content)
        self._nonce = answer.nonce or self._nonce
        return answer
