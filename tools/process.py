"""Servers as processes of their own: production's own command line, to be measured, or killed and started again.

Granian runs a main process and its workers; the application, and with it a failpoint, lives in a worker. The command
line asks the main process to replace a worker that dies. Armed with a failpoint the replacement would die as well, at a
moment that hangs on the machine; so an armed server runs without that option and goes down whole with its first worker.
Every server is a session of its own, so that one signal reaches the whole tree (Linux, /proc).
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SILENCE_SECONDS = 8
"""After how long servers under test cut a silent connection."""
UNHURRIED = {
    "ROUNDSMAN_TOKEN_MINUTES": "1440",
    "ROUNDSMAN_SIGN_INS": "0",
    "ROUNDSMAN_ENROLMENTS": "0",
    "ROUNDSMAN_REQUESTS": "0",
    "ROUNDSMAN_TICK_SECONDS": "0",
}
"""Settings for those who step a clock by hours, or enrol a hundred terminals at one moment; they tick themselves if at all."""
_RESPAWN = "--respawn-failed-workers"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tree(root: int) -> set[int]:
    """The process and all that came from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: set[int] = set()
    todo = [root]
    while todo:
        process = todo.pop()
        if process not in found:
            found.add(process)
            todo += children.get(process, [])
    return found


def environment(data: Path, database: str | None = None, **more: str) -> dict[str, str]:
    """The environment of a server under test, or of a command beside it."""
    usual = {"ROUNDSMAN_LOG_LEVEL": "ERROR", "ROUNDSMAN_SILENCE_SECONDS": str(SILENCE_SECONDS)}
    made = os.environ | usual | UNHURRIED | {"ROUNDSMAN_DATA": str(data)} | more
    if database is not None:
        made["ROUNDSMAN_DATABASE"] = database
    if made.pop("PYTHONDONTWRITEBYTECODE", None):
        # Dozens of starts: where byte code is kept out of the tree, it is kept somewhere else, or each compiles anew.
        made.setdefault("PYTHONPYCACHEPREFIX", str(Path(tempfile.gettempdir()) / "roundsman-bytecode"))
    return made


class Killable:
    """One server on one port for all its lives. ``log`` is what it said in all of them together."""

    def __init__(self, folder: Path, name: str) -> None:
        self.port = free_port()
        self.log = folder / f"{name}-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, line: Sequence[str], environ: dict[str, str], failpoint: str | None = None) -> None:
        """Begins to start; armed with ``name:count`` if a failpoint is given."""
        if failpoint is not None:
            line = [word for word in line if word != _RESPAWN]
            environ = environ | {"ROUNDSMAN_FAILPOINT": failpoint}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                line, env=environ, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )  # fmt: skip

    def failed(self) -> RuntimeError:
        """What to raise when it does not come up: it says what it said."""
        return RuntimeError(f"the server did not come up:\n{self.log.read_text()[-3000:]}")

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def workers(self) -> list[int]:
        """The processes in which the application runs."""
        if self._process is None:
            return []
        return sorted(tree(self._process.pid) - {self._process.pid})

    def signal_all(self, number: signal.Signals) -> None:
        """A signal to the whole tree."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """SIGKILL to all of it."""
        if self._process is not None:
            self.signal_all(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """As an administrator stops it."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
            self.kill()
