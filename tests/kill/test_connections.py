"""A connection on which an answer came before its body was read is said to end, so that no request is sent into it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import serving
from tests.support.templates import Templates

BODY = b'{"code":"0000-0000-0000"}'
PATHS = ("/v1/terminals", "/v1/sync/pull", "/v1/sync/push", "/v1/nowhere")


@pytest.fixture(scope="module")
def port(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder: Path = tmp_path_factory.mktemp("connections")
    with templates.world("sqlite", folder) as world, serving(world.settings.data) as server:
        yield server.port


def ask(line: socket.socket, head: str, body: bytes, pause: float) -> bytes:
    """The head of the answer; the body of the request follows its head after a pause, as many clients send it."""
    line.sendall(head.encode())
    time.sleep(pause)
    line.sendall(body)
    told = b""
    while b"\r\n\r\n" not in told:
        told += (got := line.recv(65536))
        assert got, "no answer"
    return told.lower()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("pause", [0, 0.05])
def test_a_body_that_was_not_read_ends_the_connection_and_the_answer_says_so(
    port: int, path: str, pause: float
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        told = ask(line, head, BODY, pause)
        assert told.split()[1] in (b"401", b"404", b"415"), told
        assert b"connection: close" in told


def test_without_a_body_the_connection_stays(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        for _ in range(3):
            told = ask(line, "GET /v1/audit/head HTTP/1.1\r\nHost: x\r\n\r\n", b"", 0)
            assert b"connection: close" not in told
