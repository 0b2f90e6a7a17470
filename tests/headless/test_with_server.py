"""The same terminal against the real server: in this process, and killed while it talks to another one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import httpx
import jwt
import orjson
import pytest
from sqlalchemy import select

from backend.storage import tables
from headless import Frozen, Offline, Problem, Terminal, chain, patrol
from tests.headless.day import killed_at, live, reopened
from tests.headless.kit import SECRET
from tests.support.world import PERSONS, PLACES, World

SCOPES = {"PAT": "W", "PAT2": "V"}
KILLS = int(os.environ.get("KILLS", "6"))
DAY = 5000  # line events of a working day, nearly


def agreed(terminal: Terminal, world: World) -> None:
    """Every operation once and byte for byte, every outcome and every row the same on both sides."""
    assert terminal.session is not None
    ward = SCOPES[terminal.session.number]
    mine = {code for code, above in PLACES.items() if ward in (code, above)}
    scope = {f"place/{world.ids[code]}/base" for code in mine}
    scope |= {f"person/{world.ids[name]}/base" for name, cell in PERSONS.items() if cell in mine}
    held, records = tables.operations.c, tables.records.c
    operations = select(held.n, held.raw, held.outcome).where(held.terminal == terminal.identity.terminal)
    with world.services.store.reading() as connection:
        taken = connection.execute(operations.order_by(held.n)).all()
        rows = connection.execute(select(records.partition, records.body).order_by(records.seq)).all()
    assert [(queued.n, queued.raw, queued.outcome) for queued in terminal.queue()] == [
        (row.n, row.raw, orjson.loads(row.outcome)) for row in taken
    ]
    assert [orjson.dumps(row) for row in terminal.rows()] == [row.body for row in rows if row.partition in scope]


@pytest.fixture
def terminal(small: World) -> Terminal:
    made = small.terminal("PAT")
    made.pull()
    return made


def walked(terminal: Terminal, world: World, visits: int) -> str:
    """A round with visits, captured, not sent. Returns its id."""
    round_id = patrol.open_round(terminal, world.ids["W"])
    for _ in range(visits):
        patrol.visit(terminal, round_id, world.ids["K"], tag=None, cell=None, note="标签脱落")
    patrol.close_round(terminal, round_id)
    return round_id


def test_a_round_from_end_to_end(terminal: Terminal, small: World) -> None:
    walked(terminal, small, 3)
    assert [outcome["status"] for outcome in terminal.push()] == ["applied"] * 5
    terminal.pull(limit=1)
    agreed(terminal, small)
    # A row's proven interval begins at the head that its operation names: each of them was one the server signed.
    assert all(row["proven_from"] is not None for row in terminal.rows("patrol.visit"))


@pytest.mark.parametrize("path", ["/v1/terminals", "/v1/sessions", "/v1/sync/push", "/v1/sync/pull"])
def test_lost_answers(small: World, tmp_path: Path, path: str) -> None:
    class Lossy(httpx.BaseTransport):
        """Loses the first answer with a result on the path."""

        left = 1

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = small.transport().handle_request(request)
            if request.url.path == path and response.is_success and self.left:
                self.left -= 1
                raise httpx.ReadError("lost")
            return response

    lossy = Lossy()
    code = small.code()
    with Terminal(tmp_path / "t.db", "http://localhost", transport=lossy) as terminal:
        steps: list[Callable[[], object]] = [
            lambda: terminal.enrol(code, "PDA-07"),
            lambda: terminal.sign_in("PAT", SECRET),
            terminal.pull,
            lambda: walked(terminal, small, 2),
            lambda: terminal.push(limit=3),
            terminal.sync,
        ]
        for step in steps:
            _insisted(step)
        assert lossy.left == 0
        assert terminal.waiting() == []
        agreed(terminal, small)


def _insisted(step: Callable[[], object]) -> None:
    """What a terminal's holder does without signal: the same again, a little later."""
    while True:
        try:
            step()
            return
        except Offline:
            continue


