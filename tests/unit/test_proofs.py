"""Proofs of a key: fresh by the server's nonce alone, and good for one request."""

from __future__ import annotations

from typing import Any

import pytest

from backend.identity.proofs import NONCE_WINDOW_MS, Asked, Nonces, PushClaim, check_dpop
from backend.kernel.clock import ManualClock
from backend.kernel.ids import b64, sha256
from backend.kernel.keys import SigningKey, load_jwk
from backend.kernel.problems import Problem

START = 1_795_317_255_123 // NONCE_WINDOW_MS * NONCE_WINDOW_MS
KEY, OTHER = SigningKey.generate(), SigningKey.generate()
HERE = Asked("POST", "http://10.0.0.1:8000/v1/sessions")
WITH_TOKEN = Asked("POST", "http://10.0.0.1:8000/v1/sessions", "a.b.c")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def nonces(clock: ManualClock) -> Nonces:
    return Nonces(b"k" * 32, clock)


def test_a_nonce_is_good_for_five_to_ten_minutes(clock: ManualClock, nonces: Nonces) -> None:
    for offset in (0, 1, NONCE_WINDOW_MS - 1):
        clock.set(START + offset)
        nonce = nonces.fresh()
        for age, good in ((0, True), (5 * 60_000, True), (10 * 60_000, False)):
            clock.set(START + offset + age)
            assert nonces.good(nonce) == good, (offset, age)
    clock.set(START + NONCE_WINDOW_MS - 1)
    last = nonces.fresh()
    clock.set(START + 2 * NONCE_WINDOW_MS - 1)
    assert nonces.good(last)
    clock.advance(1)
    assert not nonces.good(last)


def test_a_nonce_of_the_future_or_of_another_server_is_not_good(clock: ManualClock, nonces: Nonces) -> None:
    clock.set(START + NONCE_WINDOW_MS)
    future, other = nonces.fresh(), Nonces(b"l" * 32, clock).fresh()
    assert not nonces.good(other)
    clock.set(START)
    assert not nonces.good(future)


@pytest.mark.parametrize("nonce", [None, "", 1, True, [], {}, "é", "A" * 22, "0" * 5000])
def test_what_is_no_nonce_is_not_good(nonces: Nonces, nonce: Any) -> None:
    assert not nonces.good(nonce)


def test_servers_that_share_a_key_share_nonces(clock: ManualClock, nonces: Nonces) -> None:
    assert Nonces(b"k" * 32, clock).good(nonces.fresh())


def made(nonces: Nonces, key: SigningKey = KEY, header: dict[str, Any] | None = None, **claims: Any) -> str:
    said = {"jti": "1", "htm": "POST", "htu": HERE.uri, "iat": 0, "nonce": nonces.fresh()} | claims
    return key.sign({"typ": "dpop+jwt", "jwk": KEY.jwk} | (header or {}), said)


def why(nonces: Nonces, proof: str | None, asked: Asked = HERE, origin: str | None = None) -> str | None:
    try:
        assert check_dpop(proof, asked, nonces, origin) == (KEY.thumbprint, KEY.jwk, "1")
    except Problem as problem:
        assert problem.field == "DPoP"
        return problem.code
    return None


def test_a_right_proof_names_its_key(nonces: Nonces) -> None:
    assert why(nonces, made(nonces)) is None
    assert why(nonces, made(nonces, htu="https://outside.example/v1/sessions")) is None, "a proxy may rename the host"
    assert why(nonces, made(nonces, iat=4_000_000_000)) is None, "the device's clock is never a reason"
    assert why(nonces, made(nonces, ath=b64(sha256(b"a.b.c"))), WITH_TOKEN) is None


@pytest.mark.parametrize("claims", [
    {"htm": "GET"}, {"htm": "post"}, {"htm": None}, {"htu": "http://10.0.0.1:8000/v1/terminals"}, {"htu": "/v1/sessions/"},
    {"htu": 1}, {"htu": None}, {"htu": ""}, {"htu": "http://["}, {"htu": "http://10.0.0.1:8000/V1/sessions"},
])  # fmt: skip
def test_a_proof_for_another_request_is_not_valid(nonces: Nonces, claims: dict[str, Any]) -> None:
    assert why(nonces, made(nonces, **claims)) == "proof.invalid"


