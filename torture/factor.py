"""An officer's second factor (docs/protocol.md §10a): a key of WebAuthn that he carries to whatever terminal he is at."""

from __future__ import annotations

import random
from typing import Any

import orjson

from torture.keys import Key, b64u, sha, unb64u
from torture.light import Light
from torture.town import SECRET

TOUCHED, ATTESTED = 0x01, 0x40


class Factor:
    """The key of an officer, made from his number; it does not count what it signs."""

    def __init__(self, number: str) -> None:
        self._key = Key(random.Random(f"factor/{number}"))  # noqa: S311 - a synthetic officer's
        self._id = sha(number.encode())

    def create(self, options: dict[str, Any], origin: str) -> dict[str, Any]:
        """The answer to options for a new key."""
        name = self._id
        data = _about(options["rp"]["id"], ATTESTED) + bytes(16) + len(name).to_bytes(2, "big") + name + self._cose()
        attestation = (
            b"\xa3" + _text("fmt") + _text("none") + _text("attStmt") + b"\xa0" + _text("authData") + _bytes(data)
        )
        client = _client("webauthn.create", options, origin)
        return self._credential({"clientDataJSON": b64u(client), "attestationObject": b64u(attestation)})

    def get(self, options: dict[str, Any], origin: str) -> dict[str, Any]:
        """The answer to options for a signature."""
        data, client = _about(options["rpId"], 0), _client("webauthn.get", options, origin)
        signed = self._key.signature(data + sha(client))
        said = {"clientDataJSON": b64u(client), "authenticatorData": b64u(data), "signature": b64u(signed)}
        return self._credential(said)

    def _credential(self, response: dict[str, str]) -> dict[str, Any]:
        return {"id": b64u(self._id), "rawId": b64u(self._id), "type": "public-key", "response": response}

    def _cose(self) -> bytes:
        """The public key: kty EC2, alg ES256, crv P-256, x, y (RFC 9053 §7.1.1)."""
        x, y = (unb64u(self._key.jwk[name]) for name in ("x", "y"))
        return b"\xa5\x01\x02\x03\x26\x20\x01\x21" + _bytes(x) + b"\x22" + _bytes(y)


def _text(text: str) -> bytes:
    """Short text in CBOR (RFC 8949 §3.1)."""
    return bytes([0x60 + len(text)]) + text.encode("ascii")


def _bytes(data: bytes) -> bytes:
    """Bytes in CBOR: 24 to 255 of them."""
    return bytes([0x58, len(data)]) + data


def _about(host: str, more: int) -> bytes:
    return sha(host.encode()) + bytes([TOUCHED | more]) + bytes(4)


def _client(what: str, options: dict[str, Any], origin: str) -> bytes:
    return orjson.dumps({"type": what, "challenge": options["challenge"], "origin": origin, "crossOrigin": False})


def confirmed(light: Light, origin: str, decision: dict[str, Any]) -> str | None:
    """The confirmation of a decision by whoever is signed in; None where the line or the server does not give one."""
    if light.seat is None:
        return None
    factor = Factor(light.seat.number)
    offered = _offer(light, factor, origin, decision)
    if offered is None or offered["webauthn"] is None:
        return None
    answer = {"challenge": offered["challenge"], "credential": factor.get(offered["webauthn"], origin)}
    told = light.asked("confirm", "POST", "/v1/confirmations", decision | answer)
    return str(told.json()["confirmation"]) if told is not None and told.ok else None


def _offer(light: Light, factor: Factor, origin: str, decision: dict[str, Any]) -> dict[str, Any] | None:
    """How the decision may be confirmed; the officer's key is added first, where the server does not know it."""
    for _ in range(2):
        told = light.asked("confirm.options", "POST", "/v1/confirmations/options", decision)
        if told is not None and told.ok:
            found: dict[str, Any] = told.json()
            return found
        if told is None or told.code != "factor.none" or not _added(light, factor, origin):
            break
    return None


def _added(light: Light, factor: Factor, origin: str) -> bool:
    offered = light.asked("factor.options", "POST", "/v1/factors/webauthn/options", {"secret": SECRET})
    if offered is None or not offered.ok:
        return False
    said = offered.json()
    body = {"challenge": said["challenge"], "label": "key", "credential": factor.create(said["options"], origin)}
    told = light.asked("factor.add", "POST", "/v1/factors/webauthn", body)
    return told is not None and told.ok
