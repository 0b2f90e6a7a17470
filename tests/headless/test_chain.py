"""Bytes, hashes, ids and times, against values made here with hashlib alone, and the protocol's own vectors."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import uuid
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headless import chain, proof
from headless.errors import Refused

FACILITY, TERMINAL = "DEMO", "019aa000-0000-7000-8000-000000000001"
VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors/protocol.json").read_text())
THUMB = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"  # the example of RFC 7638 section 3.1


def plain(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def test_genesis() -> None:
    told = plain(f"roundsman/genesis/1\n{FACILITY}\n{TERMINAL}\n1\n{THUMB}\n".encode())
    assert chain.genesis(FACILITY, TERMINAL, 1, THUMB) == told


def test_link_covers_predecessor_number_and_bytes() -> None:
    prior = hashlib.sha256(b"before").digest()
    raw = '{"囚":"巡安"}'.encode()
    told = plain(b"roundsman/op/1\n" + prior + b"\x00\x00\x00\x00\x00\x00\x01\x11" + raw)
    assert chain.link(chain.b64u(prior), 273, raw) == told
    assert chain.link(chain.b64u(prior), 274, raw) != told
    assert chain.link(chain.b64u(prior), 273, raw + b" ") != told


def test_frames() -> None:
    digest = plain(b"x")
    body = chain.frames([(17, digest, b"{}"), (18, digest, "巡".encode())])
    assert body == f"17 {digest} 2\n{{}}\n18 {digest} 3\n巡\n".encode()


@given(st.binary())
def test_base64url_round_trip(data: bytes) -> None:
    text = chain.b64u(data)
    assert "=" not in text
    assert chain.unb64u(text) == data


@pytest.mark.parametrize("text", ["AA==", "A", "AB", "a+b/", "é", "AA AA"])
def test_base64url_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        chain.unb64u(text)


def test_canonical_is_compact_utf8_in_the_order_given() -> None:
    assert chain.canonical({"b": 1, "a": ["巡", None, True]}) == '{"b":1,"a":["巡",null,true]}'.encode()


@pytest.mark.parametrize(
    "value",
    [1.0, 2**53, -(2**53), "a\0b", "\ud800", {"a\0": 1}, {1: 1}, [0.5], datetime.now(UTC), b"x", "x" * 65536],
)
def test_canonical_refuses_what_the_protocol_cannot_carry(value: Any) -> None:
    with pytest.raises(Refused):
        chain.canonical({"fields": value})


def test_canonical_takes_the_largest_whole_numbers() -> None:
    assert json.loads(chain.canonical({"a": 2**53 - 1, "b": 1 - 2**53})) == {"a": 2**53 - 1, "b": 1 - 2**53}


def test_uuid7_rises_across_threads_and_a_clock_that_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[list[str]] = [[] for _ in range(4)]

    def make(into: list[str]) -> None:
        into.extend(chain.uuid7() for _ in range(2000))

    threads = [threading.Thread(target=make, args=(into,)) for into in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [id_ for into in made for id_ in into]
    assert len(set(ids)) == len(ids)
    assert all(into == sorted(into) for into in made)
    assert {uuid.UUID(id_).version for id_ in ids} == {7}
    assert {uuid.UUID(id_).variant for id_ in ids} == {uuid.RFC_4122}
    monkeypatch.setattr("time.time_ns", lambda: 0)
    assert chain.uuid7() > max(ids)


def test_uuid7_carries_when_a_millisecond_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000)
    source = chain._Uuid7()
    first = source()
    source._random = 2**74 - 1
    assert source() > first
    assert source._milliseconds == 1001


def test_times_have_three_decimals_in_utc() -> None:
    moment = datetime(2026, 11, 22, 11, 14, 15, 123_999, tzinfo=timezone(timedelta(hours=8)))
    assert chain.rfc3339(moment) == "2026-11-22T03:14:15.123Z"
    assert chain.rfc3339(moment.replace(microsecond=0)) == "2026-11-22T03:14:15.000Z"
    with pytest.raises(Refused):
        chain.rfc3339(datetime(2026, 11, 22))


def test_the_protocols_vectors() -> None:
    """The same file that the server and the terminal in the browser are held to."""
    told = VECTORS["genesis"]
    assert proof.thumbprint(VECTORS["jwk"]) == VECTORS["thumbprint"]
    prior = chain.genesis(told["facility"], told["terminal"], told["incarnation"], VECTORS["thumbprint"])
    assert prior == told["hash"]
    operations = []
    for each in VECTORS["chain"]:
        raw = base64.b64decode(each["raw_base64"])
        prior = chain.link(prior, each["n"], raw)
        assert prior == each["hash"]
        operations.append((each["n"], prior, raw))
    assert chain.frames(operations) == base64.b64decode(VECTORS["frames"]["body_base64"])
    signed = VECTORS["head"]
    head = proof.verify_head(signed["jws"], signed["server_key"], signed["payload"]["facility"])
    assert {name: getattr(head, name) for name in ("epoch", "size", "root", "at")} == {
        name: signed["payload"][name] for name in ("epoch", "size", "root", "at")
    }
