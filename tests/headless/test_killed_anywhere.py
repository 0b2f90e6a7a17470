"""A terminal that dies at any line goes on where it was: nothing lost, nothing twice, no fork.

A forked child lives a short working day against a server in another process and kills itself at a given line of
headless/. The parent then opens the same file and lives the day to its end.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import pytest
from conftest import CODE

import headless
from headless import Terminal, patrol

HERE = os.path.dirname(headless.__file__) + os.sep
# Deaths spread evenly over all line events, and over the distinct lines of code; KILLS=2000 is for a night.
KILLS = int(os.environ.get("KILLS", "24"))


def working_day(terminal: Terminal, code: str) -> None:
    """Everything a terminal does, written so that it can be begun again after any interruption.

    Before each capture the queue is asked whether it has been made already: a script that is run twice would
    otherwise record two visits, and rightly so.
    """
    terminal.enrol(code, "PDA-07")
    if terminal.session is None:
        terminal.sign_in("100007", "s3cret")
    if not terminal.rows("place"):
        terminal.pull()
    rounds = terminal.queue("patrol.round")
    round_id = rounds[0].record if rounds else patrol.open_round(terminal, _place(terminal, "W1"))
    _visited(terminal, round_id, "101")
    _visited(terminal, round_id, "K1")
    terminal.push()
    terminal.pull(limit=2)
    _visited(terminal, round_id, "102")
    terminal.push(limit=1)
    if patrol.current_round(terminal) == round_id:
        patrol.close_round(terminal, round_id)
    terminal.sync()


def reopened(file: Path, url: str) -> Terminal:
    """The terminal on this file. Reading the certificates that plain HTTP never needs would take most of the time."""
    return Terminal(file, url, transport=httpx.HTTPTransport(verify=False))


def _place(terminal: Terminal, code: str) -> str:
    row = patrol.place_by_code(terminal, code)
    assert row is not None
    return str(row["id"])


def _visited(terminal: Terminal, round_id: str, code: str) -> None:
    place = _place(terminal, code)
    if all(queued.operation["fields"]["place"] != place for queued in patrol.visits(terminal, round_id)):
        cell: patrol.Cell | None = {"headcount": 4, "response": "moving", "observation": "asleep"}
        tag: patrol.Tag = {"uid": f"04{code}", "medium": "nfc", "counter": None}
        patrol.visit(terminal, round_id, place, tag=tag, cell=None if code == "K1" else cell, note=None)


def live(file: Path, url: str, at_line: Callable[[FrameType], None] | None = None, code: str = CODE) -> None:
    """The day on this file; `at_line` is called with the frame at each line event within headless/."""

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            counted(frame)
        return local

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        return local if frame.f_code.co_filename.startswith(HERE) else None

    counted = at_line or (lambda frame: None)
    sys.settrace(trace if at_line else None)
    try:
        with reopened(file, url) as terminal:
            working_day(terminal, code)
    finally:
        sys.settrace(None)


def killed_at(k: int, file: Path, url: str, code: str = CODE) -> bool:
    """Live the day in a child that gets SIGKILL at line event `k`. False when the day was over before."""
    child = os.fork()
    if child == 0:
        left = k

        def at_line(frame: FrameType) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        status = 1
        try:
            live(file, url, at_line, code)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def check(file: Path, url: str) -> None:
    """Server and terminal agree on every operation, outcome and row."""
    with httpx.Client(verify=False) as client:
        state = client.get(url + "/state").json()
    with reopened(file, url) as terminal:
        assert list(state["terminals"]) == [terminal.identity.terminal]
        taken = state["terminals"][terminal.identity.terminal]
        queue = terminal.queue()
        assert [queued.n for queued in queue] == list(range(1, 6))
        assert [(queued.n, queued.hash, queued.outcome) for queued in queue] == [
            (told["n"], told["hash"], told["outcome"]) for told in taken
        ]
        assert [headless.chain.b64u(queued.raw) for queued in queue] == [told["raw"] for told in taken]
        assert {queued.status for queued in queue} == {"applied"}
        assert state["effects"] == {queued.op: 1 for queued in queue}
        scope = state["scopes"]["100007"]
        assert terminal.rows() == [row for row in state["rows"] if row["partition"] in scope]
        assert set(terminal.store.cursors()) == set(scope)
        assert terminal.identity.frozen is None


@pytest.fixture(scope="session")
def day(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int]]:
    """A whole day without a death: the file and line of each of its line events."""
    file, url = tmp_path_factory.mktemp("whole") / "terminal.db", server_url + "/whole"
    events: list[tuple[str, int]] = []
    live(file, url, lambda frame: events.append((frame.f_code.co_filename, frame.f_lineno)))
    check(file, url)
    return events


def _killed_and_taken_up(k: int, file: Path, url: str) -> None:
    assert killed_at(k, file, url)
    live(file, url)
    check(file, url)


@pytest.mark.parametrize("part", range(KILLS))
def test_killed_at_any_moment(part: int, day: list[tuple[str, int]], server_url: str, tmp_path: Path) -> None:
    """Evenly over the day."""
    k = 1 + part * (len(day) - 1) // KILLS
    _killed_and_taken_up(k, tmp_path / "terminal.db", f"{server_url}/moment/{part}")


@pytest.mark.parametrize("part", range(KILLS))
def test_killed_at_any_line(part: int, day: list[tuple[str, int]], server_url: str, tmp_path: Path) -> None:
    """Evenly over the lines of code, at the first time that each is reached: loops do not crowd them out."""
    firsts = sorted({site: k for k, site in reversed(list(enumerate(day, 1)))}.values())
    k = firsts[part * len(firsts) // KILLS]
    _killed_and_taken_up(k, tmp_path / "terminal.db", f"{server_url}/line/{part}")


def test_killed_again_and_again(day: list[tuple[str, int]], server_url: str, tmp_path: Path) -> None:
    """One terminal that dies over and over, a little later each time, until its day is done."""
    file, url = tmp_path / "terminal.db", server_url + "/again"
    k, deaths = 300, 0
    while killed_at(k, file, url):
        k, deaths = k + 150, deaths + 1
    assert deaths > 5
    check(file, url)
