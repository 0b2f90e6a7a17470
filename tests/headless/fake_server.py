"""A server of the protocol in memory, written from docs/protocol.md alone and sharing no code with `headless`.

It is a second opinion on that page: signatures with `cryptography` only, JSON with the standard library. Each world
(a path before /v1) is one facility of its own. As a program (`python -m tests.headless.fake_server`) it serves on a
free port and prints it.
"""

from __future__ import annotations

import json
import os
import re
import socketserver
import sys
import threading
import wsgiref.simple_server
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from tests.headless.fake_crypto import BadSignature, b64, digest, thumb, unb64, verified
from tests.headless.fake_world import OPERATION_MAX, Failure, World, uuid7

Environ = dict[str, Any]
Start = Callable[..., Any]
STATUS = {200: "OK", 201: "Created", 204: "No Content"}


class FakeServer:
    """The WSGI application; `world(name)` lets tests look inside, and make trouble."""

    def __init__(self) -> None:
        self._worlds: dict[str, World] = {}

    def world(self, name: str = "") -> World:
        """The facility behind the path /<name>; made when first asked for."""
        return self._worlds.setdefault(name, World())

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        match = re.fullmatch(r"(/.+)?(/v1/.*|/state)", environ["PATH_INFO"])
        assert match, environ["PATH_INFO"]
        world = self.world((match[1] or "").strip("/"))
        with world.lock:
            call = Call(world, environ, match[2])
            try:
                try:
                    status, body = call.answer()
                except BadSignature as error:
                    raise Failure(401, "proof.invalid") from error
                kind = "application/json"
            except Failure as failure:
                status, body, kind = failure.status, failure.body(), "application/problem+json"
                if failure.retry_after is not None:
                    call.headers.append(("Retry-After", str(failure.retry_after)))
        content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        headers = [("Content-Type", kind), ("Content-Length", str(len(content))), *call.headers]
        start(f"{status} {STATUS.get(status, 'Problem')}", headers)
        return [content]


