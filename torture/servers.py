"""Server processes: production's own command line over the torture's entry point, to be killed and started again.

Granian runs a main process and its worker; armed with a failpoint a server goes down whole with its first worker, since
a replacement would die as well. Every server is a session of its own, so that one signal reaches the whole tree.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import time
from pathlib import Path

from bench.process import free_port, tree
from tools.serve import command
from torture.engines import ROOT, environment

ENTRY = "torture.entry:serve"
_PATIENCE = 60.0


class Server:
    """One server over a data folder, on one port for all its lives. ``log`` is what it said."""

    def __init__(self, data: Path, database: str | None, clock: Path, broken: str | None) -> None:
        self.port = free_port()
        self.log = data.with_name(f"server-{self.port}.log")
        more = {"ROUNDSMAN_TORTURE_CLOCK": str(clock)}
        if broken is not None:
            more["ROUNDSMAN_TORTURE_BROKEN"] = broken
        self.data, self.database, self.more = data, database, more
        self._process: subprocess.Popen[bytes] | None = None
        self._answered = False

    def launch(self, failpoint: str | None = None) -> None:
        """Begins to start; armed with ``name:count`` if a failpoint is given."""
        line = [ENTRY if word == "wsgi:serve" else word for word in command(self.port)]
        more = dict(self.more)
        if failpoint is not None:
            line.remove("--respawn-failed-workers")
            more["ROUNDSMAN_FAILPOINT"] = failpoint
        self._answered = False
        environ = environment(self.data, self.database, **more)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                line, env=environ, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )  # fmt: skip

    def wait(self) -> bool:
        """Until it answers, or has gone down; whether it answers. Raises RuntimeError when it does neither."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            if not self.alive or self.ready:
                return self.alive
            time.sleep(0.05)
        raise RuntimeError(f"the server did not come up:\n{self.log.read_text()[-3000:]}")

    @property
    def ready(self) -> bool:
        """Whether it has answered since it was launched, and is alive."""
        if not self._answered and self.alive:
            asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
            with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(asked):
                asked.request("GET", "/healthz")
                self._answered = asked.getresponse().status == 200
        return self._answered and self.alive

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def workers(self) -> list[int]:
        """The processes in which the application runs."""
        if self._process is None:
            return []
        return sorted(tree(self._process.pid) - {self._process.pid})

    def signal(self, number: signal.Signals) -> None:
        """A signal to the whole tree."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """SIGKILL to all of it."""
        if self._process is not None:
            self.signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """As an administrator stops it."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
            self.kill()
