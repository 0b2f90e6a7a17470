"""A server of the protocol in memory, written from docs/protocol.md alone and sharing no code with `headless`.

It is a second opinion on that page: signatures with `cryptography` only, JSON with the standard library. Each world
(a path before /v1) is one facility of its own. As a program (`python -m tests.headless.fake_server`) it serves on a
free port and prints it.
"""

from __future__ import annotations

import json
import re
import socketserver
import sys
import threading
import time
import wsgiref.simple_server
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

from tests.headless.fake_chains import Chain
from tests.headless.fake_crypto import BadSignature, b64, digest, thumb, unb64, uuid7, verified
from tests.headless.fake_refusals import Failure
from tests.headless.fake_world import OPERATION_MAX, World

Environ = dict[str, Any]
Start = Callable[..., Any]
STATUS = {200: "OK", 201: "Created", 204: "No Content", 206: "Partial Content"}
PURPOSES = {"/v1/sync/push": "roundsman-push+jwt", "/v1/sync/evacuate": "roundsman-evacuation+jwt"}


class Plain(Exception):
    """An answer that is no JSON: its status, type and parts."""

    def __init__(self, status: int, kind: str, parts: Iterable[bytes]) -> None:
        super().__init__(kind)
        self.status, self.kind, self.parts = status, kind, parts


KINDS = {
    "kinds": [
        {"name": "person", "schema": 1, "verbs": {"change": {"edits": True, "watches": ["state"]}}},
        {"name": "conflict", "schema": 1, "verbs": {"settle": {"edits": False, "watches": []}}},
    ]
}


