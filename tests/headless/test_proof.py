"""Proofs and heads, read again with another implementation of ES256."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime

import pytest

from headless import proof
from headless.errors import Broken
from tests.headless.fake_crypto import Signer, thumb, verified

AT = datetime(2026, 11, 22, 3, 14, 15, tzinfo=UTC)
RFC_7517_KEY = {  # RFC 7517 appendix A.1
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}


def test_thumbprint_is_of_the_required_members_in_order() -> None:
    text = json.dumps(RFC_7517_KEY, sort_keys=True, separators=(",", ":")).encode()
    told = base64.urlsafe_b64encode(hashlib.sha256(text).digest()).decode().rstrip("=")
    assert proof.thumbprint(RFC_7517_KEY | {"kid": "1", "use": "sig"}) == told


def test_dpop_says_what_rfc_9449_wants() -> None:
    key = proof.Key(proof.new_key())
    header, payload = verified(key.dpop("POST", "https://h/v1/x", AT, nonce="n", token="tok"))
    assert header == {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.jwk}
    ath = base64.urlsafe_b64encode(hashlib.sha256(b"tok").digest()).decode().rstrip("=")
    jti = payload.pop("jti")
    assert payload == {"htm": "POST", "htu": "https://h/v1/x", "iat": 1795317255, "nonce": "n", "ath": ath}
    assert jti != verified(key.dpop("POST", "https://h/v1/x", AT, nonce="n", token="tok"))[1]["jti"]


def test_dpop_leaves_out_what_there_is_not() -> None:
    key = proof.Key(proof.new_key())
    _, payload = verified(key.dpop("GET", "https://h/v1/x", AT, nonce=None, token=None))
    assert set(payload) == {"jti", "htm", "htu", "iat"}


def test_push_proof() -> None:
    key = proof.Key(proof.new_key())
    header, payload = verified(key.push({"terminal": "t", "first": 1}), key.jwk)
    assert header == {"typ": "roundsman-push+jwt", "alg": "ES256", "kid": "t"}
    assert payload == {"terminal": "t", "first": 1}


HEAD = {"facility": "DEMO", "epoch": 1, "size": 3, "root": "r", "at": "2026-11-22T03:14:15.123Z"}


def test_a_head_by_the_servers_key_is_read() -> None:
    server = Signer()
    head = proof.verify_head(server.sign("roundsman-head+jwt", HEAD), server.jwk, "DEMO")
    assert head.anchor() == {"epoch": 1, "size": 3, "root": "r"}
    assert proof.thumbprint(server.jwk) == thumb(server.jwk)


def test_heads_that_are_none() -> None:
    server, other = Signer(), Signer()
    good = server.sign("roundsman-head+jwt", HEAD)
    for jws, facility in [
        (other.sign("roundsman-head+jwt", HEAD), "DEMO"),
        (server.sign("something+jwt", HEAD), "DEMO"),
        (server.sign("roundsman-head+jwt", HEAD | {"facility": "ELSE"}), "DEMO"),
        (server.sign("roundsman-head+jwt", {"facility": "DEMO"}), "DEMO"),
        (good[:-8] + "AAAAAAAA", "DEMO"),
        ("", "DEMO"),
    ]:
        with pytest.raises(Broken, match="head"):
            proof.verify_head(jws, server.jwk, facility)
    head = json.loads(base64.urlsafe_b64decode(good.split(".")[0] + "=="))
    unsigned = base64.urlsafe_b64encode(json.dumps(head | {"alg": "none"}).encode()).decode().rstrip("=")
    with pytest.raises(Broken):
        proof.verify_head(f"{unsigned}.{good.split('.')[1]}.", server.jwk, "DEMO")
