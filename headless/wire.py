"""Requests over HTTP: proofs with server nonces, problems as exceptions, patience when the server asks for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import httpx
import orjson

from headless.backoff import Backoff, Chance, by_chance
from headless.clock import Clock
from headless.errors import Broken, Offline, Problem
from headless.proof import Key

TRIES = 4  # how often a request is sent while the server answers 429 or 503 with Retry-After
MAX_WAIT = 30  # seconds; a longer Retry-After is the caller's business
TIMEOUT = httpx.Timeout(60, connect=5)  # seconds


class Wire:
    """One server, as one terminal talks to it."""

    def __init__(
        self, base_url: str, clock: Clock, transport: httpx.BaseTransport | None = None, chance: Chance = by_chance
    ) -> None:
        self._base = base_url.rstrip("/")
        self._clock = clock
        self._chance = chance
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
        content = None if body is None else orjson.dumps(body)
        kind = {} if body is None else {"Content-Type": "application/json"}

        def send() -> httpx.Response:
            response = self._send(method, path, kind | self._proven(key, method, path, token), content)
            if response.status_code == 401 and _problem(response).code == "proof.nonce_required":
                response = self._send(method, path, kind | self._proven(key, method, path, token), content)
            return response

        return self._patiently(send)

    def tell(
        self, key: Key, method: str, path: str, headers: Mapping[str, str], content: bytes | None
    ) -> Mapping[str, str]:
        """A request with a proof of the key whose answer is in its headers, which are returned (names in small letters).

        A HEAD is answered without a body, so that a nonce is known by its header alone. Raises Problem, Offline.
        """
        kind = {} if content is None else {"Content-Type": "application/offset+octet-stream"}

        def send() -> httpx.Response:
            before = self._nonce
            response = self._send(method, path, {**headers, **kind, **self._proven(key, method, path, None)}, content)
            if response.status_code == 401 and self._nonce != before:
                proven = self._proven(key, method, path, None)
                response = self._send(method, path, {**headers, **kind, **proven}, content)
            return response

        return self._answered(send).headers

    def ask_open(self, path: str) -> dict[str, Any]:
        """A GET that is open to all. Raises Problem, Offline, Broken."""
        return self._patiently(lambda: self._send("GET", path, {}, None))

    def push(self, proof: str, body: bytes, path: str = "/v1/sync/push") -> dict[str, Any]:
        """A push or evacuation (protocol section 6); the proof describes the body. Raises Problem, Offline, Broken."""
        headers = {"Content-Type": "application/vnd.roundsman.frames", "Roundsman-Proof": proof}
        return self._patiently(lambda: self._send("POST", path, headers, body))

    @contextmanager
    def opened(
        self, key: Key, path: str, token: str, headers: dict[str, str], silence: float | None = None
    ) -> Iterator[httpx.Response]:
        """A GET whose answer is read while it comes; cut after `silence` seconds in which nothing came.

        Raises Problem when it is no success, Offline when it ends early.
        """
        timeout = TIMEOUT if silence is None else httpx.Timeout(silence, connect=5)
        try:
            for left in (1, 0):
                proven = headers | self._proven(key, "GET", path, token)
                with self._client.stream("GET", self._base + path, headers=proven, timeout=timeout) as response:
                    self._heard(response)
                    if response.is_success:
                        yield response
                        return
                    response.read()
                    problem = _problem(response)
                    if left == 0 or problem.code != "proof.nonce_required":
                        raise problem
        except httpx.TransportError as error:
            raise Offline(f"the answer of {self._base} ended: {error}") from error

    def fetch(self, key: Key, path: str, token: str, into: BinaryIO) -> None:
        """The rest of a file of which `into` has the beginning. What came before a cut is kept.

        Raises Problem (416 `range.invalid` when there is no rest), Offline, Broken.
        """
        have = into.seek(0, 2)
        headers = {"Range": f"bytes={have}-"} if have else {}
        with self.opened(key, path, token, headers) as response:
            if response.status_code != 206:
                into.seek(0)
                into.truncate()
            elif not re.match(rf"bytes {have}-", response.headers.get("Content-Range", "")):
                raise Broken(f"{path}: another range than the one asked for")
            for part in response.iter_raw():
                into.write(part)

    def _proven(self, key: Key, method: str, path: str, token: str | None) -> dict[str, str]:
        target = str(httpx.URL(self._base + path).copy_with(query=None, fragment=None))
        headers = {"DPoP": key.dpop(method, target, self._clock.now(), nonce=self._nonce, token=token)}
        return headers if token is None else headers | {"Authorization": f"DPoP {token}"}

    def _send(self, method: str, path: str, headers: dict[str, str], content: bytes | None) -> httpx.Response:
        try:
            response = self._client.request(method, self._base + path, headers=headers, content=content)
        except httpx.TransportError as error:
            raise Offline(f"no whole answer from {self._base}: {error}") from error
        self._heard(response)
        return response

    def _heard(self, response: httpx.Response) -> None:
        self._nonce = response.headers.get("DPoP-Nonce", self._nonce)

    def _patiently(self, send: Callable[[], httpx.Response]) -> dict[str, Any]:
        return _content(self._answered(send))

    def _answered(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        backoff = Backoff(self._clock, self._chance)
        for left in range(TRIES - 1, -1, -1):
            response = send()
            if response.is_success:
                return response
            problem = _problem(response)
            wait = problem.retry_after
            if response.status_code not in (429, 503) or wait is None or wait > MAX_WAIT or left == 0:
                break
            backoff.wait(wait)
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
