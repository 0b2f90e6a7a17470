"""Settings of one installation: frozen, read once, checked at the start."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.kernel.ids import FACILITY

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
    token_minutes: int = 10
    """How long an access token is good; a refresh gets the next one, for as long as the session lasts."""
    sign_ins: int = 30
    """Sign-ins and refreshes of one terminal in a minute; 0: any number."""
    enrolments: int = 30
    """Enrolments from one address in a minute, four times as many from everywhere; 0: any number."""
    requests: int = 1200
    """Other requests of one session in a minute, pulls and pushes not counted; 0: any number."""
    unlock_hours: int = 12
    """How long after a sign-in an officer may unlock his rows on the device without the server."""
    unlock_tries: int = 5
    """How many wrong secrets destroy what they would unlock."""
    unlock_idle_minutes: int = 5
    """After how long without a touch the device locks itself."""
    home_facility: str | None = None
    """Whose administrators found other facilities; None: only the console does."""
    certificate: Path | None = None
    """The certificate chain that the HTTP server shows, so that its end and its authority can be told."""
    tick_seconds: int = 15
    """How often it is looked what duties are due; 0: never, where another process does it."""

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
            _whole(environ, "TOKEN_MINUTES", 10, 1, 1440),
            _whole(environ, "SIGN_INS", 30, 0, 10_000),
            _whole(environ, "ENROLMENTS", 30, 0, 10_000),
            _whole(environ, "REQUESTS", 1200, 0, 1_000_000),
            _whole(environ, "UNLOCK_HOURS", 12, 1, 72),
            _whole(environ, "UNLOCK_TRIES", 5, 1, 10),
            _whole(environ, "UNLOCK_IDLE_MINUTES", 5, 1, 60),
            _facility(environ),
            Path(chain) if (chain := environ.get("ROUNDSMAN_CERTIFICATE")) else None,
            _whole(environ, "TICK_SECONDS", 15, 0, 3600),
        )


def _facility(environ: Mapping[str, str]) -> str | None:
    text = environ.get("ROUNDSMAN_HOME_FACILITY") or None
    if text is not None and not FACILITY.fullmatch(text):
        raise BadSetting("HOME_FACILITY", f"must be the id of a facility: {FACILITY.pattern}")
    return text


def _whole(environ: Mapping[str, str], name: str, usual: int, least: int, most: int) -> int:
    text = environ.get(f"ROUNDSMAN_{name}", str(usual))
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise BadSetting(name, f"must be a whole number from {least} to {most}")
    return int(text)
