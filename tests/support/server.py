"""A server process for tests, on a port of its own, and commands beside it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from tools.process import ROOT, Killable, environment
from tools.serve import STREAMS, command

_PATIENCE = 60.0


def flask(data: Path, database: str | None, *words: str) -> subprocess.Popen[str]:
    """A ``flask`` command in a process of its own, begun."""
    line = [sys.executable, "-m", "flask", "--app", "wsgi", *words]
    return subprocess.Popen(
        line, env=environment(data, database), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip


class Server(Killable):
    """One server over a data folder. ``more``: settings of its own."""

    def __init__(
        self,
        data: Path,
        database: str | None = None,
        *,
        processes: int = 1,
        streams: int = STREAMS,
        more: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(data.parent, data.name)
        self.data = data
        self.url = f"http://127.0.0.1:{self.port}"
        self._database = database
        self._processes = processes
        self._streams = streams
        self._more = dict(more or {})

    def launch(self, failpoint: str | None = None) -> None:
        """Begins to start; armed with ``name:count`` if a failpoint is given."""
        line = command(self.port, processes=self._processes, streams=self._streams)
        self.begin(line, environment(self.data, self._database, **self._more), failpoint)

    def wait(self) -> None:
        """Until it answers. Raises RuntimeError, with what it said, when it does not come up."""
        until = time.monotonic() + _PATIENCE
        with httpx.Client(verify=False, timeout=5) as client:
            while time.monotonic() < until and self.alive:
                with contextlib.suppress(httpx.TransportError):
                    if client.get(f"{self.url}/healthz").status_code == 200:
                        return
                time.sleep(0.02)
        raise self.failed()

    def start(self, failpoint: str | None = None) -> None:
        """Launches and waits."""
        self.launch(failpoint)
        self.wait()

    def signal(self, number: signal.Signals) -> None:
        """A signal to the main process alone, as a service manager sends it."""
        assert self._process is not None
        self._process.send_signal(number)

    def fallen(self) -> bool:
        """Waits until the server has gone down by itself; whether it has."""
        assert self._process is not None
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            return False
        self.kill()
        return True


@contextlib.contextmanager
def serving(data: Path, database: str | None = None, *, processes: int = 1) -> Iterator[Server]:
    """A server that is up; killed at the end, however the test ends."""
    server = Server(data, database, processes=processes)
    try:
        server.start()
        yield server
    finally:
        server.kill()
