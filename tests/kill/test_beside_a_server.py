"""What else befalls a running server: bodies cut off, commands beside it, a disk that takes no more."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sync.writing.entrance import MOST_OF_ONE, PLACES
from tests.support.crew import Hand, Site, at_work, opened, packed, site, together
from tests.support.engines import ENGINES
from tests.support.ledger import Ledger, check, check_settled
from tests.support.server import Server, flask, serving
from tests.support.world import FACILITY, SECRET
from tools.process import SILENCE_SECONDS
from tools.serve import OTHERS

PUSH = "/v1/sync/push"
FRAMES = "application/vnd.roundsman.frames"


@pytest.fixture(scope="module", params=ENGINES)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Server]]:
    """An installation and its server, the same for all tests of an engine."""
    database = None if request.param == "sqlite" else request.getfixturevalue("postgres").fresh()
    with (
        site(tmp_path_factory.mktemp("running"), database) as here,
        serving(here.settings.data, here.database) as server,
    ):
        here.goes_to(server.url)
        yield here, server


def _sent(server: Server, hand: Hand, upto: float, *, then: str) -> bytes:
    """Sends a part of a push by hand and lets go of the connection; gives what was answered to it."""
    headers, body = packed(hand.terminal)
    lines = [f"POST {PUSH} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    cut = int(len(body) * upto) if upto < 1 else body.rindex(b"\n", 0, len(body) - 1) + 1 if upto == 1 else len(body)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall("\r\n".join([*lines, "", ""]).encode() + body[:cut])
        if then == "reset":
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            return b""
        line.shutdown(socket.SHUT_WR)
        return line.recv(65536)


@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize("upto", [0.0, 0.3, 0.7, 1.0], ids=["no byte", "a third", "two thirds", "all but one frame"])
def test_a_body_that_is_cut_off_applies_nothing(running: tuple[Site, Server], upto: float, then: str) -> None:
    here, server = running
    hand = here.hands[0]
    hand.walk()
    before = len(Ledger(here.settings).operations)
    assert b"200 OK" not in _sent(server, hand, upto, then=then)
    time.sleep(0.05)
    assert len(check(here).operations) == before


def _stalled(server: Server, proof: str, count: int, stack: contextlib.ExitStack) -> list[socket.socket]:
    """Handhelds that go out of range in the middle of a push, without a word."""
    head = f"POST {PUSH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FRAMES}\r\nContent-Length: 9999\r\n"
    lines = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(count)]
    for line in lines:
        line.sendall(f"{head}Roundsman-Proof: {proof}\r\n\r\n1 ".encode())
    return lines


def test_handhelds_that_stall_in_mid_body_do_not_stop_the_others(running: tuple[Site, Server]) -> None:
    """Others are served meanwhile; who stalls himself on all his lines is told to wait, and soon all is as before."""
    here, server = running
    if here.database is not None:
        pytest.skip("the front is the same on both engines")
    stalling, other = here.hands[0], here.hands[1]
    stalling.walk()
    other.walk()
    headers, body = packed(stalling.terminal)
    with contextlib.ExitStack() as stack:
        lines = _stalled(server, headers["Roundsman-Proof"], MOST_OF_ONE, stack)
        time.sleep(0.3)
        assert httpx.get(f"{server.url}/healthz", timeout=5).status_code == 200
        full = httpx.post(f"{server.url}{PUSH}", content=body, headers=headers, timeout=5)
        assert (full.status_code, full.json()["code"]) == (429, "terminal.busy")
        assert {outcome["status"] for outcome in other.terminal.push()} == {"applied"}
        for line in lines:
            line.settimeout(SILENCE_SECONDS * 3)
            with contextlib.suppress(ConnectionResetError):
                line.recv(1024)
        assert {outcome["status"] for outcome in stalling.terminal.push()} == {"applied"}


def test_who_is_no_terminal_cannot_hold_a_place_with_a_body_that_does_not_come(running: tuple[Site, Server]) -> None:
    """As many as there are places and threads beside: each is refused by its proof, and its body is not waited for."""
    here, server = running
    if here.database is not None:
        pytest.skip("the front is the same on both engines")
    with contextlib.ExitStack() as stack:
        for line in _stalled(server, "x", PLACES + OTHERS, stack):
            line.settimeout(5)
            assert line.recv(1024).startswith(b"HTTP/1.1 401 ")


def test_an_answer_that_nobody_waits_for_is_given_again(running: tuple[Site, Server]) -> None:
    """The whole body arrives and the line goes dead: everything is applied, and the same push is told so."""
    here, server = running
    hand = here.hands[0]
    hand.walk()
    queued = len(hand.terminal.waiting())
    before = len(Ledger(here.settings).operations)
    _sent(server, hand, 2, then="reset")
    until = time.monotonic() + 10
    while len(Ledger(here.settings).operations) == before and time.monotonic() < until:
        time.sleep(0.05)
    assert len(hand.terminal.push()) == queued
    assert len(check(here).operations) == before + queued


def test_commands_that_write_beside_a_server_under_load(running: tuple[Site, Server], tmp_path: Path) -> None:
    here, server = running
    with at_work(here.hands[:3], "commands"):
        commands = [
            flask(server.data, here.database, "terminals", "code", FACILITY),
            flask(server.data, here.database, "audit", "verify"),
        ]
        (code, _), (verdict, _) = said = [command.communicate(timeout=60) for command in commands]
    assert [command.returncode for command in commands] == [0, 0], said
    assert f"{FACILITY}: epoch 1 holds" in verdict
    with opened(tmp_path / "new.sqlite3", server.url) as terminal:
        terminal.enrol(code.strip(), "NEW")
        terminal.sign_in("LEAD", SECRET)
        assert terminal.pull().rows > 0
    together(Hand.insist, here.hands)
    check(here)


@contextlib.contextmanager
def _full_disk(server: Server, largest: int) -> Iterator[None]:
    """No file of the server's may grow beyond so many bytes: a write that would do so fails, as on a full disk."""
    limits = {worker: resource.prlimit(worker, resource.RLIMIT_FSIZE) for worker in server.workers}
    for worker, (_, hard) in limits.items():
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (largest, hard))
    try:
        yield
    finally:
        for worker, limit in limits.items():
            resource.prlimit(worker, resource.RLIMIT_FSIZE, limit)


def test_a_full_disk_is_a_reason_to_wait(tmp_path: Path) -> None:
    with site(tmp_path) as here, serving(here.settings.data) as server:
        here.goes_to(server.url)
        together(Hand.walk, here.hands)
        together(Hand.insist, here.hands)
        hand = here.hands[0]
        hand.walk()
        before = len(Ledger(here.settings).operations)
        with _full_disk(server, os.path.getsize(tmp_path / "data" / "roundsman.sqlite3-wal")), httpx.Client() as client:
            for _ in range(3):
                headers, body = packed(hand.terminal)
                answer = client.post(server.url + PUSH, headers=headers, content=body)
                assert (answer.status_code, answer.json()["code"]) == (503, "server.busy")
                assert int(answer.headers["Retry-After"]) > 0
            assert len(check(here).operations) == before
            hand.terminal.pull()
        together(Hand.insist, here.hands)
        check_settled(here)
