"""Tokens and proofs that are almost right; lock-out; one-time codes."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from backend.storage import tables
from headless.chain import b64u, sha256
from headless.proof import Key, new_key
from tests.support import store
from tests.support.caller import NOBODY, Caller, is_problem
from tests.support.world import SECRET, World

PULL = {"partitions": {}, "limit": 1}


def asked(caller: Caller, **claims: Any) -> tuple[int, str | None]:
    """A pull with a proof of these claims: status, and the problem's code."""
    headers = {"DPoP": caller.dpop("POST", "/v1/sync/pull", **claims)}
    if caller.token is not None:
        headers["Authorization"] = f"DPoP {caller.token}"
    return told(caller.ask("POST", "/v1/sync/pull", PULL, headers))


def told(response: Any) -> tuple[int, str | None]:
    return response.status_code, None if response.status_code < 300 else is_problem(response)


@pytest.fixture
def caller(standing: World) -> Caller:
    made = Caller.of(standing, "PAT")
    assert asked(made) == (200, None)
    return made


def claims(caller: Caller) -> dict[str, Any]:
    return jwt.decode(caller.token or "", options={"verify_signature": False})


def test_a_token_ends_at_its_hour(small: World) -> None:
    caller = Caller.of(small, "PAT")
    left = claims(caller)["exp"] * 1000 - small.clock.now()
    assert 12 * 3_600_000 - 1000 < left <= 12 * 3_600_000
    small.clock.advance(left - 1)
    assert asked(caller) == (200, None)
    small.clock.advance(1)
    assert asked(caller) == (401, "session.expired")


def test_a_token_ends_with_its_session(caller: Caller) -> None:
    assert told(caller.ask("DELETE", "/v1/sessions/current")) == (204, None)
    assert asked(caller) == (401, "session.expired")
    assert told(caller.ask("DELETE", "/v1/sessions/current")) == (401, "session.expired")


def test_a_token_is_good_at_its_own_terminal_alone(standing: World, caller: Caller) -> None:
    other = Caller.of(standing, "DISC")
    other.token, mine = caller.token, other.token
    assert asked(other) == (401, "session.missing")
    caller.token = mine
    assert asked(caller) == (401, "session.missing")


def by_hand(said: dict[str, Any], secret: bytes, alg: str, digest: Any) -> str:
    """A token with a secret and hash that PyJWT refuses, or makes only with a warning."""
    head = b64u(orjson.dumps({"alg": alg, "typ": "JWT"})) + "." + b64u(orjson.dumps(said))
    return f"{head}.{b64u(hmac.digest(secret, head.encode(), digest))}"


def test_a_token_of_another_algorithm_or_hand_is_none(standing: World, caller: Caller) -> None:
    said, secret = claims(caller), standing.services.keyring.token
    es256 = ec.derive_private_key(7, ec.SECP256R1())
    public = standing.services.keyring.head.jwk
    forged = [
        jwt.encode(said, None, "none"),
        by_hand(said, secret, "HS512", hashlib.sha512),
        by_hand(said, secret, "HS384", hashlib.sha384),
        jwt.encode(said, es256, "ES256"),
        jwt.encode(said, b"another secret of 32 bytes......", "HS256"),
        by_hand(said, orjson.dumps(public), "HS256", hashlib.sha256),
        jwt.encode({name: value for name, value in said.items() if name != "cnf"}, secret, "HS256"),
        jwt.encode({name: value for name, value in said.items() if name != "exp"}, secret, "HS256"),
        jwt.encode(said | {"sid": "019aa1f0-7c00-7000-8000-000000000001"}, secret, "HS256"),
        jwt.encode(said | {"fac": "OTHER"}, secret, "HS256"),
        jwt.encode(said | {"cnf": {}}, secret, "HS256"),
    ]
    for token in forged:
        caller.token = token
        assert asked(caller) == (401, "session.missing"), jwt.get_unverified_header(token)
    caller.token = jwt.encode(said, secret, "HS256")
    assert asked(caller) == (200, None), "the right one, made by the same means"


