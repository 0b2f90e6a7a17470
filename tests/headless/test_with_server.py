"""The same terminal against the real server: in this process, and killed while it talks to another one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import orjson
import pytest
from conftest import HandClock, Line
from sqlalchemy import select
from test_killed_anywhere import killed_at, live, reopened

from backend.domain.posts import Post
from backend.identity import facilities, officers, terminals
from backend.identity.officers import NewOfficer, Officer
from backend.settings import Settings
from backend.storage import tables
from headless import Frozen, Offline, Problem, Terminal, chain, patrol
from mobile_api.services import EXTENSION, Services
from sync.local import Act
from wsgi import create_app

SECRET = "s3cret"
KILLS = int(os.environ.get("KILLS", "6"))
SCOPES = {"100007": ("W1", "101", "102", "K1"), "100008": ("W2",)}
DAY = 5000  # line events of a working day, nearly


@dataclass
class Site:
    """A facility DEMO with ward W1 (cells 101 and 102, checkpoint K1) and ward W2, and who works there."""

    app: Any
    services: Services
    data: Path
    places: dict[str, str]

    def code(self) -> str:
        """A fresh one-time code."""
        return terminals.make_code(self.services.door, "DEMO", "test")[0]

    def rows(self, number: str) -> list[dict[str, Any]]:
        """What the store holds in the officer's wards, as bodies in the order of sequence numbers."""
        scope = {f"place/{self.places[code]}/base" for code in SCOPES[number]}
        records = tables.records.c
        with self.services.store.reading() as connection:
            found = connection.execute(select(records.partition, records.body).order_by(records.seq)).all()
        return [orjson.loads(row.body) for row in found if row.partition in scope]

    def taken(self, terminal: str) -> list[tuple[int, bytes, dict[str, Any]]]:
        """The terminal's operations in the store: number, bytes, outcome."""
        held = tables.operations.c
        with self.services.store.reading() as connection:
            rows = connection.execute(
                select(held.n, held.raw, held.outcome).where(held.terminal == terminal).order_by(held.n)
            )
            return [(row.n, row.raw, orjson.loads(row.outcome)) for row in rows]


def make_site(data: Path) -> Site:
    """Found, staff and furnish."""
    app = create_app(Settings(data, f"sqlite:///{data / 'roundsman.sqlite3'}", log_level="ERROR"))
    services: Services = app.extensions[EXTENSION]
    facilities.found(services.door, "DEMO", "示范看守所", "KSS", services.keyring.head)
    places = {code: chain.uuid7() for code in ("W1", "101", "102", "K1", "W2")}
    admin = chain.uuid7()
    new = [
        NewOfficer(admin, "100001", "管理", (Post.ADM,), SECRET),
        NewOfficer(chain.uuid7(), "100007", "王巡", (Post.PAT,), SECRET, (places["W1"],)),
        NewOfficer(chain.uuid7(), "100008", "李控", (Post.PAT,), SECRET, (places["W2"],)),
    ]
    officers.add(services.door, "DEMO", new)
    kinds = {"W1": "ward", "W2": "ward", "K1": "checkpoint", "101": "cell", "102": "cell"}
    acts = [
        Act("place", "create", id_, {
            "type": kinds[code], "code": code, "name": code, "position": at, "tags": [],
            "parent": None if kinds[code] == "ward" else places["W1"],
        })
        for at, (code, id_) in enumerate(sorted(places.items(), key=lambda item: kinds[item[0]] != "ward"))
    ]  # fmt: skip
    outcomes = services.desk.act(Officer("DEMO", admin, "100001", "管理", (Post.ADM,)), acts)
    assert {outcome["status"] for outcome in outcomes} == {"applied"}
    return Site(app, services, data, places)


def agreed(terminal: Terminal, site: Site) -> None:
    """Every operation once and byte for byte, every outcome and every row the same on both sides."""
    mine = [(queued.n, queued.raw, queued.outcome) for queued in terminal.queue()]
    assert mine == site.taken(terminal.identity.terminal)
    assert terminal.session is not None
    assert terminal.rows() == site.rows(terminal.session.number)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = make_site(tmp_path_factory.mktemp("site"))
    yield made
    made.services.store.close()


@pytest.fixture
def line(site: Site) -> Line:
    return Line(httpx.WSGITransport(site.app))


