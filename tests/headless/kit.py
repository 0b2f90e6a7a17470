"""A clock that tests move, and the air between a terminal and its server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx

CODE = "7Q2M-K8ZD-41XT"
OTHER_CODE = "0000-0000-000A"
SECRET = "a secret for tests"


class HandClock:
    """A clock that tests move; `slept` lists the seconds waited for."""

    boot = "00000000-0000-4000-8000-000000000000"

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 22, 3, 14, 15, 123_999, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> int:
        return 1000

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)


class Line(httpx.BaseTransport):
    """The air between terminal and server: `lose_answers` lets requests through and drops what comes back; `lose_on` does so
    with the next success on a path."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.down = False
        self.lose_answers = 0
        self.lose_on: str | None = None
        self.requests: list[httpx.Request] = []
        self.meanwhile: Callable[[], None] | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("no signal")
        self.requests.append(request)
        response = self._inner.handle_request(request)
        if self.meanwhile is not None:
            run, self.meanwhile = self.meanwhile, None
            run()
        if self.lose_on == request.url.path and response.is_success:
            self.lose_on = None
            raise httpx.ReadError("the answer was lost")
        if self.lose_answers:
            self.lose_answers -= 1
            raise httpx.ReadError("the answer was lost")
        return response

    def paths(self) -> list[str]:
        return [request.url.path for request in self.requests]
