"""A server process for tests: production's own command line, on a port of its own, to be killed and started again.

Granian runs a main process and its workers; the application, and with it a failpoint, lives in a worker. The command
line asks the main process to replace a worker that dies. Armed with a failpoint the replacement would die as well, at a
moment that hangs on the machine; so an armed server runs without that option and goes down whole with its first worker.
Every server is a session of its own, so that one signal reaches the whole tree.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from bench.process import free_port, tree
from tools.serve import STREAMS, command

ROOT = Path(__file__).resolve().parents[2]
_RESPAWN = "--respawn-failed-workers"
_PATIENCE = 60.0


SILENCE_SECONDS = 8
"""After how long these servers cut a silent connection."""


def environment(data: Path, database: str | None = None, **more: str) -> dict[str, str]:
    """The environment of a server, or of a command beside it."""
    usual = {"ROUNDSMAN_LOG_LEVEL": "ERROR", "ROUNDSMAN_SILENCE_SECONDS": str(SILENCE_SECONDS)}
    made = os.environ | usual | {"ROUNDSMAN_DATA": str(data)} | more
    if database is not None:
        made["ROUNDSMAN_DATABASE"] = database
    if made.pop("PYTHONDONTWRITEBYTECODE", None):
        # Dozens of starts: where byte code is kept out of the tree, it is kept somewhere else, or each compiles anew.
        made.setdefault("PYTHONPYCACHEPREFIX", str(Path(tempfile.gettempdir()) / "roundsman-bytecode"))
    return made


def flask(data: Path, database: str | None, *words: str) -> subprocess.Popen[str]:
    """A ``flask`` command in a process of its own, begun."""
    line = [sys.executable, "-m", "flask", "--app", "wsgi", *words]
    return subprocess.Popen(
        line, env=environment(data, database), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip


class Server:
    """One server over a data folder. ``log`` is what it said, all its lives together; ``more``: settings of its own."""

    def __init__(
        self,
        data: Path,
        database: str | None = None,
        *,
        processes: int = 1,
        streams: int = STREAMS,
        more: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data.with_name(f"{data.name}-{self.port}.log")
        self._database = database
        self._processes = processes
        self._streams = streams
        self._more = dict(more or {})
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self, failpoint: str | None = None) -> None:
        """Begins to start; armed with ``name:count`` if a failpoint is given."""
        line = command(self.port, processes=self._processes, streams=self._streams)
        more = dict(self._more)
        if failpoint is not None:
            line.remove(_RESPAWN)
            more["ROUNDSMAN_FAILPOINT"] = failpoint
        environ = environment(self.data, self._database, **more)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                line, env=environ, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )  # fmt: skip

    def wait(self) -> None:
        """Until it answers. Raises RuntimeError, with what it said, when it does not come up."""
        until = time.monotonic() + _PATIENCE
        with httpx.Client(verify=False, timeout=5) as client:
            while time.monotonic() < until and self.alive:
                with contextlib.suppress(httpx.TransportError):
                    if client.get(f"{self.url}/healthz").status_code == 200:
                        return
                time.sleep(0.02)
        raise RuntimeError(f"the server did not come up:\n{self.log.read_text()[-3000:]}")

    def start(self, failpoint: str | None = None) -> None:
        """Launches and waits."""
        self.launch(failpoint)
        self.wait()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def workers(self) -> list[int]:
        """The processes in which the application runs."""
        assert self._process is not None
        return sorted(tree(self._process.pid) - {self._process.pid})

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

    def kill(self) -> None:
        """SIGKILL to all of it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """As an administrator stops it."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
            self.kill()


@contextlib.contextmanager
def serving(data: Path, database: str | None = None, *, processes: int = 1) -> Iterator[Server]:
    """A server that is up; killed at the end, however the test ends."""
    server = Server(data, database, processes=processes)
    try:
        server.start()
        yield server
    finally:
        server.kill()
