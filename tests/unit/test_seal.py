"""Seals: the key agreement of RFC 7518, and what opens and what does not."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from backend.kernel.ids import b64, unb64
from backend.kernel.keys import load_jwk
from backend.kernel.seal import SealKey, Seals, UnknownSeal, Unsealable, derive
from tests.support.chance import tries
from tests.support.sealing import Sealer

ALICE = {
    "kty": "EC",
    "crv": "P-256",
    "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
    "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
}


def bob() -> ec.EllipticCurvePrivateKey:
    """Bob's key of RFC 7518, appendix C."""
    return ec.derive_private_key(
        int.from_bytes(unb64("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"), "big"), ec.SECP256R1()
    )


def test_the_key_of_rfc_7518_appendix_c() -> None:
    agreed = SealKey(bob()).agree(load_jwk(ALICE))
    assert b64(derive(agreed, "A128GCM", 16, [b"Alice", b"Bob"])) == "VqqN6vgjbSBcIijNcacQGg"


@pytest.fixture(scope="module")
def key() -> SealKey:
    return SealKey.generate()


@given(st.binary(max_size=2000))
@tries(50)
def test_what_is_sealed_is_opened(key: SealKey, plain: bytes) -> None:
    assert Seals(key).open(Sealer(key.jwk).seal(plain)) == plain


def test_an_earlier_key_still_opens_and_a_foreign_one_never_did(key: SealKey) -> None:
    later = SealKey.generate()
    sealed = Sealer(key.jwk).seal(b"captured before the key was changed")
    assert Seals(later, [key]).open(sealed) == b"captured before the key was changed"
    with pytest.raises(UnknownSeal):
        Seals(later).open(sealed)


def test_one_ephemeral_key_serves_many_and_each_has_its_own_nonce(key: SealKey) -> None:
    sealer, seals = Sealer(key.jwk), Seals(key)
    sealed = [sealer.seal(b"the same words") for _ in range(5)]
    assert len(set(sealed)) == 5 and len({each.split(b".")[0] for each in sealed}) == 1
    assert {seals.open(each) for each in sealed} == {b"the same words"}


def other(sealed: bytes, **header: Any) -> bytes:
    """The same with another header."""
    first, rest = sealed.split(b".", 1)
    said = orjson.loads(unb64(first.decode())) | header
    told = {name: value for name, value in said.items() if value is not None}
    return b64(orjson.dumps(told)).encode() + b"." + rest


WRONG: dict[str, dict[str, Any]] = {
    "another algorithm": {"alg": "dir"},
    "wrapped": {"alg": "ECDH-ES+A256KW"},
    "another cipher": {"enc": "A128GCM"},
    "packed: a bomb": {"zip": "DEF"},
    "critical": {"crit": ["exp"]},
    "no ephemeral key": {"epk": None},
    "a point that is not on the curve": {
        "epk": {"kty": "EC", "crv": "P-256", "x": b64(b"\1" * 32), "y": b64(b"\2" * 32)}
    },
    "a private ephemeral key": {"epk": ALICE | {"d": "AA"}},
    "another curve": {"epk": ALICE | {"crv": "P-384"}},
    "a party that is no text": {"apu": 7},
    "a key's name that is no text": {"kid": ["x"]},
    "another party": {"apu": b64(b"somebody")},
}


@pytest.mark.parametrize("header", WRONG.values(), ids=WRONG)
def test_what_is_of_another_form_is_refused(key: SealKey, header: dict[str, Any]) -> None:
    with pytest.raises(Unsealable):
        Seals(key).open(other(Sealer(key.jwk).seal(b"words"), **header))


@pytest.mark.parametrize("garbage", [b"", b"....", b"a.b.c.d", b"a.b.c.d.e.f", b"\xff.\xfe...", b"e30....", b"W10...."])
def test_garbage_is_refused(key: SealKey, garbage: bytes) -> None:
    with pytest.raises(Unsealable):
        Seals(key).open(garbage)


@given(st.data())
@tries(60)
def test_no_sign_can_be_changed(key: SealKey, data: st.DataObject) -> None:
    sealed = Sealer(key.jwk).seal(b"one officer's words")
    at = data.draw(st.integers(0, len(sealed) - 1))
    changed = sealed[:at] + bytes([sealed[at] ^ data.draw(st.integers(1, 127))]) + sealed[at + 1 :]
    with pytest.raises(Unsealable):
        Seals(key).open(changed)