@pytest.fixture
def terminal(site: Site, tmp_path: Path, line: Line, clock: HandClock) -> Iterator[Terminal]:
    with Terminal(tmp_path / "t.db", "http://localhost", transport=line, clock=clock) as made:
        made.enrol(site.code(), "PDA-07")
        made.sign_in("100007", SECRET)
        made.pull()
        yield made


def walked(terminal: Terminal, visits: int) -> str:
    round_id = patrol.open_round(terminal, place(terminal, "W1"))
    for _ in range(visits):
        patrol.visit(terminal, round_id, place(terminal, "K1"), tag=None, cell=None, note="标签脱落")
    patrol.close_round(terminal, round_id)
    return round_id


def place(terminal: Terminal, code: str) -> str:
    row = patrol.place_by_code(terminal, code)
    assert row is not None
    return str(row["id"])


def test_a_round_from_end_to_end(terminal: Terminal, site: Site) -> None:
    walked(terminal, 3)
    assert [outcome["status"] for outcome in terminal.push()] == ["applied"] * 5
    terminal.pull(limit=1)
    agreed(terminal, site)
    anchors = {queued.operation["anchor"]["size"] for queued in terminal.queue()}
    assert len(anchors) == 1  # all were captured between two answers
    visits = [row for row in terminal.rows("patrol.visit") if row["terminal"] == terminal.identity.terminal]
    assert all(row["proven_from"] is not None for row in visits)


@pytest.mark.parametrize("path", ["/v1/terminals", "/v1/sessions", "/v1/sync/push", "/v1/sync/pull"])
def test_lost_answers(site: Site, tmp_path: Path, line: Line, path: str) -> None:
    class Lossy(httpx.BaseTransport):
        """Loses the first answer with a result on the path."""

        left = 1

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = line.handle_request(request)
            if request.url.path == path and response.is_success and self.left:
                self.left -= 1
                raise httpx.ReadError("lost")
            return response

    lossy = Lossy()
    code = site.code()
    with Terminal(tmp_path / "t.db", "http://localhost", transport=lossy) as terminal:
        steps: list[Callable[[], object]] = [
            lambda: terminal.enrol(code, "PDA-07"),
            lambda: terminal.sign_in("100007", SECRET),
            terminal.pull,
            lambda: walked(terminal, 2),
            lambda: terminal.push(limit=3),
            terminal.sync,
        ]
        for step in steps:
            while True:
                try:
                    step()
                    break
                except Offline:
                    continue
        assert lossy.left == 0
        assert terminal.waiting() == []
        agreed(terminal, site)


