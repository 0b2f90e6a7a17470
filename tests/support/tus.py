"""A client of tus 1.0.0 by hand: every header of every request is a test's to choose."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from werkzeug.test import TestResponse

from tests.support.caller import Caller

FILES = "/v1/files"
PIECE = "application/offset+octet-stream"
SPOKEN = {"Tus-Resumable": "1.0.0"}


def digest(content: bytes) -> str:
    """As operations name it."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def metadata(**said: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())


def checksum(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"


def ask(caller: Caller, method: str, path: str, body: bytes | None = None, **headers: str) -> TestResponse:
    """A request by the terminal's key; ``headers`` with ``_`` for ``-``, empty ones left out."""
    token, caller.token = caller.token, None
    said = SPOKEN | {name.replace("_", "-"): value for name, value in headers.items()}
    given = caller.headers(method, path) | {name: value for name, value in said.items() if value}
    caller.token = token
    more: dict[str, Any] = {"content_type": PIECE} if body is not None else {}
    return caller.ask(method, path, body, given, **more)


def begin(caller: Caller, content: bytes, type_: str = "image/jpeg", **headers: str) -> TestResponse:
    """Begins the upload of a file."""
    said = {"Upload_Length": str(len(content)), "Upload_Metadata": metadata(digest=digest(content), filetype=type_)}
    return ask(caller, "POST", FILES, **(said | headers))


def begun(caller: Caller, content: bytes, type_: str = "image/jpeg") -> str:
    """The address of an upload that was begun."""
    response = begin(caller, content, type_)
    assert response.status_code == 201, response.data
    return str(response.headers["Location"])


def add(caller: Caller, where: str, offset: int, content: bytes, **headers: str) -> TestResponse:
    """Adds bytes."""
    return ask(caller, "PATCH", where, content, Upload_Offset=str(offset), **headers)


def sent(caller: Caller, content: bytes, type_: str = "image/jpeg") -> str:
    """Brings a file; its digest."""
    where = begun(caller, content, type_)
    response = add(caller, where, 0, content)
    assert response.status_code == 204, response.data
    return digest(content)


def begin_and_add(caller: Caller, content: bytes, type_: str = "image/jpeg") -> None:
    """Brings a file if the server takes it, whatever it says."""
    response = begin(caller, content, type_)
    if response.status_code == 201:
        add(caller, response.headers["Location"], 0, content)


def offset(caller: Caller, where: str) -> int:
    """How much the server says it has."""
    response = ask(caller, "HEAD", where)
    assert response.status_code == 204, response.data
    return int(response.headers["Upload-Offset"])