def test_a_tampered_token_is_none(caller: Caller) -> None:
    token = caller.token or ""
    head, payload, signature = token.split(".")
    other = b64u(orjson.dumps(claims(caller) | {"sub": "019aa1f0-7c00-7000-8000-000000000001"}))
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    for wrong in (f"{head}.{other}.{signature}", f"{head}.{payload}.{flipped}", f"{head}.{payload}.", f"{head}.{payload}",
                  payload, "x", "a.b.c", token + "A", token[:-1]):  # fmt: skip
        caller.token = wrong
        assert asked(caller) == (401, "session.missing"), wrong


@pytest.mark.parametrize("header", ["Bearer {}", "dpop {}", "DPoP", "{}", "Basic UEFUOng=", "DPoP  {}", ""])
def test_a_token_under_another_scheme_is_none(caller: Caller, header: str) -> None:
    headers = {"DPoP": caller.dpop("POST", "/v1/sync/pull"), "Authorization": header.format(caller.token)}
    status, code = told(caller.ask("POST", "/v1/sync/pull", PULL, headers))
    assert status == 401 and code in ("session.missing", "proof.invalid")


@pytest.mark.parametrize("wrong, code", [
    ({"htm": "GET"}, "proof.invalid"),
    ({"htm": None}, "proof.invalid"),
    ({"htu": "http://localhost/v1/sync/push"}, "proof.invalid"),
    ({"htu": "http://localhost/v1/sync/pull/"}, "proof.invalid"),
    ({"htu": None}, "proof.invalid"),
    ({"ath": b64u(sha256(b"another"))}, "proof.invalid"),
    ({"ath": None}, "proof.invalid"),
    ({"nonce": "an old one"}, "proof.nonce_required"),
    ({"nonce": None}, "proof.nonce_required"),
])  # fmt: skip
def test_a_proof_for_something_else_is_refused(
    standing: World, caller: Caller, wrong: dict[str, Any], code: str
) -> None:
    said = {"jti": "1", "htm": "POST", "htu": "http://localhost/v1/sync/pull", "iat": 0}
    said |= {"nonce": standing.services.nonces.fresh(), "ath": b64u(sha256((caller.token or "").encode()))}
    said = {name: value for name, value in (said | wrong).items() if value is not None}
    headers = {"DPoP": caller.key._sign(said, {"typ": "dpop+jwt", "jwk": caller.key.jwk})}
    headers["Authorization"] = f"DPoP {caller.token}"
    response = caller.ask("POST", "/v1/sync/pull", PULL, headers)
    assert told(response) == (401, code)
    assert response.headers["DPoP-Nonce"] == standing.services.nonces.fresh()


def test_a_nonce_lasts_five_to_ten_minutes(small: World) -> None:
    caller = Caller.of(small, "PAT")
    nonce = small.services.nonces.fresh()
    small.clock.advance(5 * 60_000)
    assert asked(caller, nonce=nonce) == (200, None)
    small.clock.advance(5 * 60_000)
    assert asked(caller, nonce=nonce) == (401, "proof.nonce_required")


def test_a_proof_is_made_by_one_header_of_one_key(caller: Caller) -> None:
    right = caller.dpop("POST", "/v1/sync/pull")
    for wrong in ("", "x", right[:-2], right + "A", "é", right.replace(".", "..", 1), "a" * 9000, f"{right}, {right}"):
        headers = {"DPoP": wrong, "Authorization": f"DPoP {caller.token}"}
        status, code = told(caller.ask("POST", "/v1/sync/pull", PULL, headers))
        assert status == 401 and code in ("proof.invalid", "proof.missing"), wrong
    caller.key = Key(new_key())
    assert asked(caller) == (401, "session.missing")


def test_five_wrong_secrets_lock_for_a_quarter_of_an_hour(small: World) -> None:
    caller = Caller.of(small, NOBODY)
    for _ in range(5):
        assert told(caller.sign_in("PAT", "wrong")) == (401, "session.refused")
    locked = caller.sign_in("PAT")
    assert told(locked) == (429, "sign_in.locked")
    assert locked.headers["Retry-After"] == "901" == str(orjson.loads(locked.data)["detail"]["retry_after"])
    assert told(Caller.of(small, NOBODY).sign_in("PAT")) == (429, "sign_in.locked"), "at every terminal"
    assert told(caller.sign_in("DISC")) == (201, None), "nobody else is locked out"
    small.clock.advance(15 * 60_000 - 1)
    assert told(caller.sign_in("PAT")) == (429, "sign_in.locked")
    small.clock.advance(1)
    assert told(caller.sign_in("PAT")) == (201, None)


