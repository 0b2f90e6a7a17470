"""A fake server in this process for unit tests, and in a process of its own for those that kill terminals."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fake_server import FakeServer
from fake_world import World

from headless import Terminal

CODE = "7Q2M-K8ZD-41XT"


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
    """The air between terminal and server: `lose_answers` lets requests through and drops what comes back."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.down = False
        self.lose_answers = 0
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
        if self.lose_answers:
            self.lose_answers -= 1
            raise httpx.ReadError("the answer was lost")
        return response

    def paths(self) -> list[str]:
        return [request.url.path for request in self.requests]


@pytest.fixture
def fake() -> FakeServer:
    return FakeServer()


@pytest.fixture
def world(fake: FakeServer) -> World:
    return fake.world()


@pytest.fixture
def line(fake: FakeServer) -> Line:
    return Line(httpx.WSGITransport(fake))


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def fresh(tmp_path: Path, line: Line, clock: HandClock) -> Iterator[Terminal]:
    """A terminal that has not enrolled yet."""
    with Terminal(tmp_path / "terminal.db", "http://fake", transport=line, clock=clock) as terminal:
        yield terminal


@pytest.fixture
def terminal(fresh: Terminal) -> Terminal:
    """Enrolled, officer 100007 signed in, rows pulled."""
    fresh.enrol(CODE, "PDA-07")
    fresh.sign_in("100007", "s3cret")
    fresh.pull()
    return fresh


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A fake server in another process: its end of a connection must not die with a terminal's."""
    file = Path(__file__).with_name("fake_server.py")
    with subprocess.Popen(
        [sys.executable, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.communicate()