class FakeServer:
    """The WSGI application; `world(name)` lets tests look inside, and make trouble."""

    def __init__(self) -> None:
        self._worlds: dict[str, World] = {}

    def world(self, name: str = "") -> World:
        """The facility behind the path /<name>; made when first asked for."""
        return self._worlds.setdefault(name, World())

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        match = re.fullmatch(r"(/.+)?(/v1/.*|/state|/revoke)", environ["PATH_INFO"])
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
            except Plain as plain:
                start(f"{plain.status} {STATUS[plain.status]}", [("Content-Type", plain.kind), *call.headers])
                return plain.parts
            except Failure as failure:
                status, body, kind = failure.status, failure.body(), "application/problem+json"
                if failure.retry_after is not None:
                    call.headers.append(("Retry-After", str(failure.retry_after)))
        content = b"" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
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
        if self.path == "/revoke":
            for chain in self.world.terminals.values():
                chain.revoked = True
            return 204, None
        if self.world.trouble:
            raise self.world.trouble.pop(0)
        if self.path in PURPOSES:
            return 200, self.push()
        if self.path == "/v1/kinds":
            return 200, KINDS
        self.headers.append(("DPoP-Nonce", self.world.nonce))
        routes: dict[tuple[str, str], Callable[[], tuple[int, Any]]] = {
            ("POST", "/v1/terminals"): self.enrol,
            ("POST", "/v1/terminals/incarnations"): self.renew,
            ("POST", "/v1/terminals/wiped"): self.wiped,
            ("POST", "/v1/sessions"): self.sign_in,
            ("POST", "/v1/sessions/refresh"): self.refresh,
            ("PUT", "/v1/officers/current/secret"): self.change_secret,
            ("DELETE", "/v1/sessions/current"): self.sign_out,
            ("POST", "/v1/sync/outcomes"): self.outcomes,
            ("POST", "/v1/sync/pull"): self.pull,
            ("POST", "/v1/sync/snapshots"): self.snapshot,
            ("GET", "/v1/sync/stream"): self.stream,
            ("POST", "/v1/files"): self.file,
            ("GET", "/v1/audit/consistency"): self.consistency,
            ("GET", "/v1/audit/keys"): self.keys,
            ("POST", "/v1/audit/alarms"): self.alarm,
        }
        if self.path.startswith("/v1/sync/snapshots/"):
            return self.snapshot_bytes()
        if self.path in ("/v1/sync/digests", "/v1/sync/buckets", "/v1/sync/entries", "/v1/sync/rows"):
            return 200, self.repair(self.path.rpartition("/")[2])
        return routes[self.method, self.path]()

    def json(self, *keys: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
        """The body; unknown and missing keys are refused (section 11)."""
        body = json.loads(self.body)
        if not set(keys) <= set(body) <= {*keys, *optional}:
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
        self.refuse_revoked()
        scheme, _, token = self.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        jwk = self.prove(token)
        session = self.world.tokens.get(token)
        if scheme != "DPoP" or session is None or session["jkt"] != thumb(jwk):
            raise Failure(401, "session.expired")
        self.token = token
        officer: dict[str, Any] = session["officer"]
        if officer.get("must_change") and self.path not in ("/v1/officers/current/secret", "/v1/sessions/current"):
            raise Failure(403, "secret.temporary")
        return officer

    def refuse_revoked(self) -> None:
        """A revoked terminal has one way only."""
        _, payload = verified(self.environ.get("HTTP_DPOP", ""))
        jwk = verified(self.environ["HTTP_DPOP"])[0]["jwk"]
        revoked = [chain.thumbprint for chain in self.world.terminals.values() if chain.revoked]
        if "nonce" in payload and thumb(jwk) in revoked:
            raise Failure(403, "terminal.revoked")

    def renew(self) -> tuple[int, Any]:
        """Section 6, Forks."""
        self.refuse_revoked()
        chain = self.world.chains.of_key(thumb(self.prove()))
        body = self.json("jwk", "proof", "reason")
        header, claims = verified(body["proof"], body["jwk"])
        key = thumb(body["jwk"])
        if header.get("typ") != "roundsman-key+jwt" or claims != {"terminal": chain.id, "thumbprint": key}:
            raise Failure(401, "proof.invalid")
        if body["reason"] not in ("fork", "restored"):
            raise Failure(422, "field.invalid", field="reason")
        made = self.world.chains.succeed(chain, body["jwk"], key)
        told = {"terminal": made.id, "incarnation": made.incarnation, "genesis": made.genesis}
        return 201, told | {"head": self.world.head(), "time": self.world.now()}

    def wiped(self) -> tuple[int, Any]:
        """Section 6, Evacuation."""
        chain = self.world.chains.of_key(thumb(self.prove()))
        assert self.body == b""
        chain.wiped = True
        return 204, None

    def outcomes(self) -> tuple[int, Any]:
        """Section 6, Custody."""
        self.refuse_revoked()
        chain = self.world.chains.of_key(thumb(self.prove()))
        body = self.json("incarnation", "numbers")
        if chain.frozen or body["incarnation"] != chain.incarnation:
            raise Failure(409, "incarnation.frozen", detail={"incarnation": None})
        if len(body["numbers"]) > 500:
            raise Failure(422, "field.invalid", field="numbers")
        told = [chain.taken[n].outcome for n in body["numbers"] if n in chain.taken]
        return 200, self.world.standing(chain, told)

    def file(self) -> tuple[int, Any]:
        """Section 6a: whatever is promised is there."""
        self.known()
        assert self.environ["HTTP_TUS_RESUMABLE"] == "1.0.0"
        self.headers.append(("Upload-Offset", self.environ["HTTP_UPLOAD_LENGTH"]))
        self.headers.append(("Location", "/v1/files/uploads/1"))
        return 201, {}

    def consistency(self) -> tuple[int, Any]:
        """Section 12."""
        self.known()
        asked = {name: int(values[0]) for name, values in parse_qs(self.environ["QUERY_STRING"]).items()}
        assert set(asked) == {"epoch", "first", "second"}
        return 200, self.world.log.consistency(self.world.epoch, **asked)

    def keys(self) -> tuple[int, Any]:
        """Section 12, Keys."""
        self.known()
        return 200, {"keys": self.world.log.keys}

    def alarm(self) -> tuple[int, Any]:
        """Section 12."""
        self.known()
        body = self.json("held", "shown", "why")
        assert body["why"] in ("roots", "proof", "refused")
        shown = json.loads(unb64(body["shown"].split(".")[1]))
        if shown["epoch"] == self.world.epoch and shown["size"] > len(self.world.leaves):
            raise Failure(503, "server.behind", retry_after=60)
        self.world.log.alarms.append(body)
        return 204, None

    def known(self) -> Chain:
        """The chain of the terminal that asks by its key."""
        self.refuse_revoked()
        return self.world.chains.of_key(thumb(self.prove()))

    def enrol(self) -> tuple[int, Any]:
        """Section 2."""
        jwk = self.prove()
        body = self.json("code", "label", "jwk", optional=("asset",))
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
        self.refuse_revoked()
        jwk = self.prove()
        body = self.json("number", "secret")
        self.world.chains.of_key(thumb(jwk))
        officer = self.world.officers.get(body["number"])
        if officer is None or officer["secret"] != body["secret"]:
            raise Failure(401, "sign_in.failed")
        session = {"session": uuid7(), "officer": officer, "jkt": thumb(jwk)}
        self.world.chains.sessions.add(session["session"])
        told = {name: officer[name] for name in ("id", "number", "name", "posts")}
        more = {"unlock": {"hours": 12, "tries": 5, "idle_minutes": 5}}
        return 201, {"session": session["session"], "officer": told} | self.world.tokens_of(session, 1) | more

    def refresh(self) -> tuple[int, Any]:
        """Section 4."""
        self.refuse_revoked()
        jwk = self.prove()
        shown = self.world.refreshing.get(self.json("refresh_token")["refresh_token"])
        if shown is None or shown[0]["jkt"] != thumb(jwk):
            raise Failure(401, "session.missing")
        session, generation = shown
        newest = max(each for held, each in self.world.refreshing.values() if held is session)
        if session.get("ended") or generation < newest - 1:
            self.world.end(session)
            raise Failure(401, "session.expired")
        return 200, self.world.tokens_of(session, generation + 1)

    def change_secret(self) -> tuple[int, Any]:
        """Section 4."""
        officer = self.officer()
        body = self.json("old", "new")
        if officer["secret"] != body["old"]:
            raise Failure(422, "secret.wrong", field="old")
        officer["secret"] = body["new"]
        officer["must_change"] = False
        return 204, None

    def sign_out(self) -> tuple[int, Any]:
        """Section 4."""
        self.officer()
        self.world.end(self.world.tokens[self.token])
        return 204, None

    def pull(self) -> tuple[int, Any]:
        """Section 7."""
        officer = self.officer()
        body = self.json("partitions", "limit", optional=("epoch", "snapshots"))
        if parse_qs(self.environ["QUERY_STRING"]) or not 1 <= body["limit"] <= 2000:
            raise Failure(422, "field.invalid", field="limit")
        return 200, self.world.page(officer, body)

    def scoped(self, partition: str) -> None:
        """403 unless the session's officer may read the partition."""
        if partition not in self.world.scope(self.officer()):
            raise Failure(403, "partition.forbidden")

    def snapshot(self) -> tuple[int, Any]:
        """Section 7."""
        partition = self.json("partition")["partition"]
        self.scoped(partition)
        return 201, self.world.rows.snapshot(partition)

    def snapshot_bytes(self) -> tuple[int, Any]:
        """Section 7."""
        self.officer()
        known = self.world.rows.snapshots.get(self.path.rpartition("/")[2])
        if known is None:
            raise Failure(404, "snapshot.gone")
        self.scoped(known[0])
        start = int((self.environ.get("HTTP_RANGE") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        if start >= len(known[1]):
            raise Failure(416, "range.invalid")
        if start:
            self.headers.append(("Content-Range", f"bytes {start}-{len(known[1]) - 1}/{len(known[1])}"))
        content = known[1][start:]
        self.headers.append(("Content-Length", str(len(content))))
        raise Plain(
            206 if start else 200, "application/gzip", [content[at : at + 64] for at in range(0, len(content), 64)]
        )

    def repair(self, what: str) -> Any:
        """Section 8."""
        officer = self.officer()
        if what == "digests":
            return self.world.rows.compared(self.world.scope(officer), self.json("partitions")["partitions"])
        body = self.json("partition", *{"buckets": (), "entries": ("cursor", "buckets"), "rows": ("ids",)}[what])
        self.scoped(body["partition"])
        return self.world.rows.told(what, body)

    def stream(self) -> tuple[int, Any]:
        """Section 9: what the test has put there, and then silence for as long as the line is patient."""
        self.officer()
        hello = {"heartbeat": self.world.heartbeat, "at": self.world.kept.seq, "epoch": self.world.epoch}
        self.world.hellos += 1
        raise Plain(200, "text/event-stream", self._events(hello))

    def _events(self, hello: dict[str, Any]) -> Iterable[bytes]:
        yield f"event: hello\ndata: {json.dumps(hello)}\n\n: beat\n\n".encode()
        while self.world.events:
            yield self.world.events.pop(0)
        if self.world.silent:
            time.sleep(self.world.silent)

    def push(self) -> Any:
        """Section 6: the proof first, then the frames against it, then the operations one by one."""
        assert self.method == "POST"
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
            "first": frames[0][0] if frames else claims.get("first"),
            "count": len(frames),
            "prior": claims.get("prior"),
            "last": frames[-1][1] if frames else claims.get("prior"),
            "captured": claims.get("captured"),
        }
        shown = claims.pop("head", None)
        if (
            claims != told
            or not isinstance(claims["captured"], int)
            or claims["captured"] < told["first"] - 1 + len(frames)
        ):
            raise Failure(401, "proof.invalid")
        if shown is not None:
            self._show(shown)
        return self._received(terminal, claims, frames)

    def _received(self, terminal: Chain, claims: dict[str, Any], frames: list[tuple[int, str, bytes]]) -> Any:
        evacuation = self.path == "/v1/sync/evacuate"
        if not frames and not evacuation:
            raise Failure(400, "frame.malformed", detail={"at": 0})
        answer = self.world.receive(terminal, claims, frames)
        if evacuation:
            whole, order = terminal.next > terminal.captured, "keep" if self.world.uncovered else "wipe"
            answer["order"] = order if whole else None
        return answer

    def _show(self, head: str) -> None:
        """A server whose log is shorter than what it has signed stops writing (section 6)."""
        kid = json.loads(unb64(head.split(".")[0]))["kid"]
        _, payload = verified(head, next(each["jwk"] for each in self.world.log.keys if each["kid"] == kid))
        self.world.shown.append(payload)
        if payload["epoch"] == self.world.epoch and payload["size"] > len(self.world.leaves):
            raise Failure(503, "server.behind", retry_after=20)

    def _push_proof(self) -> tuple[dict[str, Any], dict[str, Any]]:
        jws = self.environ.get("HTTP_ROUNDSMAN_PROOF", "")
        header = json.loads(unb64(jws.split(".")[0]))
        terminal = self.world.terminals.get(header.get("kid", ""))
        if terminal is None or header.get("typ") != PURPOSES[self.path]:
            raise Failure(401, "proof.invalid")
        if terminal.revoked != (self.path == "/v1/sync/evacuate"):
            raise Failure(*((403, "terminal.revoked") if terminal.revoked else (409, "evacuation.not_ordered")))
        claims = json.loads(unb64(jws.split(".")[1]))
        if claims["incarnation"] < terminal.incarnation:
            raise Failure(409, "incarnation.frozen", detail={"incarnation": terminal.incarnation})
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


@contextmanager
def served(app: FakeServer) -> Iterator[int]:
    """The server on a free port of this machine, in threads of this process."""
    server = _Threads(("127.0.0.1", 0), _Quiet)
    server.set_app(app)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()


def main() -> None:
    """Serve until standard input ends: a server whose test has died must not stay."""
    with served(FakeServer()) as port:
        print(port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
