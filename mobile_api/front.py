"""Pushes and pulls without Flask, which costs a small one more than its own work (docs/adr/0012).

Only a request that has nothing unusual is taken here. All else goes on to Flask, which has the same routes, does the
same with them, and has them in the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from io import BytesIO
from typing import Any

import structlog
from marshmallow import ValidationError

from backend.kernel import failpoints
from backend.kernel.framing import MAX_BODY
from backend.kernel.problems import Problem
from backend.kernel.strict_json import Unreadable, read_object
from mobile_api import guard, problems, pull, push
from mobile_api.blueprint import JSON
from mobile_api.services import Services
from mobile_api.unread import closing

Environ = dict[str, Any]
Start = Callable[..., Any]
Application = Callable[[Environ, Start], Iterable[bytes]]
Answer = tuple[bytes, Sequence[tuple[str, str]]]
Way = Callable[[Environ, Callable[[], bytes]], Answer]
_JSON = ("Content-Type", JSON)
_log = structlog.get_logger(__name__)


class Front:
    """A WSGI application before another one, ``rest``."""

    def __init__(self, rest: Application, services: Services) -> None:
        self._rest = rest
        self._services = services
        self._ways: dict[tuple[str, str | None], Way] = {
            (push.PATH, push.FRAMES): partial(self._push, sealed=False),
            (push.PATH, push.SEALED): partial(self._push, sealed=True),
            (pull.PATH, JSON): self._pull,
        }

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        start = closing(environ, start)
        way = self._ways.get((environ["PATH_INFO"], environ.get("CONTENT_TYPE")))
        length = _plain(environ) if way is not None else None
        if way is None or length is None:
            return self._rest(environ, start)
        try:
            told, headers = way(environ, partial(environ["wsgi.input"].read, length))
        except _Unusual:
            return self._rest(environ, start)
        except Problem as problem:
            return self._refused(problem, environ, start)
        except Exception:  # noqa: BLE001 - as Flask does: the trace goes to the log alone
            _log.exception("fault", path=environ["PATH_INFO"], method="POST")
            return self._refused(Problem("server.fault"), environ, start)
        start("200 OK", [_JSON, ("Content-Length", str(len(told))), *headers, *guard.SAFE_HEADERS])
        return [told]

    def _push(self, environ: Environ, read: Callable[[], bytes], *, sealed: bool) -> Answer:
        told = self._services.pusher.push(environ.get("HTTP_ROUNDSMAN_PROOF"), read, sealed=sealed)
        failpoints.hit("answer.before_send")
        return told, ()

    def _pull(self, environ: Environ, read: Callable[[], bytes]) -> Answer:
        here, header = self._services, environ.get
        caller = guard.find_session(here, "POST", pull.PATH, header("HTTP_DPOP"), header("HTTP_AUTHORIZATION"))
        body = here.intake.take(read)
        try:
            asked = pull.REQUEST.load(read_object(body))
        except (Unreadable, ValidationError):
            environ["wsgi.input"] = BytesIO(body)
            raise _Unusual from None
        return pull.answer(here, caller, asked), self._nonce()

    def _nonce(self) -> Sequence[tuple[str, str]]:
        return (("DPoP-Nonce", self._services.nonces.fresh()),)

    def _refused(self, problem: Problem, environ: Environ, start: Start) -> Iterable[bytes]:
        response = guard.made_safe(problems.answer(problem))
        if environ["PATH_INFO"] == pull.PATH:
            response.headers.extend(self._nonce())
        return response(environ, start)


class _Unusual(Exception):
    """Flask says better what is wrong with it."""


def _plain(environ: Environ) -> int | None:
    """The length of the body, if this is a request as terminals send it: POST, with a length in digits."""
    if environ["REQUEST_METHOD"] != "POST":
        return None
    length = environ.get("CONTENT_LENGTH", "")
    # Seven digits: no number of thousands of them is ever converted.
    if not (length.isascii() and length.isdigit()) or len(length) > 7 or "HTTP_TRANSFER_ENCODING" in environ:
        return None
    return int(length) if int(length) <= MAX_BODY else None
