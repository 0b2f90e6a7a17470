"""Frames are read in exactly one way, and written as they are read; the chain ties them together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.kernel import framing
from backend.kernel.framing import MAX_BODY, MAX_OPERATION, Frame, Malformed, genesis, link, read, write
from backend.kernel.ids import b64, sha256
from headless import chain
from tests.support.chance import tries

HASH = b64(b"\x07" * 32)
NEXT = b64(b"\x08" * 32)


def frame(n: str = "1", claimed: str = HASH, length: str = "2", raw: bytes = b"{}", end: bytes = b"\n") -> bytes:
    return f"{n} {claimed} {length}\n".encode() + raw + end


bodies = st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.binary(max_size=200)), min_size=1, max_size=8)


@tries(200)
@given(st.integers(1, 2**53 - 9), bodies)
def test_what_is_written_is_read(first: int, parts: list[tuple[bytes, bytes]]) -> None:
    frames = [Frame(first + at, claimed, raw) for at, (claimed, raw) in enumerate(parts)]
    body = write(frames)
    assert read(body) == frames
    assert body == chain.frames((each.n, b64(each.hash), each.raw) for each in frames)


@tries(400)
@given(st.integers(1, 1000), bodies, st.data())
def test_a_body_has_one_reading_or_none(first: int, parts: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    """Whatever is done to a byte, what is still read is written again as the very same bytes."""
    body = bytearray(write([Frame(first + at, claimed, raw) for at, (claimed, raw) in enumerate(parts)]))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    try:
        frames = read(bytes(body))
    except Malformed as fault:
        assert 0 <= fault.where <= len(body)
    else:
        assert write(frames) == bytes(body)


@tries(200)
@given(st.binary(max_size=120))
def test_any_bytes_are_frames_or_malformed(body: bytes) -> None:
    try:
        frames = read(body)
    except Malformed:
        return
    assert write(frames) == body


@pytest.mark.parametrize("body, where", [
    (b"", 0),
    (b"\n", 0),
    (b"1", 0),
    (frame(n="0"), 0),
    (frame(n="-1"), 0),
    (frame(n="+1"), 0),
    (frame(n="01"), 0),
    (frame(n="1.0"), 0),
    (frame(n=""), 0),
    (frame(n="١"), 0),
    (frame(n=str(2**53)), 0),
    (frame(n="1" * 40), 0),
    (frame(claimed=HASH + "="), 0),
    (frame(claimed=HASH[:-1]), 0),
    (frame(claimed=HASH[:-1] + "d"), 0),
    (frame(claimed=""), 0),
    (frame(claimed="é" * 20), 0),
    (frame(length="3"), 0),
    (frame(length="1"), 0),
    (frame(length="002"), 0),
    (frame(length="-2"), 0),
    (frame(length=str(MAX_BODY + 1), raw=b" " * (MAX_BODY + 1)), 0),
    (frame(end=b""), 0),
    (frame(end=b"\r\n"), 0),
    (frame().replace(b" ", b"  ", 1), 0),
    (frame().replace(b" ", b"\t", 1), 0),
    (b" " + frame(), 0),
    (frame() + b"\n", len(frame())),
    (frame() + frame(), len(frame())),
    (frame() + frame(n="3", claimed=NEXT), len(frame())),
    (frame(n="2") + frame(n="1"), len(frame())),
    (frame() + frame(n="2")[:-1], len(frame())),
    (frame() + frame(n="2", raw=b"{"), len(frame())),
])  # fmt: skip
def test_what_is_not_quite_a_frame_is_malformed_where_it_begins(body: bytes, where: int) -> None:
    with pytest.raises(Malformed) as fault:
        read(body)
    assert fault.value.where == where


def test_an_operation_may_be_of_any_bytes_and_of_any_length_that_a_push_can_hold() -> None:
    for raw in (b"", b"\n", b"2 x 3\n", b"\x00" * MAX_OPERATION, b" " * (MAX_BODY - 100)):
        assert [each.raw for each in read(frame(length=str(len(raw)), raw=raw))] == [raw]


def test_the_chain_binds_number_bytes_and_past() -> None:
    start = genesis("DEMO", "019aa1f0-7c00-7000-8000-000000000001", 1, "thumb")
    assert start == sha256(b"roundsman/genesis/1\nDEMO\n019aa1f0-7c00-7000-8000-000000000001\n1\nthumb\n")
    assert link(start, 1, b"{}") == sha256(b"roundsman/op/1\n" + start + bytes(7) + b"\x01" + b"{}")
    assert b64(link(start, 1, b"{}")) == chain.link(b64(start), 1, b"{}")
    ways = {link(start, 1, b"{}"), link(start, 2, b"{}"), link(start, 1, b"{ }"), link(bytes(32), 1, b"{}")}
    assert len(ways) == 4
    starts = {genesis(*each) for each in [("A", "t", 1, "k"), ("B", "t", 1, "k"), ("A", "u", 1, "k"),
                                          ("A", "t", 2, "k"), ("A", "t", 1, "l")]}  # fmt: skip
    assert len(starts) == 5


def test_limits_are_those_of_the_protocol() -> None:
    assert (framing.MAX_OPERATIONS, MAX_BODY, MAX_OPERATION) == (500, 4 * 1024 * 1024, 64 * 1024)
    assert (chain.MAX_BATCH, chain.MAX_BODY, chain.MAX_OPERATION) == (500, MAX_BODY, MAX_OPERATION)
