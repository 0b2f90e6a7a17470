"""HTTP as the torture's terminals in memory speak it: what is whole, what was cut, and what came before the cut."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from torture.ear import _events
from torture.line import Silence
from torture.wire import Wire

OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def answering(*answers: bytes) -> Iterator[Wire]:
    """A wire to somebody who answers each connection with these bytes and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answer in answers:
                there, _ = server.accept()
                there.recv(1 << 16)
                there.sendall(answer)
                there.close()

        thread = threading.Thread(target=serve)
        thread.start()
        wire = Wire(lambda: [server.getsockname()[1]], random.Random(1))
        yield wire
        wire.close()
        thread.join(5)


def test_a_whole_answer_by_its_length_and_in_chunks() -> None:
    told = OK + b"Content-Length: 4\r\nRetry-After: 3\r\nDPoP-Nonce: n\r\n\r\nbody"
    with answering(told) as wire:
        answer = wire.send("POST", "/", {}, b"{}")
    assert (answer.body, answer.retry_after, answer.nonce, answer.ok) == (b"body", 3.0, "n", True)
    with answering(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n") as wire:
        assert wire.send("GET", "/", {}, None).body == b"abcde"


@pytest.mark.parametrize(
    ("answer", "status", "got"),
    [
        (b"", 0, b""),
        (OK, 0, b""),
        (OK + b"Content-Len\r\n\r\n", 200, b""),
        (OK + b"Content-Length: 10\r\n\r\nhalf", 200, b"half"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n9\r\nde", 200, b"abc"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 200, b"abc"),
    ],
)
def test_what_came_before_a_cut_is_told(answer: bytes, status: int, got: bytes) -> None:
    with answering(answer) as wire, pytest.raises(Silence) as silence:
        wire.send("GET", "/", {}, None)
    assert (silence.value.status, silence.value.got) == (status, got)


def test_after_a_cut_a_fresh_connection_is_used() -> None:
    with answering(b"", OK + b"Content-Length: 2\r\n\r\nok") as wire:
        with pytest.raises(Silence):
            wire.send("GET", "/", {}, None)
        assert wire.send("GET", "/", {}, None).body == b"ok"


def test_events_are_put_together_from_pieces() -> None:
    pieces = [b'event: hello\ndata: {"at"', b":1}\n\n: beat\n", b"\nevent: news\ndata: {}\n", b"\nevent: cut"]
    assert list(_events(iter(pieces))) == [("hello", b'{"at":1}'), ("news", b"{}")]
