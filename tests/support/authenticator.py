"""An authenticator in software (WebAuthn, level 2): it makes ES256 keys and signs what a browser passes on to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cbor2
import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from backend.kernel.ids import b64, sha256, unb64

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40
ORIGIN = "http://localhost"


@dataclass
class Authenticator:
    """One key. ``counter``: what it says it has signed; ``counts`` False: it says 0, as many do. ``flags`` it answers with."""

    counts: bool = True
    origin: str = ORIGIN
    flags: int = PRESENT | VERIFIED
    counter: int = 0
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = b""

    def __post_init__(self) -> None:
        self.id = self.id or sha256(self._cose())[:16]

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to creation options, without attestation."""
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + self._cose()
        data = self._data(options["rp"]["id"], ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        said = {"clientDataJSON": b64(self._client("webauthn.create", options)), "attestationObject": b64(attestation)}
        return self._credential(said)

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to request options."""
        data, client = self._data(options["rpId"], 0), self._client("webauthn.get", options)
        signature = self.key.sign(data + sha256(client), ec.ECDSA(hashes.SHA256()))
        said = {"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)}
        return self._credential(said | {"userHandle": None})

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        name = b64(self.id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}

    def _data(self, host: str, more: int) -> bytes:
        self.counter += self.counts
        return sha256(host.encode()) + bytes([self.flags | more]) + self.counter.to_bytes(4, "big")

    def _client(self, what: str, options: dict[str, Any]) -> bytes:
        assert unb64(options["challenge"])
        return orjson.dumps(
            {"type": what, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        )

    def _cose(self) -> bytes:
        """The public key as COSE_Key (RFC 9053 §7.1.1)."""
        numbers = self.key.public_key().public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
