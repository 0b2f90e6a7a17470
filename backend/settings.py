"""Settings of one installation: frozen, read once, checked at the start."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_ORIGIN = re.compile(r"https?://[^/?#\s]+")


class BadSetting(SystemExit):
    """A setting has a value that cannot be meant; the server does not start."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"ROUNDSMAN_{name}: {why}")


@dataclass(frozen=True, slots=True)
class Settings:
    """``data`` holds keys, the embedded store and the high-water mark; ``database`` is SQLAlchemy's URL."""

    data: Path
    database: str
    public_origin: str | None = None
    """``https://host:port`` as terminals see it; when set, proofs must name it."""
    session_hours: int = 12
    terminal_app: Path | None = None
    """The folder of the built terminal, if it is served from here."""
    log_level: str = "INFO"
    readers: int = 96
    """How many request bodies are read at once; fewer than the HTTP server has threads."""
    silence_seconds: int = 60
    """After how long a connection on which nothing moves is cut."""
    streams: int = 500
    """How many streams each process holds open; each has a thread of the HTTP server to itself."""
    heartbeat_seconds: int = 15
    """How often a stream says that it is there: at least twice before a silent connection would be cut."""

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Settings from ``ROUNDSMAN_…`` variables. Raises BadSetting."""
        data = Path(environ.get("ROUNDSMAN_DATA", "data")).resolve()
        database = environ.get("ROUNDSMAN_DATABASE") or f"sqlite:///{data / 'roundsman.sqlite3'}"
        if not database.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise BadSetting("DATABASE", "must begin with sqlite:/// or postgresql+psycopg://")
        origin = environ.get("ROUNDSMAN_PUBLIC_ORIGIN") or None
        if origin and not _ORIGIN.fullmatch(origin):
            raise BadSetting("PUBLIC_ORIGIN", "must be like https://host:port")
        app = environ.get("ROUNDSMAN_TERMINAL_APP")
        level = environ.get("ROUNDSMAN_LOG_LEVEL", "INFO").upper()
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise BadSetting("LOG_LEVEL", "must be DEBUG, INFO, WARNING or ERROR")
        silence = _whole(environ, "SILENCE_SECONDS", 60, 1, 3600)
        most = max(1, silence // 2)
        return cls(
            data,
            database,
            origin,
            _whole(environ, "SESSION_HOURS", 12, 1, 24),
            Path(app) if app else None,
            level,
            _whole(environ, "READERS", 96, 1, 1000),
            silence,
            _whole(environ, "STREAMS", 500, 1, 5000),
            _whole(environ, "HEARTBEAT_SECONDS", min(15, most), 1, min(30, most)),
        )


def _whole(environ: Mapping[str, str], name: str, usual: int, least: int, most: int) -> int:
    text = environ.get(f"ROUNDSMAN_{name}", str(usual))
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise BadSetting(name, f"must be a whole number from {least} to {most}")
    return int(text)