def test_a_right_secret_forgets_the_wrong_ones(small: World) -> None:
    caller = Caller.of(small, NOBODY)
    for _ in range(3):
        for _ in range(4):
            caller.sign_in("PAT", "wrong")
        assert told(caller.sign_in("PAT")) == (201, None)
    assert not any(row.subject.startswith("number/") for row in store.rows(small, tables.rates))


def test_a_number_that_nobody_has_is_answered_like_a_wrong_secret(small: World) -> None:
    caller = Caller.of(small, NOBODY)
    unknown, wrong = caller.sign_in("999999"), caller.sign_in("PAT", "wrong")
    assert unknown.data == wrong.data and unknown.status_code == wrong.status_code == 401
    assert dict(unknown.headers) == dict(wrong.headers)


def test_a_terminal_that_is_not_enrolled_signs_nobody_in(standing: World) -> None:
    assert told(Caller(standing).sign_in("PAT")) == (401, "terminal.unknown")


def enrol(caller: Caller, code: str, **other: Any) -> Any:
    return caller.ask("POST", "/v1/terminals", {"code": code, "label": "PDA-07", "jwk": caller.key.jwk} | other)


def test_a_code_is_good_once_and_the_same_key_gets_the_same_answer(standing: World) -> None:
    code, caller = standing.code(), Caller(standing)
    first = enrol(caller, code)
    assert first.status_code == 201
    for spelling in (code, code.lower(), code.replace("-", ""), f" {code} ", code.replace("0", "O").replace("1", "l")):
        again = enrol(caller, spelling, label="another label")
        assert again.status_code == 201
        signed = {"head": "", "seal": ""}
        assert orjson.loads(again.data) | signed == orjson.loads(first.data) | signed
    assert len(store.rows(standing, tables.terminals, label="PDA-07")) == 1
    assert told(enrol(Caller(standing), code)) == (403, "code.invalid")


def test_a_code_lasts_half_an_hour(small: World) -> None:
    code, used, caller = small.code(), small.code(), Caller(small)
    assert enrol(caller, used).status_code == 201
    small.clock.advance(30 * 60_000 - 1)
    late = small.code()
    assert enrol(Caller(small), late).status_code == 201
    small.clock.advance(1)
    assert told(enrol(Caller(small), code)) == (403, "code.invalid")
    assert enrol(caller, used).status_code == 201, "an answer that was lost is got again, however late"


def test_a_code_that_was_never_made_is_refused(standing: World) -> None:
    for code in ("0000-0000-0000", "x", "' OR 1=1 --", "é" * 12, "7" * 40):
        assert told(enrol(Caller(standing), code)) == (403, "code.invalid"), code


def test_a_key_enrols_once(standing: World) -> None:
    caller = Caller(standing)
    assert enrol(caller, standing.code()).status_code == 201
    assert told(enrol(caller, standing.code())) == (403, "code.invalid")


def test_a_terminal_enrols_its_own_key_alone(standing: World) -> None:
    code = standing.code()
    assert told(enrol(Caller(standing), code, jwk=Caller(standing).key.jwk)) == (401, "proof.invalid")
    assert enrol(Caller(standing), code).status_code == 201, "and the code was not used up"


def test_a_private_key_is_never_taken(standing: World) -> None:
    caller = Caller(standing)
    private = caller.key._key.private_numbers().private_value.to_bytes(32, "big")
    assert told(enrol(caller, standing.code(), jwk=caller.key.jwk | {"d": b64u(private)})) == (422, "request.invalid")
    pem = caller.key._key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert b"PRIVATE" in pem and told(enrol(caller, standing.code(), jwk=pem.decode())) == (422, "request.invalid")


def test_secrets_and_codes_are_kept_as_digests_alone(small: World) -> None:
    code = small.code()
    Caller.of(small, "PAT")
    small.services.store.engine.dispose()
    kept = b"".join(path.read_bytes() for path in (small.folder / "data").glob("roundsman.sqlite3*"))
    assert b"PAT" in kept
    for secret in (SECRET, code, code.replace("-", "")):
        assert secret.encode() not in kept
