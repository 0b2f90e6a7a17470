"""A server of its own for a measurement, and what its process tree has used (Linux, /proc)."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tools.process import UNHURRIED, free_port, tree
from tools.serve import ARENAS, command

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu(root: int) -> float:
    """Seconds of user and system time of a process tree; counts whole ticks, so measure seconds, not milliseconds."""
    total = 0
    for process in tree(root):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def memory(root: int) -> float:
    """Resident memory of a process tree in MB."""
    total = 0
    for process in tree(root):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process}/status").read_text().splitlines():
                if line.startswith("VmRSS"):
                    total += int(line.split()[1])
    return total / 1024


def threads(root: int) -> int:
    """How many threads a process tree has."""
    total = 0
    for process in tree(root):
        with contextlib.suppress(OSError):
            total += len(os.listdir(f"/proc/{process}/task"))
    return total


@contextlib.contextmanager
def running(data: Path, database: str | None = None, *, processes: int = 1) -> Iterator[tuple[str, int]]:
    """A server over a data folder; gives its base URL and process id."""
    port = free_port()
    environ = {"MALLOC_ARENA_MAX": ARENAS} | os.environ | UNHURRIED | {"ROUNDSMAN_DATA": str(data)}
    if database is not None:
        environ["ROUNDSMAN_DATABASE"] = database
    server = subprocess.Popen(command(port, processes=processes), env=environ)
    base = f"http://127.0.0.1:{port}"
    try:
        _wait(base, server)
        yield base, server.pid
    finally:
        server.terminate()
        server.wait(timeout=20)


def _wait(base: str, server: subprocess.Popen[bytes], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{base}/healthz").status_code == 200:
                return
        if server.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError("the server did not come up")
