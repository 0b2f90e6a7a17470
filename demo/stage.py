"""What a shift is played on: a server process, one simulated time for everybody, handhelds with a radio that fails.

Time is the only thing that is not real. The server is the same application behind the same HTTP server as in service,
but its clock reads a file that the play moves on; so receipts, heads and sessions carry the times of the story.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import orjson

from demo.facility import Officer
from demo.rounds import LOCAL, PlannedVisit
from demo.seed import SECRET
from headless import Offline, Terminal
from mobile_api.services import EXTENSION, Services
from tasks.jobs import Chore, do_chore
from tools.serve import command
from wsgi import create_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROOT = Path(__file__).resolve().parent.parent
CLOCK = "ROUNDSMAN_DEMO_CLOCK"
TICK = "/demo/tick"
_PATIENCE = 60


class StoryClock:
    """A moment in a file of eight bytes, for all processes of the play: milliseconds since 1970 UTC."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 8)

    def now(self) -> int:
        return int.from_bytes(self._shared[:], "little")

    def move_to(self, moment: datetime) -> None:
        """On to a later moment; an earlier one is passed already."""
        there = int(moment.timestamp() * 1000)
        if there > self.now():
            self._shared[:] = there.to_bytes(8, "little")

    @property
    def local(self) -> datetime:
        return datetime.fromtimestamp(self.now() / 1000, LOCAL)


class Ticking:
    """An application whose clockwork runs when the play says so: what a server in service does every quarter of a minute
    is done at each request of TICK, before it is answered."""

    def __init__(self, application: WSGIApplication, services: Services) -> None:
        self._application = application
        self._services = services

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != TICK:
            return self._application(environ, start_response)
        self._services.sightings.flush()
        do_chore(self._services.store, Chore("duties", 0, self._tick))
        start_response("204 No Content", [])
        return []

    def _tick(self, facility: str) -> None:
        self._services.clockwork.tick(facility)
        self._services.courier.tend(facility, self._services.clock.now())


def serve() -> WSGIApplication:
    """The application on the story's time: what the server process of the demo loads."""
    app = create_app(clock=StoryClock(Path(os.environ[CLOCK])))
    return Ticking(app, app.extensions[EXTENSION])


@contextlib.contextmanager
def server(data: Path, clock: StoryClock) -> Iterator[str]:
    """A server process over a data folder; gives its base URL. Raises RuntimeError when it does not come up."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = command(port)
    line[line.index("wsgi:serve")] = f"{__name__}:serve"
    environ = os.environ | {"ROUNDSMAN_DATA": str(data), "ROUNDSMAN_LOG_LEVEL": "ERROR", CLOCK: str(clock.path)}
    log = data.with_name("server.log")
    with (
        log.open("wb") as said,
        subprocess.Popen(line, env=environ, cwd=ROOT, stdout=said, stderr=said) as process,  # noqa: S603 - ours
    ):
        try:
            _wait(f"http://127.0.0.1:{port}/healthz", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    with httpx.Client(verify=False) as client:  # noqa: S501 - plain HTTP to ourselves; reading certificates takes time
        while time.monotonic() < until and process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if client.get(url).is_success:
                    return
            time.sleep(0.05)
    raise RuntimeError(f"the server did not come up:\n{log.read_text()[-2000:]}")


class Radio(httpx.BaseTransport):
    """The way from a handheld to the server. ``cut``: out of range. ``loses``: how many answers to a push get lost."""

    def __init__(self) -> None:
        self._line = httpx.HTTPTransport(verify=False)
        self.cut = False
        self.loses = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.cut:
            raise httpx.ConnectError("out of range", request=request)
        response = self._line.handle_request(request)
        if self.loses and request.url.path.endswith("/push"):
            self.loses -= 1
            response.read()
            raise httpx.ReadError("out of range before the answer came", request=request)
        return response

    def close(self) -> None:
        self._line.close()


class Wrist:
    """A handheld's own clock: the story's time, and what it is wrong by."""

    def __init__(self, story: StoryClock, wrong_by: timedelta = timedelta()) -> None:
        self.wrong_by = wrong_by
        self._story = story
        self._start = story.now()
        self.boot = str(uuid.uuid4())

    def now(self) -> datetime:
        return self._story.local + self.wrong_by

    def monotonic(self) -> int:
        return self._story.now() - self._start

    def sleep(self, seconds: float) -> None:
        """The server asks for patience: that is real time."""
        time.sleep(min(seconds, 2))


@dataclass
class Handheld:
    """One terminal in the play. ``learnt``: every outcome it was told, by operation, in the order of telling."""

    label: str
    path: Path
    url: str
    clock: Wrist
    radio: Radio = field(default_factory=Radio)
    learnt: dict[str, dict[str, Any]] = field(default_factory=dict)
    officers: dict[str, str] = field(default_factory=dict)
    """Who has signed in here: name by officer id."""

    def __post_init__(self) -> None:
        self.terminal = Terminal(self.path, self.url, transport=self.radio, clock=self.clock)

    def reopen(self) -> None:
        """The program starts again on the same database."""
        self.terminal.close()
        self.radio = Radio()
        self.terminal = Terminal(self.path, self.url, transport=self.radio, clock=self.clock)

    def sign_in(self, officer: Officer) -> None:
        signed = self.terminal.sign_in(officer.number, SECRET)
        self.officers[signed.officer] = signed.name

    def sync(self, *, pull: bool = True) -> list[dict[str, Any]] | None:
        """Pushes, then pulls. Gives the outcomes learnt; None without signal, and everything stays queued."""
        try:
            outcomes = self.terminal.push()
            self.learnt |= {outcome["op"]: outcome for outcome in outcomes}
            if pull:
                self.terminal.pull()
        except Offline:
            return None
        return outcomes

    def walk_and_die(self, round_id: str, visits: Sequence[PlannedVisit], stops: int) -> int:
        """Its program walks in a process of its own and is killed after so many stops; how many it said it had kept."""
        self.terminal.close()
        told = [{"at": visit.observed_at.isoformat(), **looked(visit)} for visit in visits]
        plan = orjson.dumps({"round": round_id, "boot": self.clock.boot, "stops": told})
        line = [sys.executable, "-m", "demo.handheld", str(self.path)]
        said = 0
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:  # noqa: S603 - ours
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(plan + b"\n")
            process.stdin.flush()
            for answer in process.stdout:
                said = int(answer)
                if said == stops:
                    process.kill()
        self.reopen()
        return said

    @property
    def waiting(self) -> int:
        return len(self.terminal.waiting())


def looked(visit: PlannedVisit) -> dict[str, Any]:
    """What is typed at a stop."""
    tag = None if visit.tag is None else {"uid": visit.tag, "medium": "nfc", "counter": None}
    cell = None if visit.cell is None else dict(vars(visit.cell))
    return {"place": visit.place.id, "tag": tag, "cell": cell, "note": visit.note}
