"""The command line: one officer's round, most of it without signal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from headless import Terminal
from headless.__main__ import main
from tests.headless.kit import CODE, SECRET
from tests.support.recordings import jpeg

Run = Callable[..., str]
NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens


@pytest.fixture
def run(tmp_path: Path, server_url: str, request: pytest.FixtureRequest) -> Run:
    """Run one command and return what it says; `fails` when it must not succeed."""
    world = f"{server_url}/{request.node.name}"

    def call(*words: str, fails: bool = False, server: str = world) -> str:
        given = ["--db", str(tmp_path / "t.db"), "--server", server, *words]
        result = CliRunner().invoke(main, given, env={"ROUNDSMAN_SECRET": SECRET})
        assert (result.exit_code != 0) == fails, result.output
        return result.output

    return call


def test_a_round_without_signal(run: Run, tmp_path: Path) -> None:
    assert "DEMO" in run("enrol", CODE, "--label", "PDA-07")
    assert "nobody" in run("status")
    with Terminal(tmp_path / "t.db") as terminal:
        assert run("fingerprint") == f"{terminal.fingerprint()}\n"
    assert "nobody is signed in" in run("round", "open", "W", fails=True)
    assert "王巡" in run("sign-in", "PAT")
    assert "no places held" in run("places")
    assert "pulled 4 rows" in run("pull")
    assert "checkpoint" in run("places")

    assert "no round is open" in run("round", "visit", "K", "--tag", "04", fails=True)
    assert "1 not yet known" in run("round", "open", "W", server=NOWHERE)
    assert "is open" in run("round", "open", "W", fails=True)
    seen = ["--headcount", "4", "--response", "moving", "--observation", "asleep"]
    run("round", "visit", "C1", *seen, "--tag", "04A1", "--medium", "nfc", server=NOWHERE)
    picture = tmp_path / "corridor.jpg"
    picture.write_bytes(jpeg())
    run("round", "visit", "K", "--note", "标签脱落", "--attach", str(picture), server=NOWHERE)
    with Terminal(tmp_path / "t.db") as terminal:
        (item,) = terminal.store.carried()
        assert terminal.queue("patrol.visit")[-1].operation["attachments"] == [item.digest]
        assert (item.type, terminal.store.content(item.digest).read_bytes()) == ("image/jpeg", picture.read_bytes())
    assert "2 visits" in run("round", "close", "--interrupted", "报警", server=NOWHERE)

    assert "stays queued" in run("push", fails=True, server=NOWHERE)
    assert run("outbox").count("waiting") == 4
    assert "pushed 4: 4 applied\n无待传" in run("sync")
    assert "nothing waits, nothing was refused" in run("outbox")
    assert run("outbox", "--all").count("applied") == 4
    assert "4 applied" in run("status")
    assert "pushed 0" in run("push")
    assert run("sign-out").strip() == "已退出 signed out"
    assert "not pulled" in run("sync")


def test_there_are_no_defaults_for_what_must_be_looked_at(run: Run) -> None:
    run("enrol", CODE, "--label", "PDA-07")
    run("sign-in", "PAT")
    run("pull")
    run("round", "open", "W")
    for words in (
        ["C1", "--tag", "04", "--headcount", "4", "--response", "moving"],
        ["C1", "--tag", "04"],
        ["C1", "--headcount", "4", "--response", "moving", "--observation", "asleep"],
        ["C1", "--tag", "04", "--headcount", "4", "--response", "moving", "--observation", "other"],
        ["C1", "--tag", "04", "--headcount", "D1", "--response", "moving", "--observation", "asleep"],
        ["C1", "--tag", "04", "--headcount", "4", "--response", "fine", "--observation", "asleep"],
        ["K", "--tag", "04", "--headcount", "4"],
        ["999", "--tag", "04"],
    ):
        run("round", "visit", *words, fails=True)
    assert run("outbox").count("waiting") == 1


def test_refusals_are_shown_with_their_reason(run: Run) -> None:
    assert "code.invalid" in run("enrol", "1111-1111-1111", "--label", "PDA-07", fails=True)
    assert "not enrolled" in run("status", fails=True)
    run("enrol", CODE, "--label", "PDA-07")
    assert "sign_in.failed" in run("sign-in", "PAT", "--secret", "wrong", fails=True)
    run("sign-in", "PAT")
    run("pull")
    run("round", "open", "C1")  # a cell is no ward: the server's business, and it says so
    assert "rejected field.invalid fields.area" in run("push")
    assert "rejected" in run("outbox")
    assert "none open" in run("status")


def test_a_shared_device_shows_each_officer_his_own(run: Run) -> None:
    run("enrol", CODE, "--label", "PDA-07", "--asset", "A-1")
    run("sign-in", "PAT")
    run("pull")
    run("round", "open", "W")
    run("sign-in", "PAT2")
    told = run("outbox")
    assert "1 of other officers wait" in told and "patrol.round" not in told
    assert "pushed 1: 1 applied" in run("push")
    assert "nothing waits" in run("outbox")


def test_an_end_in_plain_words(run: Run, tmp_path: Path, server_url: str, request: pytest.FixtureRequest) -> None:
    run("enrol", CODE, "--label", "PDA-07")
    run("sign-in", "PAT")
    run("pull")
    run("round", "open", "W")
    assert "evacuation.not_ordered" in run("evacuate", fails=True)
    assert "nothing to renew: incarnation 1" in run("renew")
    with Terminal(tmp_path / "t.db") as terminal:
        terminal.store.freeze({"code": "chain.fork"})
    assert "see: renew" in run("status")
    assert "`renew` asks for a new one" in run("push", fails=True)
    assert "renewed: incarnation 2; sign in again" in run("sync")
    assert "nobody is signed in" in run("repair", fails=True)
    run("sign-in", "PAT")
    run("pull")
    assert "as the server has them" in run("repair")
    with Terminal(tmp_path / "t.db") as terminal:
        terminal.store._db.execute("DELETE FROM rows WHERE kind = 'patrol.round'")
    assert "repaired: 1 rows fetched, 0 removed" in run("repair")
    assert "forgotten 0" in run("prune")
    httpx.post(f"{server_url}/{request.node.name}/revoke").raise_for_status()
    assert "terminal.revoked" in run("push", fails=True)
    assert "wiped at" in run("evacuate")
    assert "Nothing is left here" in run("status", fails=True)


def test_a_dispute_is_shown_and_settled(run: Run, tmp_path: Path) -> None:
    run("enrol", CODE, "--label", "PDA-07")
    run("sign-in", "PAT")
    assert "no disputes" in run("conflicts")
    doc = {
        "record": "r",
        "kind": "person",
        "state": "open",
        "server": {"cell": None},
        "candidates": [{"op": "the-op", "officer": {"name": "李巡"}, "fields": {"cell": "C1"}}],
        "settlements": [],
    }
    row = {"id": "c", "kind": "conflict", "version": 2, "seq": 9, "partition": "p", "state": "open", "doc": doc}
    with Terminal(tmp_path / "t.db") as terminal, terminal.store.transaction():
        part = {"partition": "p", "cursor": 9, "rows": [row]}
        terminal.store._keep_part(part)
    told = run("conflicts")
    assert "cell: server –" in told and "the-op 李巡: C1" in told
    assert "disputes  1" in run("status")
    assert "FIELD=server" in run("settle", "c", "cell", "--reason", "看过", fails=True)
    assert "none of the values" in run("settle", "c", "cell=other", "--reason", "看过", fails=True)
    assert "settled, not yet sent. 待传 1" in run("settle", "c", "cell=the-op", "--reason", "看过")
    assert "1 in the server's custody" in run("push")
    assert "operation.held" in run("outbox")


def test_it_starts_as_a_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "headless", "--db", str(tmp_path / "t.db"), "status"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "Error: this terminal is not enrolled\n")


def test_a_secret_is_changed(run: Run) -> None:
    run("enrol", CODE, "--label", "PDA-07")
    run("sign-in", "PAT")
    assert "secret.wrong" in run("change-secret", "--old", "wrong", "--new", "a secret of my own", fails=True)
    assert "secret changed" in run("change-secret", "--old", SECRET, "--new", "a secret of my own")
    assert "pulled" in run("pull")
    assert "sign_in.failed" in run("sign-in", "PAT", fails=True)
    assert "王巡" in run("sign-in", "PAT", "--secret", "a secret of my own")
