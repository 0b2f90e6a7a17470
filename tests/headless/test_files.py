"""Files from the headless terminal to the real server: resumed after a cut, offered again after a restore, wiped with it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from backend.audit import epochs
from backend.identity import terminals
from backend.storage import tables
from headless import Offline, Problem, Refused, Terminal, carrying, patrol
from headless.luggage import COME, REFUSED, WAITING
from tests.headless.kit import Line
from tests.support import recordings, store
from tests.support.world import FACILITY, SECRET, Device, World

JPEG = "image/jpeg"


@pytest.fixture
def line(small: World) -> Line:
    return Line(small.transport())


@pytest.fixture
def terminal(small: World, line: Line, tmp_path: Path) -> Terminal:
    made = Terminal(tmp_path / "t.db", "http://localhost", transport=line, clock=Device(small.clock))
    small._terminals.append(made)
    made.enrol(small.code(), "T")
    made.sign_in("PAT", SECRET)
    made.pull()
    return made


def picture(seed: int = 0) -> bytes:
    return recordings.picture("JPEG", (64 + seed, 64))


def walked(terminal: Terminal, world: World, *digests: str) -> None:
    """A round with a stop that names files, captured, not sent."""
    round_id = patrol.open_round(terminal, world.ids["W"])
    patrol.visit(
        terminal, round_id, world.ids["K"], tag=None, cell=None, note="标签脱落", attachments=digests
    )  # fmt: skip


def states(terminal: Terminal) -> list[str]:
    return [item.state for item in terminal.store.carried()]


def on_server(world: World) -> set[bytes]:
    return {row.digest for row in store.rows(world, tables.files)}


def marks(terminal: Terminal) -> list[str]:
    return [mark["code"] for outcome in terminal.outcomes().values() for mark in outcome.get("marks", [])]


def test_a_picture_goes_with_its_round(terminal: Terminal, small: World) -> None:
    content = picture()
    digest = terminal.attach(content, JPEG)
    walked(terminal, small, digest)
    assert states(terminal) == [WAITING]
    terminal.sync()
    assert states(terminal) == [COME]
    assert on_server(small) == {hashlib.sha256(content).digest()}
    assert "attachment.missing" in marks(terminal), "operations go first: a file may be long in coming"
    into = io.BytesIO()
    terminal.fetch_file(digest, into)
    assert into.getvalue() == content
    terminal.sync()
    assert terminal.upload() == []


def test_it_needs_no_officer(terminal: Terminal, small: World) -> None:
    digest = terminal.attach(picture(), JPEG)
    walked(terminal, small, digest)
    terminal.sign_out()
    terminal.sync()
    assert states(terminal) == [COME]


def test_an_upload_is_taken_up_where_it_was_cut(
    terminal: Terminal, small: World, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever answer is lost, no piece that came goes twice, and the file comes whole."""
    monkeypatch.setattr(carrying, "PIECE", 400)
    content = picture()
    pieces = -(-len(content) // 400)
    digest = terminal.attach(content, JPEG)
    walked(terminal, small, digest)
    terminal.push()
    line.lose_on = carrying.FILES
    for _ in range(3 * pieces):
        try:
            _lose_second(line)
            terminal.upload()
            break
        except Offline:
            continue
    assert states(terminal) == [COME]
    assert on_server(small) == {hashlib.sha256(content).digest()}
    patches = [request for request in line.requests if request.method == "PATCH"]
    offsets = [int(request.headers["Upload-Offset"]) for request in patches]
    assert offsets == sorted(offsets)
    assert len(set(offsets)) == len(offsets) == pieces


def _lose_second(line: Line) -> None:
    """The answer to the second PATCH from here on is lost."""
    left = [2]
    inner = line._inner

    class Losing(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = inner.handle_request(request)
            if request.method == "PATCH" and response.is_success:
                left[0] -= 1
                if left[0] == 0:
                    line._inner = inner
                    raise httpx.ReadError("the answer was lost")
            return response

    line._inner = Losing()


def test_without_signal_it_waits(terminal: Terminal, line: Line) -> None:
    terminal.attach(picture(), JPEG)
    line.down = True
    with pytest.raises(Offline):
        terminal.upload()
    line.down = False
    assert len(terminal.upload()) == 1


@pytest.mark.parametrize(
    "make, type_, problem",
    [
        (lambda: b"no picture", JPEG, "file.type"),
        (recordings.png, JPEG, "file.type"),
        (lambda: recordings.jpeg() + recordings.archive(), JPEG, "file.unsafe"),
        (recordings.jpeg, "image/gif", "file.type"),
    ],
)
def test_what_the_server_does_not_take_stays_and_says_why(
    terminal: Terminal, small: World, make: Callable[[], bytes], type_: str, problem: str
) -> None:
    digest = terminal.attach(make(), type_)
    other = terminal.attach(picture(), JPEG)
    walked(terminal, small, digest, other)
    terminal.sync()
    kept = {item.digest: item for item in terminal.store.carried()}
    assert (kept[digest].state, kept[digest].problem) == (REFUSED, problem)
    assert kept[other].state == COME, "one never costs another"
    assert terminal.store.content(digest).exists()
    terminal.sync()
    assert terminal.store.carried_one(digest).state == REFUSED


def test_an_upload_that_ran_out_is_begun_again(
    terminal: Terminal, small: World, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "PIECE", 400)
    terminal.attach(picture(), JPEG)
    _lose_second(line)
    with pytest.raises(Offline):
        terminal.upload()
    small.clock.advance(25 * 3_600_000)
    assert small.services.tending.tend(FACILITY) == 1
    assert len(terminal.upload()) == 1


def test_bytes_that_were_spoilt_on_the_server_are_sent_again(
    terminal: Terminal, small: World, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "PIECE", 400)
    content = picture()
    digest = terminal.attach(content, JPEG)
    walked(terminal, small, digest)
    terminal.push()
    _lose_second(line)
    with pytest.raises(Offline):
        terminal.upload()
    (part,) = (small.settings.data / "files" / "parts").iterdir()
    part.write_bytes(bytes(part.stat().st_size))
    assert terminal.upload() == [digest]
    spoilt = terminal.attach(picture(1), JPEG)
    terminal.store.content(spoilt).write_bytes(bytes(99))
    assert terminal.upload() == []
    assert terminal.store.carried_one(spoilt).problem == "file.digest"


def test_a_restored_server_is_offered_its_files_again(terminal: Terminal, small: World) -> None:
    content = picture()
    digest = terminal.attach(content, JPEG)
    walked(terminal, small, digest)
    terminal.sync()
    store.alter(
        small, tables.files, {"terminal": terminal.identity.terminal}, digest=bytes(32)
    )  # it knows nothing of it
    epochs.open_epoch(small.services.door, small.services.highwater, FACILITY, "restored", "test")
    terminal.sync()
    terminal.sync()
    assert hashlib.sha256(content).digest() in on_server(small)


def test_files_are_kept_until_what_names_them_is_safe(terminal: Terminal, small: World) -> None:
    digest = terminal.attach(picture(), JPEG)
    walked(terminal, small, digest)
    terminal.sync()
    assert terminal.store.content(digest).exists(), "no backup has the operation yet"
    with terminal.store.transaction():
        terminal.store._run("DELETE FROM queue")  # as prune does once one has
    terminal.upload()
    assert not terminal.store.content(digest).exists() and states(terminal) == []


def test_a_revoked_terminal_hands_its_files_in_and_wipes_them(terminal: Terminal, small: World) -> None:
    content, unnamed = picture(), picture(1)
    digest = terminal.attach(content, JPEG)
    terminal.attach(unnamed, JPEG)
    walked(terminal, small, digest)
    terminals.revoke(small.services.door, FACILITY, terminal.identity.terminal, "test")
    terminal.evacuate()
    assert on_server(small) == {hashlib.sha256(content).digest()}
    folder = terminal.store.content(digest).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    terminal.store.wipe("2026-11-22T03:14:15.123Z")
    assert not folder.exists()


def test_nothing_is_no_file_and_what_is_not_for_him_is_not_fetched(terminal: Terminal) -> None:
    with pytest.raises(Refused):
        terminal.attach(b"", JPEG)
    with pytest.raises(Problem) as caught:
        terminal.fetch_file("A" * 43, io.BytesIO())
    assert caught.value.code == "route.unknown"