@pytest.mark.parametrize("ath", [b64(sha256(b"another")), "", None, "a.b.c", 1])
def test_a_proof_for_another_token_is_not_valid(nonces: Nonces, ath: Any) -> None:
    assert why(nonces, made(nonces, ath=ath), WITH_TOKEN) == "proof.invalid"
    assert why(nonces, made(nonces), WITH_TOKEN) == "proof.invalid"


def test_a_proof_that_its_own_key_did_not_sign_is_not_valid(nonces: Nonces) -> None:
    assert why(nonces, made(nonces, OTHER)) == "proof.invalid"
    for header in (
        {"jwk": OTHER.jwk},
        {"jwk": None},
        {"jwk": KEY.jwk | {"d": "AA"}},
        {"typ": "jwt"},
        {"crit": ["exp"]},
    ):
        assert why(nonces, made(nonces, header=header)) == "proof.invalid"
    for text in ("a.b.c", "x", "é", "a" * 5000, made(nonces, htx="y" * 4096)):
        assert why(nonces, text) == "proof.invalid"
    assert why(nonces, None) == why(nonces, "") == "proof.missing"


def test_a_proof_without_a_good_nonce_is_asked_for_again(nonces: Nonces) -> None:
    for nonce in (None, "old", 7, ""):
        assert why(nonces, made(nonces, nonce=nonce)) == "proof.nonce_required"


def test_a_configured_origin_is_held_to(nonces: Nonces) -> None:
    origin = "https://roundsman.example:8443"
    right = made(nonces, htu=f"{origin}/v1/sessions")
    assert why(nonces, right, origin=origin) is None
    for htu in (
        HERE.uri,
        "https://evil.example/v1/sessions",
        f"{origin}/v1/sessions?x=1",
        f"{origin}.evil/v1/sessions",
    ):
        assert why(nonces, made(nonces, htu=htu), origin=origin) == "proof.invalid"


CLAIMS = {
    "facility": "TEST",
    "terminal": "019aa1f0-7c00-7000-8000-000000000001",
    "incarnation": 1,
    "first": 1,
    "count": 1,
    "prior": b64(bytes(32)),
    "last": b64(b"\x01" * 32),
    "captured": 1,
}


def push(header: dict[str, Any] | None = None, **claims: Any) -> str:
    kid = {"typ": "roundsman-push+jwt", "kid": CLAIMS["terminal"]}
    return KEY.sign(kid | (header or {}), CLAIMS | claims)


def test_a_push_proof_says_what_it_says() -> None:
    said = PushClaim(push()).check(load_jwk(KEY.jwk))
    assert (said.facility, said.terminal, said.incarnation) == ("TEST", CLAIMS["terminal"], 1)
    assert (said.first, said.count, said.captured, said.prior, said.last) == (1, 1, 1, bytes(32), b"\x01" * 32)


@pytest.mark.parametrize("claims", [
    {"terminal": "019aa1f0-7c00-7000-8000-000000000002"}, {"facility": 1}, {"facility": None}, {"incarnation": "1"},
    {"incarnation": True}, {"first": 1.0}, {"first": -1}, {"count": 2**53}, {"count": None}, {"prior": "AA"}, {"prior": None},
    {"last": b64(bytes(32)) + "="}, {"captured": "9"}, {"captured": []},
])  # fmt: skip
def test_a_push_proof_of_wrong_claims_is_not_valid(claims: dict[str, Any]) -> None:
    with pytest.raises(Problem) as problem:
        PushClaim(push(**claims)).check(load_jwk(KEY.jwk))
    assert problem.value.code == "proof.invalid"


@pytest.mark.parametrize("missing", sorted(CLAIMS))
def test_a_push_proof_that_lacks_a_claim_is_not_valid(missing: str) -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != missing}
    text = KEY.sign({"typ": "roundsman-push+jwt", "kid": CLAIMS["terminal"]}, claims)
    with pytest.raises(Problem) as problem:
        PushClaim(text).check(load_jwk(KEY.jwk))
    assert problem.value.code == "proof.invalid"


@pytest.mark.parametrize("header", [
    {"kid": None}, {"kid": 1}, {"kid": []}, {"kid": ""}, {"kid": "a\0b"}, {"kid": "' OR 1=1 --"}, {"typ": "dpop+jwt"},
    {"crit": ["kid"]},
])  # fmt: skip
def test_a_push_proof_of_a_wrong_header_is_not_valid(header: dict[str, Any]) -> None:
    with pytest.raises(Problem) as problem:
        PushClaim(push(header)).check(load_jwk(KEY.jwk))
    assert problem.value.code == "proof.invalid"
