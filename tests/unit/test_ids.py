"""Ids rise and are of one form; bytes have one spelling."""

from __future__ import annotations

import hashlib
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.kernel import ids
from backend.kernel.ids import FACILITY, UUID7, b64, sha256, unb64, unhash, uuid7
from headless import chain
from tests.support.chance import tries

MOMENT = 1_795_317_255_123


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_last", 0)


def test_an_id_has_the_form_of_rfc_9562() -> None:
    for text in (uuid7(MOMENT), chain.uuid7()):
        read = uuid.UUID(text)
        assert str(read) == text and UUID7.fullmatch(text)
        assert (read.version, read.variant) == (7, uuid.RFC_4122)
    assert uuid.UUID(uuid7(MOMENT)).int >> 80 == MOMENT


def test_ids_rise_even_within_a_millisecond_and_when_the_clock_steps_back() -> None:
    made = [uuid7(moment) for moment in (MOMENT, MOMENT, MOMENT - 5000, 0, MOMENT + 1, MOMENT, MOMENT + 1)]
    assert made == sorted(made) and len(set(made)) == 7
    assert [uuid.UUID(each).int >> 80 for each in made[:5]] == [MOMENT] * 4 + [MOMENT + 1]


def test_ids_run_over_into_the_next_millisecond_rather_than_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_last", (MOMENT << 74) | ((1 << 74) - 1))
    made = uuid7(MOMENT)
    assert uuid.UUID(made).int >> 80 == MOMENT + 1 and UUID7.fullmatch(made)


def test_threads_never_make_the_same_id() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(uuid7, [MOMENT] * 4000))
    assert len(set(made)) == 4000


def test_ids_of_two_processes_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    one = uuid7(MOMENT)
    monkeypatch.setattr(ids, "_last", 0)
    assert uuid7(MOMENT) != one


@tries(200)
@given(st.binary(max_size=50))
def test_bytes_have_one_spelling(data: bytes) -> None:
    text = b64(data)
    assert unb64(text) == data
    assert chain.unb64u(text) == data and chain.b64u(data) == text
    assert not set(text) & set("=+/")


@pytest.mark.parametrize("text", ["AA==", "AA=", "A", "AB", "A A", "AA\n", "A+A", "A/A", "é", "A" * 5, "AAAA="])
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        unb64(text)
    with pytest.raises(ValueError):
        chain.unb64u(text)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_hash_is_of_32_bytes(size: int) -> None:
    assert unhash(b64(bytes(32))) == bytes(32)
    with pytest.raises(ValueError):
        unhash(b64(bytes(size)))


def test_sha256_is_over_the_parts_one_after_the_other() -> None:
    assert sha256(b"ab", b"", b"c") == hashlib.sha256(b"abc").digest()


def test_facility_names() -> None:
    assert all(FACILITY.fullmatch(name) for name in ("AB", "DEMO", "KSS-110-2", "A" * 16))
    assert not any(FACILITY.fullmatch(name) for name in ("", "A", "demo", "A" * 17, "A B", "A\n", "ÄB", "A/B"))


def test_a_named_id_is_the_same_for_whoever_makes_it() -> None:
    made = ids.named(1_795_317_255_123, "a purpose")
    assert made == ids.named(1_795_317_255_123, "a purpose") and ids.UUID7.fullmatch(made)
    assert ids.moment_of(made) == 1_795_317_255_123
    others = {ids.named(1_795_317_255_124, "a purpose"), ids.named(1_795_317_255_123, "another"), made}
    assert len(others) == 3
