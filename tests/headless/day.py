"""A short working day of a terminal, which may be begun again after any interruption, and a death at a given line."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

import headless
from headless import Terminal, Wiped, patrol
from tests.headless.kit import CODE, SECRET

Day = Callable[[Terminal, str], None]
HERE = os.path.dirname(headless.__file__) + os.sep


def working_day(terminal: Terminal, code: str) -> None:
    """Everything a terminal does, written so that it can be begun again after any interruption.

    Before each capture the queue is asked whether it has been made already: a script that is run twice would
    otherwise record two visits, and rightly so.
    """
    terminal.enrol(code, "PDA-07")
    if terminal.session is None:
        terminal.sign_in("PAT", SECRET)
    if not terminal.rows("place"):
        terminal.pull()
    rounds = terminal.queue("patrol.round")
    round_id = rounds[0].record if rounds else patrol.open_round(terminal, _place(terminal, "W"))
    _visited(terminal, round_id, "C1")
    _visited(terminal, round_id, "K")
    terminal.push()
    terminal.pull(limit=2)
    _visited(terminal, round_id, "C2")
    terminal.push(limit=1)
    if patrol.current_round(terminal) == round_id:
        patrol.close_round(terminal, round_id)
    terminal.sync()


def renewed_day(terminal: Terminal, code: str) -> None:
    """On an image of an older day, while another life has gone on: honest work is carried over to a new incarnation."""
    _signed_in(terminal)
    round_id = terminal.queue("patrol.round")[0].record
    _visited(terminal, round_id, "K")
    _visited(terminal, round_id, "C2")
    terminal.sync()
    _signed_in(terminal)
    terminal.sync()


def last_day(terminal: Terminal, code: str) -> None:
    """Of a terminal that has been revoked."""
    try:
        terminal.evacuate()
    except Wiped:
        return


def _signed_in(terminal: Terminal) -> None:
    if terminal.session is None:
        terminal.sign_in("PAT", SECRET)


def begun(terminal: Terminal, code: str) -> str:
    """Enrolled, one visit sent. Returns the round."""
    terminal.enrol(code, "PDA-07")
    _signed_in(terminal)
    terminal.pull()
    round_id = patrol.open_round(terminal, _place(terminal, "W"))
    _visited(terminal, round_id, "C1")
    terminal.push()
    return round_id


def gone_on(terminal: Terminal, round_id: str, *, sent: bool) -> None:
    """One more visit."""
    _visited(terminal, round_id, "K")
    if sent:
        terminal.push()


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
        patrol.visit(terminal, round_id, place, tag=tag, cell=None if code == "K" else cell, note=None)


def live(
    file: Path, url: str, at_line: Callable[[FrameType], None] | None = None, code: str = CODE, day: Day = working_day
) -> None:
    """The day on this file; `at_line` is called with the frame at each line event within headless/."""

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line" and at_line is not None:
            at_line(frame)
        return local

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        return local if frame.f_code.co_filename.startswith(HERE) else None

    before = sys.gettrace()  # a coverage tool's, perhaps
    if at_line is not None:
        sys.settrace(trace)
    try:
        with reopened(file, url) as terminal:
            day(terminal, code)
    finally:
        sys.settrace(before)


def killed_at(k: int, file: Path, url: str, code: str = CODE, day: Day = working_day) -> bool:
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
            live(file, url, at_line, code, day)
            status = 0
        except BaseException:  # noqa: BLE001 - nobody above this: what is not said here is lost
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False
