"""The test vectors that server, headless terminal and phone share: tests/vectors/protocol.json.

Another implementation that reproduces them speaks the protocol's hashes and frames. Everything in them is fixed, the
signatures too: they are made once and kept, since ECDSA never signs the same way twice.
"""

from __future__ import annotations

import base64
from typing import Any

import orjson

from backend.audit import merkle
from backend.kernel import framing
from backend.kernel.framing import Frame
from backend.kernel.ids import b64, sha256
from backend.kernel.keys import Jws, SigningKey, load_jwk, thumbprint

JWK = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
"""The public key of RFC 7515, appendix A.3."""
FACILITY, TERMINAL = "DEMO", "019aa1f0-7c00-7000-8000-000000000001"
HEAD = {"facility": FACILITY, "epoch": 1, "size": 3, "at": "2026-11-22T03:14:15.123Z"}


def _plain(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _operations() -> list[bytes]:
    """Bytes as terminals may send them: compact, with Chinese text, with spaces, and what is no operation at all."""
    said = {"op": "019aa1f0-7c00-7000-8000-00000000000a", "terminal": TERMINAL, "incarnation": 1, "n": 1, "fields": {}}
    return [
        orjson.dumps(said),
        orjson.dumps(said | {"n": 2, "fields": {"note": "情绪低落，已告知管教 𠮷"}}),
        b'{ "n": 3 }',
        b"\xff\xfe not json",
    ]


def make(kept: dict[str, Any]) -> dict[str, Any]:
    """The vectors; ``kept`` are those stored before, whose signed head is taken over while it still holds."""
    genesis = framing.genesis(FACILITY, TERMINAL, 1, thumbprint(JWK))
    frames, prior = [], genesis
    for n, raw in enumerate(_operations(), 1):
        prior = framing.link(prior, n, raw)
        frames.append(Frame(n, prior, raw))
    leaves = [f"leaf {number}".encode() for number in range(8)]
    return {
        "jwk": JWK,
        "thumbprint": thumbprint(JWK),
        "genesis": {"facility": FACILITY, "terminal": TERMINAL, "incarnation": 1, "hash": b64(genesis)},
        "chain": [{"n": f.n, "raw_base64": _plain(f.raw), "hash": b64(f.hash)} for f in frames],
        "frames": {
            "body_base64": _plain(framing.write(frames)),
            "first": 1,
            "count": len(frames),
            "prior": b64(genesis),
            "last": b64(frames[-1].hash),
        },
        "digest": {"raw_base64": _plain(b"a file"), "sha256": b64(sha256(b"a file"))},
        "merkle": {
            "leaves_base64": [_plain(leaf) for leaf in leaves],
            "roots": [b64(merkle.root(merkle.extend(0, [], map(merkle.leaf_hash, leaves[:n]))[1])) for n in range(9)],
        },
        "head": _head(kept.get("head")),
    }


def _head(kept: dict[str, Any] | None) -> dict[str, Any]:
    payload = HEAD | {"root": b64(sha256(b"a root"))}
    if kept is not None and _holds(kept, payload):
        return kept
    key = SigningKey.generate()
    signed = key.sign({"typ": "roundsman-head+jwt", "kid": key.thumbprint}, payload)
    return {"server_key": key.jwk, "jws": signed, "payload": payload}


def _holds(kept: dict[str, Any], payload: dict[str, Any]) -> bool:
    try:
        return Jws(kept["jws"]).verify(load_jwk(kept["server_key"]), "roundsman-head+jwt") == payload
    except ValueError:
        return False
