"""Pushes without Flask, which costs a small push more than its own work (docs/adr/0012).

Only a push whose request has nothing unusual is taken here. All else goes on to Flask, which has the same route, does
the same with it, and has it in the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import structlog

from backend.kernel import failpoints
from backend.kernel.framing import MAX_BODY
from backend.kernel.problems import Problem
from mobile_api import guard, problems
from mobile_api.push import FRAMES, PATH
from mobile_api.services import Services

Environ = dict[str, Any]
Start = Callable[..., Any]
Application = Callable[[Environ, Start], Iterable[bytes]]
_JSON = ("Content-Type", "application/json")
_log = structlog.get_logger(__name__)


class Front:
    """A WSGI application before another one, ``rest``."""

    def __init__(self, rest: Application, services: Services) -> None:
        self._rest = rest
        self._intake = services.intake
        self._pusher = services.pusher

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        length = _plain(environ) if environ["PATH_INFO"] == PATH else None
        if length is None:
            return self._rest(environ, start)
        try:
            body = self._intake.take(environ["wsgi.input"], length)
            told = self._pusher.push(environ.get("HTTP_ROUNDSMAN_PROOF"), body)
        except Problem as problem:
            return _refused(problem, environ, start)
        except Exception:  # noqa: BLE001 - as Flask does: the trace goes to the log alone
            _log.exception("fault", path=PATH, method="POST")
            return _refused(Problem("server.fault"), environ, start)
        failpoints.hit("answer.before_send")
        start("200 OK", [_JSON, ("Content-Length", str(len(told))), *guard.SAFE_HEADERS])
        return [told]


def _plain(environ: Environ) -> int | None:
    """The length of the body, if this is a push as terminals send it: POST, the one content type, a length in digits."""
    if environ["REQUEST_METHOD"] != "POST" or environ.get("CONTENT_TYPE") != FRAMES:
        return None
    length = environ.get("CONTENT_LENGTH", "")
    # Seven digits: no number of thousands of them is ever converted.
    if not (length.isascii() and length.isdigit()) or len(length) > 7 or "HTTP_TRANSFER_ENCODING" in environ:
        return None
    return int(length) if int(length) <= MAX_BODY else None


def _refused(problem: Problem, environ: Environ, start: Start) -> Iterable[bytes]:
    return guard.made_safe(problems.answer(problem))(environ, start)
