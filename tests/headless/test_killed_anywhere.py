"""A terminal that dies at any line goes on where it was: nothing lost, nothing twice, no fork.

A forked child lives a short working day against a server in another process and kills itself at a given line of
headless/. The parent then opens the same file and lives the day to its end.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import httpx
import pytest

import headless
from tests.headless.day import begun, gone_on, killed_at, last_day, live, renewed_day, reopened
from tests.headless.kit import CODE

# Deaths spread evenly over all line events, and over the distinct lines of code; KILLS=2000 is for a night.
KILLS = int(os.environ.get("KILLS", "24"))
RENEWAL, EVACUATION = 4200, 550
"""Line events of these days, nearly."""


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
        scope = state["scopes"]["PAT"]
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


def _image(folder: Path, url: str) -> Path:
    """A file of a terminal whose other life has gone on."""
    file = folder / "terminal.db"
    with reopened(file, url) as terminal:
        round_id = begun(terminal, CODE)
        terminal.store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        image = Path(shutil.copy(file, folder / "image.db"))
        gone_on(terminal, round_id, sent=True)
    return image


def _check_renewed(file: Path, url: str) -> None:
    with httpx.Client(verify=False) as client:
        state = client.get(url + "/state").json()
    with reopened(file, url) as terminal:
        taken = state["terminals"][terminal.identity.terminal]
        queue = [queued for queued in terminal.queue() if queued.incarnation == 2]
        assert (terminal.identity.incarnation, terminal.identity.frozen) == (2, None)
        assert [(queued.n, queued.hash, queued.outcome) for queued in queue] == [
            (told["n"], told["hash"], told["outcome"]) for told in taken
        ]
        assert [queued.status for queued in queue] == ["applied"] * 2
        assert state["effects"] == dict.fromkeys(state["effects"], 1)
        assert len(state["effects"]) == 5
        assert terminal.rows() == [row for row in state["rows"] if row["partition"] in state["scopes"]["PAT"]]


def _check_wiped(file: Path, url: str) -> None:
    with httpx.Client(verify=False) as client:
        state = client.get(url + "/state").json()
    ((terminal, taken),) = state["terminals"].items()
    assert [told["outcome"]["status"] for told in taken] == ["applied", "applied", "escrowed"]
    assert state["wiped"] == [terminal]
    with reopened(file, url) as again, pytest.raises(headless.Wiped) as wiped:
        again.status()
    assert wiped.value.receipt["terminal"] == terminal
    for left in file.parent.glob(file.name + "*"):
        assert b"PRIVATE KEY" not in left.read_bytes()


@pytest.mark.parametrize("part", range(KILLS))
def test_killed_while_it_is_renewed(part: int, server_url: str, tmp_path: Path) -> None:
    """An older image, dead at any line of finding out, asking for a new incarnation, and carrying its work over."""
    url = f"{server_url}/renewed/{part}"
    file = _image(tmp_path, url)
    killed_at(1 + part * RENEWAL // KILLS, file, url, day=renewed_day)
    live(file, url, day=renewed_day)
    _check_renewed(file, url)


@pytest.mark.parametrize("part", range(KILLS))
def test_killed_while_it_is_wiped(part: int, server_url: str, tmp_path: Path) -> None:
    """A revoked terminal, dead at any line of handing in and destroying itself."""
    url, file = f"{server_url}/wiped/{part}", tmp_path / "terminal.db"
    with reopened(file, url) as terminal:
        gone_on(terminal, begun(terminal, CODE), sent=False)
    httpx.post(url + "/revoke").raise_for_status()
    killed_at(1 + part * EVACUATION // KILLS, file, url, day=last_day)
    live(file, url, day=last_day)
    _check_wiped(file, url)