class Call:
    """One request to one world."""

    def __init__(self, world: World, environ: Environ, path: str) -> None:
        self.world, self.environ, self.path = world, environ, path
        self.method: str = environ["REQUEST_METHOD"]
        self.headers: list[tuple[str, str]] = []
        self.body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))

    def answer(self) -> tuple[int, Any]:
        """Status and body. Raises Failure."""
        if self.path == "/state":
            return 200, self.world.state()
        if self.world.trouble:
            raise self.world.trouble.pop(0)
        if (self.method, self.path) == ("POST", "/v1/sync/push"):
            return 200, self.push()
        self.headers.append(("DPoP-Nonce", self.world.nonce))
        routes: dict[tuple[str, str], Callable[[], tuple[int, Any]]] = {
            ("POST", "/v1/terminals"): self.enrol,
            ("POST", "/v1/sessions"): self.sign_in,
            ("DELETE", "/v1/sessions/current"): self.sign_out,
            ("POST", "/v1/sync/pull"): self.pull,
        }
        return routes[self.method, self.path]()

    def json(self, *keys: str) -> dict[str, Any]:
        """The body; unknown and missing keys are refused (section 8)."""
        body = json.loads(self.body)
        if set(body) != set(keys):
            raise Failure(422, "field.unknown")
        return dict(body)

    def prove(self, token: str | None = None) -> dict[str, str]:
        """Check the DPoP header (section 3) and return the key that made it."""
        header, payload = verified(self.environ.get("HTTP_DPOP", ""))
        jwk: dict[str, str] = header["jwk"]
        uri = f"{self.environ['wsgi.url_scheme']}://{self.environ['HTTP_HOST']}{self.environ['PATH_INFO']}"
        expected = {"htm": self.method, "htu": uri}
        if token is not None:
            expected["ath"] = b64(digest(token.encode()))
        if payload.get("nonce") != self.world.nonce:
            raise Failure(401, "proof.nonce_required")
        wrong = [name for name, value in expected.items() if payload.get(name) != value]
        if header.get("typ") != "dpop+jwt" or not {"jti", "iat"} <= set(payload) or wrong:
            raise Failure(401, "proof.invalid", detail={"wrong": wrong})
        if token is None and "ath" in payload:
            raise Failure(401, "proof.invalid", detail={"wrong": ["ath"]})
        return jwk

    def officer(self) -> dict[str, Any]:
        """The session's officer; the token must be bound to the terminal's key (section 4)."""
        scheme, _, token = self.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        jwk = self.prove(token)
        session = self.world.tokens.get(token)
        if scheme != "DPoP" or session is None or session["jkt"] != thumb(jwk):
            raise Failure(401, "session.expired")
        self.token = token
        officer: dict[str, Any] = session["officer"]
        return officer

    def enrol(self) -> tuple[int, Any]:
        """Section 2."""
        jwk = self.prove()
        body = self.json("code", "label", "jwk")
        code = body["code"].replace("-", "").upper()
        used = self.world.codes.get(code, "unknown")
        if body["jwk"] != jwk or used not in (None, thumb(jwk)):
            raise Failure(422, "code.invalid", field="code")
        terminal = self.world.enrolled(code, thumb(jwk), jwk)
        return 201, {
            "facility": {"id": self.world.facility, "name": "示范看守所", "type": "KSS"},
            "terminal": terminal.id,
            "incarnation": terminal.incarnation,
            "genesis": terminal.genesis,
            "server_key": self.world.signer.jwk,
            "head": self.world.head(),
            "time": self.world.now(),
        }

    def sign_in(self) -> tuple[int, Any]:
        """Section 4."""
        jwk = self.prove()
        body = self.json("number", "secret")
        self.world.terminal_of(thumb(jwk))
        officer = self.world.officers.get(body["number"])
        if officer is None or officer["secret"] != body["secret"]:
            raise Failure(401, "sign_in.failed")
        session, token = uuid7(), b64(os.urandom(24))
        self.world.tokens[token] = {"session": session, "officer": officer, "jkt": thumb(jwk)}
        self.world.sessions.add(session)
        told = {name: officer[name] for name in ("id", "number", "name", "posts")}
        return 201, {
            "session": session,
            "officer": told,
            "access_token": token,
            "expires_at": "2099-01-01T00:00:00.000Z",
            "time": self.world.now(),
        }

    def sign_out(self) -> tuple[int, Any]:
        """Section 4."""
        self.officer()
        del self.world.tokens[self.token]
        return 204, None

    def pull(self) -> tuple[int, Any]:
        """Section 7."""
        officer = self.officer()
        body = self.json("partitions", "limit")
        if parse_qs(self.environ["QUERY_STRING"]) or not 1 <= body["limit"] <= 2000:
            raise Failure(422, "field.invalid", field="limit")
        return 200, self.world.page(officer, body["partitions"], body["limit"])

    def push(self) -> Any:
        """Section 6: the proof first, then the frames against it, then the operations one by one."""
        assert self.environ["CONTENT_TYPE"] == "application/vnd.roundsman.frames"
        length = int(self.environ["CONTENT_LENGTH"])
        if len(self.body) < length:
            raise Failure(400, "body.incomplete")
        if length > self.world.max_bytes:
            raise Failure(413, "batch.too_large")
        header, claims = self._push_proof()
        terminal = self.world.terminals[header["kid"]]
        frames = list(_frames(self.body))
        if len(frames) > self.world.max_batch:
            raise Failure(413, "batch.too_large")
        told = {
            "facility": self.world.facility,
            "terminal": terminal.id,
            "incarnation": terminal.incarnation,
            "first": frames[0][0],
            "count": len(frames),
            "prior": claims.get("prior"),
            "last": frames[-1][1],
            "captured": claims.get("captured"),
        }
        if claims != told or not isinstance(claims["captured"], int) or claims["captured"] < frames[-1][0]:
            raise Failure(401, "proof.invalid")
        return self.world.receive(terminal, claims["prior"], frames)

    def _push_proof(self) -> tuple[dict[str, Any], dict[str, Any]]:
        jws = self.environ.get("HTTP_ROUNDSMAN_PROOF", "")
        header = json.loads(unb64(jws.split(".")[0]))
        terminal = self.world.terminals.get(header.get("kid", ""))
        if terminal is None or header.get("typ") != "roundsman-push+jwt":
            raise Failure(401, "proof.invalid")
        if terminal.revoked:
            raise Failure(403, "terminal.revoked")
        return verified(jws, terminal.jwk)


def _frames(body: bytes) -> Iterable[tuple[int, str, bytes]]:
    at, before = 0, None
    while at < len(body):
        line, _, _ = body[at:].partition(b"\n")
        match = re.fullmatch(rb"([1-9][0-9]*) ([A-Za-z0-9_-]{43}) ([1-9][0-9]*)", line)
        if match is None:
            raise Failure(400, "frame.invalid")
        n, length = int(match[1]), int(match[3])
        start = at + len(line) + 1
        at = start + length + 1
        if body[at - 1 : at] != b"\n" or length > OPERATION_MAX or before not in (None, n - 1):
            raise Failure(400, "frame.invalid")
        before = n
        yield n, match[2].decode(), body[start : start + length]


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Threads(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Without the look-up of this machine's name that the base class makes."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]
        self.setup_environ()


def main() -> None:
    """Serve until standard input ends: a server whose test has died must not stay."""
    server = _Threads(("127.0.0.1", 0), _Quiet)
    server.set_app(FakeServer())
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
