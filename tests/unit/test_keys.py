"""A signature is believed from one key, of one algorithm, for one purpose, or not at all."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from backend.kernel.ids import b64, unb64
from backend.kernel.keys import Jws, SigningKey, load_jwk, thumbprint
from headless import proof

TYP = "dpop+jwt"
KEY = SigningKey(ec.derive_private_key(0x5EED, ec.SECP256R1()))
OTHER = SigningKey(ec.derive_private_key(0x5EED + 1, ec.SECP256R1()))
PUBLIC = load_jwk(KEY.jwk)
PAYLOAD = {"htm": "POST", "text": "巡安", "n": 1}
RFC_7515 = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


def token(header: Any, payload: Any, signature: bytes) -> str:
    return f"{b64(orjson.dumps(header))}.{b64(orjson.dumps(payload))}.{b64(signature)}"


def signed(**header: Any) -> str:
    return KEY.sign({"typ": TYP, **header}, PAYLOAD)


def hmac_of(header: dict[str, Any], secret: bytes) -> str:
    head = f"{b64(orjson.dumps(header))}.{b64(orjson.dumps(PAYLOAD))}"
    return f"{head}.{b64(hmac.digest(secret, head.encode(), hashlib.sha256))}"


def truly_signed(header: dict[str, Any]) -> str:
    """Signed by the right key as ES256, whatever the header says of it."""
    head = f"{b64(orjson.dumps(header))}.{b64(orjson.dumps(PAYLOAD))}"
    der = ec.derive_private_key(0x5EED, ec.SECP256R1()).sign(head.encode(), ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(der)
    return f"{head}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def refused(text: str, key: ec.EllipticCurvePublicKey = PUBLIC, typ: str = TYP) -> None:
    with pytest.raises(ValueError):
        Jws(text).verify(key, typ)


def pem(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_what_we_sign_we_verify_and_so_does_everybody() -> None:
    text = signed()
    assert Jws(text).verify(PUBLIC, TYP) == PAYLOAD
    assert jwt.decode(text, PUBLIC, algorithms=["ES256"]) == PAYLOAD
    theirs = jwt.encode(PAYLOAD, ec.derive_private_key(0x5EED, ec.SECP256R1()), "ES256", {"typ": TYP})
    assert Jws(theirs).verify(PUBLIC, TYP) == PAYLOAD


def test_the_algorithm_cannot_be_talked_away() -> None:
    for alg in ("none", "None", "NONE", "", None, "HS256", "ES384", "RS256", "es256", ["ES256"]):
        header, payload, signature = signed().split(".")
        assert Jws(f"{header}.{payload}.{signature}").verify(PUBLIC, TYP)
        refused(f"{b64(orjson.dumps({'typ': TYP, 'alg': alg}))}.{payload}.{signature}")
        refused(token({"typ": TYP, "alg": alg}, PAYLOAD, b""))
        refused(truly_signed({"typ": TYP, "alg": alg}))
    refused(truly_signed({"typ": TYP}))
    assert Jws(truly_signed({"typ": TYP, "alg": "ES256"})).verify(PUBLIC, TYP) == PAYLOAD


def test_the_public_key_is_no_shared_secret() -> None:
    for secret in (pem(PUBLIC), orjson.dumps(KEY.jwk), KEY.thumbprint.encode(), b""):
        refused(hmac_of({"typ": TYP, "alg": "HS256"}, secret))
        refused(hmac_of({"typ": TYP, "alg": "ES256"}, secret))


def test_another_key_or_curve_or_purpose_is_refused() -> None:
    refused(OTHER.sign({"typ": TYP}, PAYLOAD))
    refused(signed(), load_jwk(OTHER.jwk))
    refused(signed(), typ="roundsman-push+jwt")
    refused(signed(typ="DPOP+JWT"))
    refused(KEY.sign({}, PAYLOAD))
    p384 = ec.derive_private_key(0x5EED, ec.SECP384R1())
    refused(jwt.encode(PAYLOAD, p384, "ES384", {"typ": TYP}))
    refused(jwt.encode(PAYLOAD, ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)), "EdDSA", {"typ": TYP}))


@pytest.mark.parametrize("crit", [[], ["b64"], ["exp"], None, "b64"])
def test_a_header_that_wants_something_unknown_is_refused(crit: Any) -> None:
    refused(signed(crit=crit))


def test_a_changed_byte_anywhere_is_refused() -> None:
    header, payload, signature = signed().split(".")
    other = {"typ": TYP, "alg": "ES256", "x": 1}
    refused(f"{b64(orjson.dumps(other))}.{payload}.{signature}")
    refused(f"{header}.{b64(orjson.dumps(PAYLOAD | {'n': 2}))}.{signature}")
    raw = unb64(signature)
    for at in (0, 31, 32, 63):
        refused(f"{header}.{payload}.{b64(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])}")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    zero, large = bytes(32), order.to_bytes(32, "big")
    for wrong in (b"", raw[:63], raw + b"\0", raw[:32], zero + zero, raw[:32] + zero, zero + raw[32:], large + large):
        refused(f"{header}.{payload}.{b64(wrong)}")


def test_a_signature_in_der_is_refused() -> None:
    header, payload, _ = signed().split(".")
    key = ec.derive_private_key(0x5EED, ec.SECP256R1())
    der = key.sign(f"{header}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
    refused(f"{header}.{payload}.{b64(der)}")


@pytest.mark.parametrize("text", [
    "", ".", "..", "...", "a.b.c", "e30.e30", "e30.e30.", "e30", "e30.e30.AA.AA", "e30=.e30.AA", " e30.e30.AA", "e30.e30.AA\n",
    "é.e30.AA", "e30.e30.é", "W10.e30.AA", "e30.W10.AA", "MQ.e30.AA", "e30.bnVsbA.AA", "e31.e30.AA", "_w.e30.AA",
    "eyJhIjoxLjB9LA.e30.AA", "🜁.e30.AA",
])  # fmt: skip
def test_what_is_no_compact_jws_is_refused(text: str) -> None:
    refused(text)


def test_a_public_key_is_read_in_one_form() -> None:
    assert load_jwk(RFC_7515).public_numbers().curve.name == "secp256r1"
    assert thumbprint(RFC_7515) == "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"
    assert proof.thumbprint(RFC_7515) == thumbprint(dict(reversed(RFC_7515.items())))


@pytest.mark.parametrize("change", [
    {"d": "AA"}, {"kid": "1"}, {"kty": "RSA"}, {"kty": "OKP"}, {"crv": "P-384"}, {"crv": "secp256k1"}, {"crv": "p-256"},
    {"x": RFC_7515["y"]}, {"y": b64(bytes(32))}, {"x": b64(bytes(31))}, {"x": b64(bytes(33))}, {"x": RFC_7515["x"] + "="},
    {"x": "é" * 43}, {"x": None}, {"y": 1}, {"y": ["a"]}, {"x": ""},
])  # fmt: skip
def test_any_other_key_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        load_jwk(RFC_7515 | change)


@pytest.mark.parametrize("jwk", [None, [], "", 1, {}, {"kty": "EC"}])
def test_what_is_no_key_at_all_is_refused(jwk: Any) -> None:
    with pytest.raises(ValueError):
        load_jwk(jwk)


def test_a_signing_key_is_kept_as_pem_and_of_one_curve() -> None:
    again = SigningKey.from_pem(KEY.pem())
    assert (again.jwk, again.thumbprint) == (KEY.jwk, KEY.thumbprint)
    others: list[Any] = [ec.derive_private_key(5, ec.SECP384R1()), rsa.generate_private_key(65537, 2048)]
    for other in others:
        kept = other.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with pytest.raises(ValueError):
            SigningKey.from_pem(kept)
    assert SigningKey.generate().jwk != SigningKey.generate().jwk
