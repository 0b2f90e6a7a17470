"""Requests over HTTP: proofs with server nonces, problems as exceptions, patience when the server asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import orjson

from headless.clock import Clock
from headless.errors import Broken, Offline, Problem
from headless.proof import Key

TRIES = 4  # how often a request is sent while the server answers 429 or 503 with Retry-After
MAX_WAIT = 30  # seconds; a longer Retry-After is the caller's business
TIMEOUT = httpx.Timeout(60, connect=5)  # seconds


class Wire:
    """One server, as one terminal talks to it."""

    def __init__(self, base_url: str, clock: Clock, transport: httpx.BaseTransport | None = None) -> None:
        self._base = base_url.rstrip("/")
        self._clock = clock
        self._client = httpx.Client(transport=transport, timeout=TIMEOUT)
        # Only in memory: a fresh one costs one refused request, a stored one is mostly stale.
        self._nonce: str | None = None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, key: Key, method: str, path: str, body: Any = None, token: str | None = None) -> dict[str, Any]:
        """A request with a proof of the key (protocol section 3). Returns the answer's JSON, {} for 204.

        Raises Problem, Offline, Broken.
        """

        def send() -> httpx.Response:
            response = self._proven(key, method, path, body, token)
            if response.status_code == 401 and _problem(response).code == "proof.nonce_required":
                return self._proven(key, method, path, body, token)
            return response

        return self._patiently(send)

    def push(self, proof: str, body: bytes) -> dict[str, Any]:
        """A push (protocol section 6); the proof describes the body. Raises Problem, Offline, Broken."""
        headers = {"Content-Type": "application/vnd.roundsman.frames", "Roundsman-Proof": proof}
        return self._patiently(lambda: self._send("POST", self._base + "/v1/sync/push", headers, body))

    def _proven(self, key: Key, method: str, path: str, body: Any, token: str | None) -> httpx.Response:
        url = httpx.URL(self._base + path)
        target = str(url.copy_with(query=None, fragment=None))
        now = self._clock.now()
        headers = {"DPoP": key.dpop(method, target, now, nonce=self._nonce, token=token)}
        if token is not None:
            headers["Authorization"] = f"DPoP {token}"
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = orjson.dumps(body)
        response = self._send(method, str(url), headers, content)
        self._nonce = response.headers.get("DPoP-Nonce", self._nonce)
        return response

    def _send(self, method: str, url: str, headers: dict[str, str], content: bytes | None) -> httpx.Response:
        try:
            return self._client.request(method, url, headers=headers, content=content)
        except httpx.TransportError as error:
            raise Offline(f"no whole answer from {self._base}: {error}") from error

    def _patiently(self, send: Callable[[], httpx.Response]) -> dict[str, Any]:
        for left in range(TRIES - 1, -1, -1):
            response = send()
            if response.is_success:
                return _content(response)
            problem = _problem(response)
            wait = problem.retry_after
            if response.status_code not in (429, 503) or wait is None or wait > MAX_WAIT or left == 0:
                break
            self._clock.sleep(wait)
        raise problem


def _content(response: httpx.Response) -> dict[str, Any]:
    if response.status_code == 204:
        return {}
    try:
        content = orjson.loads(response.content)
    except orjson.JSONDecodeError as error:
        raise Broken(f"answer {response.status_code} of {response.url.path}: not JSON") from error
    if not isinstance(content, dict):
        raise Broken(f"answer {response.status_code} of {response.url.path}: not an object")
    return content


def _problem(response: httpx.Response) -> Problem:
    """RFC 9457; whatever else stands between us and the server (a proxy) is named by its status."""
    body: Any = None
    if response.headers.get("Content-Type", "").startswith("application/problem+json"):
        try:
            body = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            body = None
    seconds = response.headers.get("Retry-After", "")
    retry_after = int(seconds) if seconds.isascii() and seconds.isdigit() else None
    return Problem(response.status_code, body if isinstance(body, dict) else {}, retry_after)
