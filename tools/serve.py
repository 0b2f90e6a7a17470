"""Starts the HTTP server over `wsgi:serve`.

Granian serves WSGI with threads from Rust: a small request costs it a third of what a server in Python costs
(docs/adr/0002). SQLite has one process; PostgreSQL may have several.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from backend.settings import Settings
from sync.writing.entrance import LINE, PLACES

OTHERS = 128
"""Threads for all but pushes and streams; more than settings.readers, so that some are always free."""
THREADS = PLACES + LINE + OTHERS
"""Every push that may be inside or in the line has one (docs/adr/0013)."""
STREAMS = 500
"""As settings.streams. Streams come on top of THREADS, so that none ever takes a push's (docs/adr/0008)."""
BACKLOG = 2048
ARENAS = "2"
"""Of the C library's allocator. With one for each of hundreds of threads, what a rush has freed is never given back."""


def command(
    port: int,
    *,
    host: str = "127.0.0.1",
    processes: int = 1,
    streams: int = STREAMS,
    tls: tuple[Path, Path] | None = None,
) -> list[str]:
    """The command line of the server. `tls`: certificate chain and key."""
    threads = THREADS + streams
    line = [sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", "wsgi:serve", "--host", host]
    line += ["--port", str(port), "--workers", str(processes), "--blocking-threads", str(threads)]
    line += [
        "--backlog",
        str(BACKLOG),
        "--backpressure",
        str(BACKLOG + streams),
        "--no-ws",
        "--http",
        "1",
        "--log-level",
        "error",
    ]
    line += ["--respawn-failed-workers", "--workers-kill-timeout", "10s"]
    if tls is not None:
        line += ["--ssl-certificate", str(tls[0]), "--ssl-keyfile", str(tls[1])]
    return line


def serve(port: int, *, host: str = "127.0.0.1", tls: tuple[Path, Path] | None = None) -> None:
    """Becomes the server; does not return."""
    database = os.environ.get("ROUNDSMAN_DATABASE", "")
    processes = int(os.environ.get("ROUNDSMAN_PROCESSES", "3")) if database.startswith("postgresql") else 1
    line = command(port, host=host, processes=processes, streams=Settings.read().streams, tls=tls)
    _allow_connections()
    os.environ.setdefault("MALLOC_ARENA_MAX", ARENAS)
    os.execv(line[0], line)  # noqa: S606 - our own command line, no shell


def _allow_connections() -> None:
    """As many descriptors as the machine lets us have: the usual 1,024 are few for streams, pushes and files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
