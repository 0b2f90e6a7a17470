"""The command line: one officer's round, most of it without signal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from headless.__main__ import main
from tests.headless.kit import CODE, SECRET

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


def test_a_round_without_signal(run: Run) -> None:
    assert "DEMO" in run("enrol", CODE, "--label", "PDA-07")
    assert "nobody" in run("status")
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
    run("round", "visit", "K", "--note", "标签脱落", server=NOWHERE)
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


def test_it_starts_as_a_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "headless", "--db", str(tmp_path / "t.db"), "status"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "Error: this terminal is not enrolled\n")