def test_refusals_are_outcomes(terminal: Terminal, small: World) -> None:
    bad = patrol.open_round(terminal, small.ids["C1"])
    patrol.visit(terminal, bad, small.ids["K"], tag=None, cell=None, note="标签脱落")
    patrol.close_round(terminal, walked(terminal, small, 1))
    terminal.capture("no.such", "kind", chain.uuid7(), {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "canonical", lambda operation: b'{"op": 1, "op": 1}')
        terminal.capture("k", "v", chain.uuid7(), {})
    statuses = [outcome["status"] for outcome in terminal.push()]
    assert statuses == ["rejected"] * 2 + ["applied"] * 3 + ["rejected", "rejected", "quarantined"]
    terminal.pull()
    agreed(terminal, small)


def test_a_gap_and_a_fork(terminal: Terminal, small: World) -> None:
    walked(terminal, small, 1)
    told = terminal._push(terminal.identity, terminal.store.batch(start=2, limit=10))
    assert [(each["n"], each["status"]) for each in told] == [(2, "held"), (3, "held")]
    assert [each["status"] for each in terminal.push()] == ["applied"] * 3
    terminal.pull()
    agreed(terminal, small)
    other = {"raw": b"{}", "hash": chain.link(terminal.queue()[0].hash, 2, b"{}"), "status": "waiting", "outcome": None}
    terminal.store._db.table("queue").update(2, other)
    with pytest.raises(Frozen):
        terminal.push(limit=1)


def test_a_hash_that_does_not_hold(terminal: Terminal, small: World) -> None:
    walked(terminal, small, 0)
    terminal.store._db.table("queue").update(1, {"hash": chain.b64u(b"x" * 32)})
    with pytest.raises(Problem) as refused:
        terminal.push(limit=1)
    assert refused.value.code == "proof.invalid"


def test_nobody_writes_on_another_terminals_chain(terminal: Terminal, small: World) -> None:
    """The key of one terminal, the chain of another: `kid` and the claims must speak of the same one (section 6)."""
    other, mine, raw = small.terminal(), terminal.identity, b"{}"
    digest = chain.link(mine.genesis, 1, raw)
    claims = {"facility": mine.facility, "terminal": mine.terminal, "incarnation": 1, "first": 1, "count": 1}
    claims |= {"prior": mine.genesis, "last": digest, "captured": 1}
    header = {"typ": "roundsman-push+jwt", "kid": other.identity.terminal}
    forged = jwt.encode(claims, other.identity.pem, algorithm="ES256", headers=header)
    with pytest.raises(Problem) as refused:
        other.wire.push(forged, chain.frame(1, digest, raw))
    assert refused.value.code == "proof.invalid"
    walked(terminal, small, 1)
    assert [outcome["status"] for outcome in terminal.push()] == ["applied"] * 3


def test_a_body_beyond_the_limit_is_halved(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(70):
        terminal.capture("no.such", "kind", chain.uuid7(), {"note": "x" * 62_000})
    monkeypatch.setattr("headless.store.Store.batch.__defaults__", (2**30,))
    assert len(terminal.push()) == 70


def test_an_ended_session(terminal: Terminal, small: World) -> None:
    terminal.ask("DELETE", "/v1/sessions/current")
    walked(terminal, small, 1)
    with pytest.raises(Problem) as refused:
        terminal.pull()
    assert refused.value.code == "session.expired"
    assert [outcome["status"] for outcome in terminal.push()] == ["applied"] * 3
    assert terminal.sign_out() is True
    terminal.sign_in("PAT", SECRET)
    terminal.pull()
    agreed(terminal, small)


def test_another_officer_on_the_same_terminal(terminal: Terminal, small: World) -> None:
    walked(terminal, small, 1)
    terminal.sign_in("PAT2", SECRET)
    terminal.sync()
    assert {row["doc"]["code"] for row in terminal.rows("place")} == {"V", "D1"}
    agreed(terminal, small)


def test_a_code_that_is_none_and_a_locked_sign_in(small: World, tmp_path: Path) -> None:
    with Terminal(tmp_path / "t.db", "http://localhost", transport=small.transport()) as terminal:
        with pytest.raises(Problem) as refused:
            terminal.enrol("0000-0000-0000", "PDA-08")
        assert (refused.value.code, refused.value.field) == ("code.invalid", "code")
        terminal.enrol(small.code(), "PDA-08")
        for code in ["session.refused"] * 5 + ["sign_in.locked"]:
            with pytest.raises(Problem) as refused:
                terminal.sign_in("PAT", "wrong")
            assert refused.value.code == code
        assert refused.value.retry_after is not None


@pytest.mark.parametrize("part", range(KILLS))
def test_killed_at_any_moment(part: int, served: tuple[World, str], tmp_path: Path) -> None:
    """The terminal dies, the server does not: both agree in the end."""
    world, url = served
    file, code = tmp_path / "terminal.db", world.code()
    killed_at(1 + part * DAY // KILLS, file, url, code)
    _insisted(lambda: live(file, url, code=code))
    with reopened(file, url) as terminal:
        assert [queued.status for queued in terminal.queue()] == ["applied"] * 5
        agreed(terminal, world)
