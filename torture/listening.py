"""What a terminal on a file is told, written into its journal by the line itself: it hears every request and answer."""

from __future__ import annotations

from typing import Any

import httpx
import orjson

from torture.journal import Journal
from torture.keys import b64u, sha, unb64u
from torture.wire import HOST

_PUSHES = {"/v1/sync/push": "push", "/v1/sync/evacuate": "evacuate"}
_TOLD = {**_PUSHES, "/v1/sync/outcomes": "outcomes"}


class Listening(httpx.BaseTransport):
    """An HTTP transport with a journal. ``officer``: whose session the terminal has."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._line = httpx.HTTPTransport(verify=False)
        self.officer: str | None = None
        self.incarnation = 1

    def close(self) -> None:
        self._line.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        request.headers["Host"] = HOST  # a key of a second factor answers a name, never an address
        shown = self._asks(path, request)
        sent = self._journal.note("pull", officer=self.officer) if path == "/v1/sync/pull" else 0
        try:
            response = self._line.handle_request(request)
            if request.method != "GET":
                response.read()
        except httpx.TransportError as error:
            self._journal.note("silence", route=path, why=type(error).__name__)
            raise
        if request.method != "GET":
            self._hears(path, request, response, shown, sent)
        return response

    def _asks(self, path: str, request: httpx.Request) -> str | None:
        """Notes a push; returns the head that it shows."""
        if path not in _PUSHES:
            return None
        claims = orjson.loads(unb64u(request.headers["Roundsman-Proof"].split(".")[1]))
        self.incarnation = claims["incarnation"]
        last = claims["first"] + claims["count"] - 1
        self._journal.note(
            "push", route=_PUSHES[path], incarnation=claims["incarnation"], first=claims["first"], last=last,
            captured=claims["captured"], shown=claims.get("head"),
        )  # fmt: skip
        shown: str | None = claims.get("head")
        return shown

    def _hears(self, path: str, request: httpx.Request, response: httpx.Response, shown: str | None, sent: int) -> None:
        if response.status_code >= 400:
            self._refused(path, response)
            return
        if path in _TOLD:
            body = response.content.decode()
            asked = self.incarnation if path in _PUSHES else orjson.loads(request.content)["incarnation"]
            self._journal.note("told", route=_TOLD[path], incarnation=asked, answer=body, shown=shown)
        elif path == "/v1/sync/pull":
            self._pulled(orjson.loads(response.content), sent)
        elif path == "/v1/terminals":
            self._enrolled(orjson.loads(request.content)["jwk"], orjson.loads(response.content))
        elif path == "/v1/terminals/incarnations":
            self._renewed(orjson.loads(request.content)["jwk"], orjson.loads(response.content))
        elif path == "/v1/sessions":
            said = orjson.loads(response.content)
            self.officer = said["officer"]["id"]
            self._journal.note("signed_in", officer=self.officer, session=said["session"])
        elif path == "/v1/terminals/wiped":
            self._journal.note("wiped")

    def _refused(self, path: str, response: httpx.Response) -> None:
        try:
            code = str(orjson.loads(response.content)["code"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            code = f"http.{response.status_code}"
        if code != "proof.nonce_required":
            body = response.content[:400].decode(errors="replace")
            self._journal.note("refused", route=path, status=response.status_code, code=code, body=body)

    def _pulled(self, told: dict[str, Any], sent: int) -> None:
        parts = [
            [
                part["partition"], part["cursor"], bool(part.get("reset")), part.get("present"), part.get("digest"),
                [[row["id"], row["version"], row["seq"], row["state"], row["partition"]] for row in part["rows"]],
            ]
            for part in told["partitions"]
        ]  # fmt: skip
        self._journal.note(
            "pulled", officer=self.officer, sent=sent, epoch=told["epoch"], at=told["at"], more=told["more"], parts=parts,
            gone=told["gone"], head=told["head"],
        )  # fmt: skip

    def _enrolled(self, jwk: dict[str, str], told: dict[str, Any]) -> None:
        self._journal.note(
            "enrolled", terminal=told["terminal"], incarnation=told["incarnation"], genesis=told["genesis"],
            thumbprint=_thumbprint(jwk), server_key=told["server_key"], head=told["head"],
        )  # fmt: skip

    def _renewed(self, jwk: dict[str, str], told: dict[str, Any]) -> None:
        self._journal.note(
            "renewed", incarnation=told["incarnation"], genesis=told["genesis"], thumbprint=_thumbprint(jwk)
        )  # fmt: skip


def _thumbprint(jwk: dict[str, str]) -> str:
    return b64u(sha(orjson.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")})))
