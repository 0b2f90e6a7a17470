"""The recorded exchange of docs/protocol.md: one terminal's first minutes, as they really go over the wire.

Recorded in this process against the demo facility; what is chance (ids, hashes, signatures, times) is masked. `make
docs` writes it, a test records again and compares.
"""

from __future__ import annotations

import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import httpx
import orjson

from backend.identity import terminals
from backend.kernel.clock import ManualClock
from backend.settings import Settings
from demo.facility import build
from demo.seed import SECRET, SEED, seed
from headless import patrol
from headless.errors import Problem
from headless.terminal import Terminal
from mobile_api.services import EXTENSION, Services
from tools.transcript import unnamed
from wsgi import create_app

BEGIN, END = "<!-- exchange: begin, made by `make docs` -->\n", "<!-- exchange: end -->"
MOMENT = datetime(2026, 11, 22, 3, 14, 15, 123000, UTC)
_HEADERS = ("authorization", "dpop", "roundsman-proof", "content-type")
_ANSWERED = ("dpop-nonce", "retry-after")
_MASKS = (
    (r"ey[\w-]+\.[\w-]+\.[\w-]+", "<jws>"),
    (r'("fingerprint":")[^"]+', r"\1<fingerprint>"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>"),
    (r"\b[0-9A-HJKMNP-TV-Z]{12}\b", "<code>"),
    (r"(?<![\w-])[\w-]{43}(?![\w-])", "<hash>"),
    (r"(DPoP-Nonce: )[\w-]{22}", r"\1<nonce>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "<time>"),
    (r"(?m)^(\d+ <hash>) \d+$", r"\1 <length>"),
    (r'"monotonic":\d+', '"monotonic":0'),
)


class _Recorder(httpx.BaseTransport):
    """Passes requests on and writes down what was said."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.lines: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        body = response.read()
        self.lines.append(f"{request.method} {request.url.raw_path.decode()}")
        self.lines += _headers(request.headers, _HEADERS)
        self.lines += ["", *request.content.decode("utf-8", "backslashreplace").rstrip("\n").split("\n")]
        self.lines += ["", f"HTTP {response.status_code}", *_headers(response.headers, _ANSWERED)]
        self.lines += ["", *_shortened(body), ""]
        return httpx.Response(response.status_code, headers=response.headers, content=body)


def _headers(headers: httpx.Headers, names: tuple[str, ...]) -> list[str]:
    spelled = {"dpop": "DPoP", "dpop-nonce": "DPoP-Nonce"}
    return [f"{spelled.get(name, name.title())}: {headers[name]}" for name in names if name in headers]


def _shortened(body: bytes) -> list[str]:
    """An answer as it is; of a page of rows only the first of the first partition."""
    said = orjson.loads(body) if body else {}
    if "partitions" in said:
        said["partitions"] = said["partitions"][:1]
        said["partitions"][0]["rows"] = said["partitions"][0]["rows"][:1]
        return [orjson.dumps(said).decode(), "(one row of one partition shown)"]
    return [body.decode()] if body else []


def record() -> str:
    """The exchange, masked."""
    with tempfile.TemporaryDirectory(prefix="roundsman-exchange-") as name:
        settings = Settings.read({"ROUNDSMAN_DATA": f"{name}/data"})
        seed(settings, MOMENT, days=0)
        app = create_app(settings, ManualClock(int(MOMENT.timestamp() * 1000)))
        services: Services = app.extensions[EXTENSION]
        recorder = _Recorder(httpx.WSGITransport(app))
        code, _ = terminals.make_code(services.door, "DEMO", "console")
        with Terminal(Path(name) / "pda.sqlite3", "https://host", transport=recorder) as terminal:
            _live(terminal, recorder, code)
        services.store.close()
        return _masked("\n".join(recorder.lines))


def _live(terminal: Terminal, recorder: _Recorder, code: str) -> None:
    facility = build(SEED)
    ward, cell = facility.wards()[0], next(place for place in facility.places if place.type == "cell")
    recorder.lines.append("# enrolment: the first proof has no nonce yet, and is sent again with the server's")
    terminal.enrol(code, "PDA-07")
    recorder.lines.append("# sign-in")
    terminal.sign_in("100001", SECRET)
    round_ = patrol.open_round(terminal, ward.id)
    looked: patrol.Cell = {"headcount": facility.held[cell.id], "response": "moving", "observation": "calm"}
    tag: patrol.Tag = {"uid": cell.tags[0], "medium": "nfc", "counter": 7}
    patrol.visit(terminal, round_, cell.id, tag=tag, cell=looked, note=None)
    patrol.visit(terminal, round_, cell.id, tag=tag, cell={**looked, "headcount": 999}, note=None)
    recorder.lines.append("# a push of three operations; the third has a head count that cannot be")
    terminal.push()
    recorder.lines.append("# a pull: the first page of ten rows")
    page = {"partitions": {}, "limit": 10}
    terminal.ask("POST", "/v1/sync/pull", page)
    recorder.lines.append("# a request with a field that does not exist")
    try:
        terminal.ask("POST", "/v1/sync/pull", {**page, "all": True})
    except Problem:
        return
    raise RuntimeError("the unknown field was accepted")


def _masked(text: str) -> str:
    text = unnamed(text)
    for pattern, instead in _MASKS:
        text = re.sub(pattern, instead, text)
    return text.rstrip("\n")


def standing(protocol: Path) -> str:
    """The exchange that stands in the document."""
    text = protocol.read_text(encoding="utf-8")
    block = text[text.index(BEGIN) + len(BEGIN) : text.index(END)]
    return block.removeprefix("```http\n").removesuffix("\n```\n")


def write_into(protocol: Path) -> None:
    """Records, and writes the exchange into the document."""
    text = protocol.read_text(encoding="utf-8")
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]
    protocol.write_text(f"{before}{BEGIN}```http\n{record()}\n```\n{after}", encoding="utf-8")
