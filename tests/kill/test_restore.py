"""The machine is lost and last night's copy is brought back: nothing that a terminal still has is lost with it."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from backend.audit.epochs import Epoch, epochs
from backend.audit.verify import verify
from backend.audit.witness import recall
from backend.identity.keyring import Keyring
from backend.kernel.keys import load_jwk
from backend.storage import tables
from backend.storage.engine import Store
from headless.errors import Offline, Problem
from tests.support.crew import Hand, Site, site, together
from tests.support.engines import Postgres
from tests.support.server import Server, flask
from tests.support.world import FACILITY

CREW = ("PAT", "DISC", "AUX", "PAT2")


@dataclass
class Machine:
    """A server with its database, of which copies are made and brought back. ``database``: None for SQLite's file."""

    here: Site
    server: Server
    database: str | None
    postgres: Postgres | None

    @property
    def file(self) -> Path:
        return self.here.settings.data / "roundsman.sqlite3"

    @property
    def url(self) -> str:
        return self.database or self.here.settings.database

    def starts(self) -> None:
        self.server = Server(self.here.settings.data, self.database)
        self.server.start()
        self.here.goes_to(self.server.url)

    def copied(self) -> str:
        """A copy: of SQLite by the command beside the server, of PostgreSQL by its own means."""
        if self.postgres is not None:
            self.server.stop()
            copy = self.postgres.fresh(self.database)
            self.starts()
            return copy
        target = self.here.settings.data.parent / "copy.sqlite3"
        self.command("backup", "make", "--to", str(target))
        return f"sqlite:///{target}"

    def brings_back(self, copy: str) -> None:
        """The copy in the place of what there was; the data folder is as it was left."""
        if self.postgres is not None:
            self.database = self.postgres.fresh(copy)
            return
        for name in ("", "-wal", "-shm"):
            Path(f"{self.file}{name}").unlink(missing_ok=True)
        shutil.copy(copy.removeprefix("sqlite:///"), self.file)

    def command(self, *words: str) -> str:
        """A command beside the server, or without one; what it said."""
        process = flask(self.here.settings.data, self.database, *words)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        return out

    def health(self) -> dict[str, Any]:
        answer = httpx.get(f"{self.server.url}/healthz")
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    def reads(self, work: Callable[[Store], Any]) -> Any:
        store = Store(self.url)
        try:
            return work(store)
        finally:
            store.close()


@contextmanager
def machine(folder: Path, postgres: Postgres | None) -> Any:
    database = postgres.fresh() if postgres else None
    with site(folder, database, CREW) as here:
        made = Machine(here, Server(here.settings.data, database), database, postgres)
        try:
            made.starts()
            yield made
        finally:
            made.server.kill()


@pytest.fixture
def one(request: pytest.FixtureRequest, engine: str, tmp_path: Path) -> Any:
    with machine(tmp_path, None if engine == "sqlite" else request.getfixturevalue("postgres")) as made:
        yield made


def rounds(hands: list[Hand]) -> None:
    """One round each, sent."""
    for hand in hands:
        hand.walk()
    together(Hand.insist, hands)


def cannot_write(hand: Hand) -> bool:
    """Whether the server refuses his push, and he keeps what he has."""
    waiting = len(hand.terminal.queue())
    try:
        try:
            hand.terminal.push()
        except Offline:  # a connection to the server that was killed
            hand.terminal.push()
    except Problem as problem:
        assert problem.code == "server.behind"
        assert len(hand.terminal.queue()) == waiting
        return True
    return False


def patiently(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.1)
    return False


def every(store: Store, table: Any) -> list[Any]:
    with store.reading() as connection:
        return list(connection.execute(select(table)).all())


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_an_older_copy_is_brought_back(one: Machine, end: str) -> None:
    """Whatever the server knew when it went, the first terminal that comes knows better."""
    here, vanished = one.here, one.here.hands[-1]
    rounds(here.hands)
    copy = one.copied()
    rounds(here.hands)
    size = one.reads(lambda store: every(store, tables.facilities)[0].size)
    gone = {each.op for each in vanished.terminal.queue()}
    left = here.hands[:-1]
    for hand in left:
        hand.walk()
    one.server.stop() if end == "stop" else one.server.kill()
    one.brings_back(copy)
    one.starts()

    assert all(cannot_write(hand) for hand in left)
    assert patiently(lambda: one.health()["status"] == "behind")
    assert "flask epoch open" in one.server.log.read_text()
    here.reader.terminal.pull()
    assert here.reader.terminal.rows(), "reads go on"

    told = one.command("epoch", "open", "--facility", FACILITY, "--reason", "disk lost", "--operator", "the operator")
    assert "epoch 2 is open" in told
    together(Hand.insist, left)
    assert one.health()["status"] == "ok"
    check(one, left, gone, size)


def check(one: Machine, left: list[Hand], gone: set[str], size: int) -> None:
    """What terminals have is there, once and final; what the vanished one had is proved lost; the log verifies."""
    rows = one.reads(lambda store: every(store, tables.operations))
    there = {row.op: row for row in rows}
    assert len(there) == len(rows)
    for hand in left:
        for queued in hand.terminal.queue():
            row = there[queued.op]
            assert (row.raw, row.status) == (queued.raw, "applied"), f"{hand.officer}, {queued.n}"
    assert gone - there.keys(), "the copy had all of it: nothing was tried"
    first, second = one.reads(lambda store: epochs(store, FACILITY))
    assert isinstance(first, Epoch) and not first.present and second.present
    assert first.size + first.lost >= size - len(CREW), "its last answers alone were not shown"
    assert first.shown_by
    key = load_jwk(Keyring.open(one.here.settings.data / "keys").head.jwk)
    heads = {hand.terminal.anchor.jws for hand in left if hand.terminal.anchor is not None}
    for head in (None, *sorted(heads)):
        held = one.reads(lambda store, head=head: verify(store, FACILITY, key, head))
        assert held.epoch == 2
    told = one.command("audit", "verify")
    assert re.search(r"epoch 2 holds", told)


def test_a_copy_is_made_and_confirmed_beside_a_server_at_work(tmp_path: Path) -> None:
    with machine(tmp_path, None) as one:
        rounds(one.here.hands)
        one.copied()
        rounds(one.here.hands)
        said = one.command("backup", "confirm", str(tmp_path / "copy.sqlite3"))
        assert f"{FACILITY}: epoch 1" in said
        for hand in one.here.hands:
            hand.walk()
            hand.terminal.push()
        ends = one.reads(lambda store: every(store, tables.terminals))
        assert any(0 < row.safe_n < row.last_n for row in ends)
        assert "holds" in one.command("audit", "verify")


def test_what_a_server_has_signed_is_known_when_it_starts_on_an_older_copy(tmp_path: Path) -> None:
    with machine(tmp_path, None) as one:
        copy = one.copied()
        rounds(one.here.hands)
        one.server.stop()
        one.starts()
        folder = one.here.settings.data / "witness"
        newest = one.reads(lambda store: every(store, tables.facilities)[0].head)
        assert patiently(lambda: recall(folder, FACILITY) == newest)
        one.server.kill()
        one.brings_back(copy)
        one.starts()
        assert one.health()["status"] == "behind"
        assert "flask epoch open" in one.server.log.read_text()
        process = flask(one.here.settings.data, None, "backup", "confirm", copy)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1 and "server.behind" in err