def test_refusals_are_outcomes(terminal: Terminal, site: Site) -> None:
    bad = patrol.open_round(terminal, place(terminal, "101"))
    patrol.visit(terminal, bad, place(terminal, "K1"), tag=None, cell=None, note="标签脱落")
    round_id = walked(terminal, 1)
    patrol.close_round(terminal, round_id)
    terminal.capture("no.such", "kind", chain.uuid7(), {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "canonical", lambda operation: b'{"op": 1, "op": 1}')
        terminal.capture("k", "v", chain.uuid7(), {})
    statuses = [outcome["status"] for outcome in terminal.push()]
    assert statuses == ["rejected"] * 2 + ["applied"] * 3 + ["conflict", "rejected", "quarantined"]
    terminal.pull()
    agreed(terminal, site)


def test_a_gap_a_fork_and_a_server_that_says_no(terminal: Terminal, site: Site, tmp_path: Path) -> None:
    walked(terminal, 1)
    batch = terminal.store.batch(start=2, limit=10)
    with pytest.raises(Problem) as refused:
        terminal._push(terminal.identity, batch)
    assert (refused.value.code, refused.value.detail) == ("chain.gap", {"next": 1})
    terminal.push()
    terminal.store._db.execute("UPDATE queue SET raw = x'7b7d', status = 'waiting', outcome = NULL WHERE n = 2")
    terminal.store._db.execute("UPDATE queue SET hash = ? WHERE n = 2", (chain.b64u(b"x" * 32),))
    with pytest.raises(Problem) as refused:
        terminal.push(limit=1)
    assert refused.value.code == "proof.invalid"  # the frame's own hash does not hold
    digest = chain.link(terminal.queue()[0].hash, 2, b"{}")
    terminal.store._db.execute("UPDATE queue SET hash = ? WHERE n = 2", (digest,))
    with pytest.raises(Frozen):
        terminal.push(limit=1)


def test_nobody_writes_on_another_terminals_chain(terminal: Terminal, site: Site, tmp_path: Path) -> None:
    """The key of one terminal, the chain of another: `kid` and the claims must speak of the same one (section 6)."""
    with Terminal(tmp_path / "x.db", "http://localhost", transport=terminal._transport) as other:
        other.enrol(site.code(), "PDA-08")
        mine, raw = terminal.identity, b"{}"
        digest = chain.link(mine.genesis, 1, raw)
        claims = {"facility": "DEMO", "terminal": mine.terminal, "incarnation": 1, "first": 1, "count": 1}
        claims |= {"prior": mine.genesis, "last": digest, "captured": 1}
        header = {"typ": "roundsman-push+jwt", "kid": other.identity.terminal}
        forged = jwt.encode(claims, other.identity.pem, algorithm="ES256", headers=header)
        with pytest.raises(Problem) as refused:
            other.wire.push(forged, chain.frame(1, digest, raw))
        assert refused.value.code == "proof.invalid"
    walked(terminal, 1)
    assert [outcome["status"] for outcome in terminal.push()] == ["applied"] * 3


def test_an_oversized_body_is_halved(terminal: Terminal, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(70):
        terminal.capture("no.such", "kind", chain.uuid7(), {"note": "x" * 62_000})
    monkeypatch.setattr("headless.store.Store.batch.__defaults__", (2**30,))
    assert len(terminal.push()) == 70


def test_an_ended_session(terminal: Terminal, site: Site) -> None:
    session = terminal.session
    assert session is not None
    terminal.ask("DELETE", "/v1/sessions/current")
    walked(terminal, 1)
    with pytest.raises(Problem) as refused:
        terminal.pull()
    assert refused.value.code == "session.expired"
    assert [outcome["status"] for outcome in terminal.push()] == ["applied"] * 3
    assert terminal.sign_out() is True
    terminal.sign_in("100007", SECRET)
    terminal.pull()
    agreed(terminal, site)


def test_another_officer(terminal: Terminal, site: Site) -> None:
    walked(terminal, 1)
    terminal.sign_in("100008", SECRET)
    terminal.sync()
    assert {row["doc"]["code"] for row in terminal.rows()} == {"W2"}
    agreed(terminal, site)


def test_a_revoked_code_and_a_locked_sign_in(terminal: Terminal, site: Site, tmp_path: Path) -> None:
    with Terminal(tmp_path / "x.db", "http://localhost", transport=terminal._transport) as other:
        with pytest.raises(Problem) as refused:
            other.enrol("0000-0000-0000", "PDA-08")
        assert (refused.value.code, refused.value.field) == ("code.invalid", "code")
        other.enrol(site.code(), "PDA-08")
        for code in ["session.refused"] * 5 + ["sign_in.locked"]:
            with pytest.raises(Problem) as refused:
                other.sign_in("100001", "wrong")
            assert refused.value.code == code
        assert refused.value.retry_after is not None


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, str]]:
    """A server process of its own on the site's store."""
    site = make_site(tmp_path_factory.mktemp("served"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environ = os.environ | {"ROUNDSMAN_DATA": str(site.data), "ROUNDSMAN_LOG_LEVEL": "ERROR"}
    line = [sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", "wsgi:create_app"]
    line += ["--host", "127.0.0.1", "--port", str(port), "--blocking-threads", "4", "--log-level", "critical"]
    with subprocess.Popen(line, env=environ, cwd=Path(__file__).parents[2]) as process:
        try:
            _wait_for(url, process)
            yield site, url
        finally:
            process.terminate()
    site.services.store.close()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert process.poll() is None, "the server has ended"
        try:
            if httpx.get(url + "/healthz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the server does not answer")


@pytest.mark.parametrize("part", range(KILLS))
def test_killed_at_any_moment(part: int, served: tuple[Site, str], tmp_path: Path) -> None:
    """The terminal dies, the server does not: both agree in the end."""
    site, url = served
    file, code = tmp_path / "terminal.db", site.code()
    killed_at(1 + part * DAY // KILLS, file, url, code)
    live(file, url, code=code)
    with reopened(file, url) as terminal:
        assert [queued.status for queued in terminal.queue()] == ["applied"] * 5
        agreed(terminal, site)
