"""The protocol's hashes and signatures, written for the checker: base64url, chain, RFC 9162 tree, ES256."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def data(said: str) -> bytes:
    return base64.urlsafe_b64decode(said + "=" * (-len(said) % 4))


def sha(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def genesis(facility: str, terminal: str, incarnation: int, thumbprint: str) -> bytes:
    """Protocol §2."""
    return sha("\n".join(["roundsman/genesis/1", facility, terminal, str(incarnation), thumbprint, ""]).encode())


def link(before: bytes, n: int, raw: bytes) -> bytes:
    """Protocol §5."""
    return sha(b"roundsman/op/1\n" + before + n.to_bytes(8, "big") + raw)


def term(record: str, version: int, raw: bytes) -> int:
    """Protocol §8."""
    return int(hashlib.sha256(f"{record}\n{version}\n".encode() + raw).hexdigest(), 16)


def digest(terms: Iterable[int]) -> bytes:
    """Protocol §8: the sum modulo 2²⁵⁶."""
    return (sum(terms) % 2**256).to_bytes(32, "big")


class Tree:
    """RFC 9162 §2.1, grown leaf by leaf: ``stack`` holds (leaves below, hash) of full subtrees, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._stack: list[tuple[int, bytes]] = []

    def add(self, body: bytes) -> None:
        node = (1, sha(b"\x00" + body))
        while self._stack and self._stack[-1][0] == node[0]:
            width, left = self._stack.pop()
            node = (2 * width, sha(b"\x01" + left + node[1]))
        self._stack.append(node)
        self.size += 1

    def root(self) -> bytes:
        if not self._stack:
            return sha(b"")
        found = self._stack[-1][1]
        for _, left in self._stack[-2::-1]:
            found = sha(b"\x01" + left + found)
        return found


class Signed:
    """Reads what a P-256 key has signed (RFC 7515)."""

    def __init__(self, jwk: dict[str, str]) -> None:
        x, y = (int.from_bytes(data(jwk[name]), "big") for name in ("x", "y"))
        self._key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()

    def read(self, jws: str, kind: str) -> dict[str, Any] | None:
        """The payload; None when the signature or the kind is wrong."""
        begin, _, end = jws.rpartition(".")
        header, payload = (json.loads(data(part)) for part in begin.split("."))
        signature = data(end)
        r, s = (int.from_bytes(signature[at : at + 32], "big") for at in (0, 32))
        try:
            self._key.verify(encode_dss_signature(r, s), begin.encode(), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return None
        right = header["alg"] == "ES256" and header["typ"] == kind
        return dict(payload) if right else None
