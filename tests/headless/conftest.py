"""A fake server in this process for unit tests, and in a process of its own for those that kill terminals."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from headless import Terminal
from tests.headless.fake_server import FakeServer
from tests.headless.fake_world import World
from tests.headless.kit import CODE, SECRET, HandClock, Line
from tests.support import world as real
from tests.support.server import serving
from tests.support.templates import Templates

ROOT = Path(__file__).parents[2]


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
    with Terminal(tmp_path / "terminal.db", "http://fake", transport=line, clock=clock, chance=lambda: 0.5) as terminal:
        yield terminal


@pytest.fixture
def terminal(fresh: Terminal) -> Terminal:
    """Enrolled, officer PAT signed in, rows pulled."""
    fresh.enrol(CODE, "PDA-07")
    fresh.sign_in("PAT", SECRET)
    fresh.pull()
    return fresh


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A fake server in another process: its end of a connection must not die with a terminal's."""
    line = [sys.executable, "-m", "tests.headless.fake_server"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.communicate()


@pytest.fixture(scope="module")
def served(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[real.World, str]]:
    """A server process of its own on the small facility's store, by the machine's clock."""
    with templates.world("sqlite", tmp_path_factory.mktemp("served")) as world:
        world.clock.set(time.time_ns() // 1_000_000)
        with serving(world.settings.data) as server:
            yield world, server.url
