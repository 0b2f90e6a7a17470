"""Uploads that meet each other, are cut, fail, or come twice; on both engines and between processes."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from backend.files import uploads as limits
from backend.files.receiving import Piece
from backend.files.shelf import Shelf
from backend.kernel.problems import Problem
from backend.storage import tables
from headless.proof import thumbprint
from tests.contract.test_files import DAY, as_caller, get, lies, picture, shelf
from tests.support import store, tus
from tests.support.caller import Caller, is_problem
from tests.support.hand import Hand
from tests.support.world import FACILITY, World
from wsgi import make_services


class Slow:
    """A body that waits, when half of it is read, until it is told to go on."""

    def __init__(self, content: bytes) -> None:
        self.halves = [content[: len(content) // 2], content[len(content) // 2 :]]
        self.begun, self.goes_on = threading.Event(), threading.Event()

    def read(self, size: int) -> bytes:
        if len(self.halves) == 1:
            self.begun.set()
            assert self.goes_on.wait(20)
        return self.halves.pop(0)[:size] if self.halves else b""


def taken(world: World, h: Hand, where: str, body: Slow, content: bytes, found: list[object]) -> threading.Thread:
    """A piece that comes slowly, in a thread of its own."""

    def run() -> None:
        piece = Piece(0, len(content), body.read)
        try:
            found.append(world.services.receiver.take(thumbprint(h.key.jwk), where.rpartition("/")[2], piece))
        except Problem as problem:
            found.append(problem.code)

    thread = threading.Thread(target=run)
    thread.start()
    assert body.begun.wait(20)
    return thread


def test_two_pieces_never_lie_over_each_other(both: World) -> None:
    h, content = Hand(both).signed_in("PAT"), picture()
    caller, found = as_caller(h), []
    where = tus.begun(caller, content)
    body = Slow(content)
    thread = taken(both, h, where, body, content, found)
    refused = tus.add(caller, where, 0, content)
    assert (refused.status_code, is_problem(refused)) == (423, "upload.busy")
    assert is_problem(tus.ask(caller, "DELETE", where)) == "upload.busy"
    assert tus.offset(caller, where) == 0
    other = make_services(both.settings, both.clock)  # as another process has them
    try:
        with pytest.raises(Problem) as caught:
            other.receiver.take(thumbprint(h.key.jwk), where.rpartition("/")[2], Piece(0, 1, lambda _: b"x"))
        assert caught.value.code == "upload.busy"
    finally:
        other.hub.close()
        other.store.close()
    body.goes_on.set()
    thread.join()
    assert tus.offset(caller, where) == len(content) and lies(both, content)


def test_who_has_stopped_loses_the_upload_to_the_next_and_writes_no_more(
    both: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.files.receiving._RENEW_SECONDS", 0.0)
    h, content = Hand(both).signed_in("PAT"), picture()
    caller, found = as_caller(h), []
    where = tus.begun(caller, content)
    body = Slow(content)
    thread = taken(both, h, where, body, content, found)
    both.clock.advance(limits.LEASE_MS)
    stands = tus.offset(caller, where)
    assert tus.add(caller, where, stands, content[stands:]).status_code == 204
    assert lies(both, content)
    body.goes_on.set()
    thread.join()
    assert found == ["upload.busy"]
    assert tus.offset(caller, where) == len(content)
    assert get(both, "LEAD", content) == 404 and lies(both, content)
    store.verified(both)


def test_what_came_before_a_cut_is_kept(both: World) -> None:
    h, content = Hand(both).signed_in("PAT"), picture()
    caller = as_caller(h)
    where = tus.begun(caller, content)
    upload, key = where.rpartition("/")[2], thumbprint(h.key.jwk)
    halves = [content[:200], content[200:500]]

    def cut(_size: int) -> bytes:
        if halves:
            return halves.pop(0)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        both.services.receiver.take(key, upload, Piece(0, len(content), cut))
    assert tus.offset(caller, where) == 500
    assert tus.add(caller, where, 500, content[500:]).status_code == 204
    assert lies(both, content)


def test_a_write_that_fails_costs_one_byte(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is busy when the file is whole: nothing is said to be there, and little must be sent again."""
    h, content = Hand(both).signed_in("PAT"), picture()
    caller = as_caller(h)
    where = tus.begun(caller, content)

    def busy(*_: object) -> None:
        raise Problem("server.busy", retry_after=2)

    with monkeypatch.context() as patched:
        patched.setattr(Shelf, "put", busy)
        assert tus.add(caller, where, 0, content).status_code == 503
    assert store.rows(both, tables.files) == []
    assert tus.offset(caller, where) == len(content) - 1
    assert tus.add(caller, where, len(content) - 1, content[-1:]).status_code == 204
    assert lies(both, content)


def test_an_upload_whose_bytes_were_lost_is_begun_again(both: World) -> None:
    h, content = Hand(both).signed_in("PAT"), picture()
    caller = as_caller(h)
    where = tus.begun(caller, content)
    tus.add(caller, where, 0, content[:300])
    (part,) = shelf(both).parts.iterdir()
    part.unlink()
    assert is_problem(tus.add(caller, where, 300, content[300:])) == "route.unknown"
    assert tus.begun(caller, content) != where
    tus.sent(caller, content)


def test_a_full_disk_is_no_fault(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    h, content = Hand(both).signed_in("PAT"), picture()
    caller = as_caller(h)
    where = tus.begun(caller, content)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.pwrite", full)
        assert tus.add(caller, where, 0, content).status_code == 503
    assert tus.add(caller, where, 0, content).status_code == 204
    assert lies(both, content)


def test_a_file_that_two_bring_is_stored_once(both: World) -> None:
    content = picture()
    first, second = Caller.of(both, "PAT"), Caller.of(both, "PAT")
    for caller in (first, second):
        tus.sent(caller, content)
    assert len(store.rows(both, tables.files)) == 1
    assert [leaf["act"] for leaf in store.leaves(both)].count("file.stored") == 1
    again = tus.begin(first, content)
    assert (again.status_code, again.headers["Upload-Offset"]) == (201, str(len(content)))
    both.clock.advance(2 * DAY)
    again = tus.begin(first, content)
    assert again.headers["Upload-Offset"] == str(len(content)), "it has brought it; nothing is wanted"
    other = tus.begin(second, content)
    assert other.headers["Upload-Offset"] == "0", "who has it must show it: a digest alone tells nobody what is here"
    assert Path(shelf(both).path(FACILITY, hashlib.sha256(content).digest())).exists()
