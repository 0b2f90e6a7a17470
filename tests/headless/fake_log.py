"""The fake server's log: proofs by their definition, keys that hand over, and what it was told of (section 12)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.headless.fake_crypto import Signer, b64, merkle, thumb
from tests.headless.fake_refusals import Failure


def proof_of(leaves: list[bytes], first: int, whole: bool = True) -> list[bytes]:
    """SUBPROOF(m, D_n, b) of RFC 9162 section 2.1.4.1."""
    if first == len(leaves):
        return [] if whole else [merkle(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if first <= split:
        return [*proof_of(leaves[:split], first, whole), merkle(leaves[split:])]
    return [*proof_of(leaves[split:], first - split, False), merkle(leaves[:split])]


@dataclass
class Log:
    """The leaves of the present epoch, and who signs their heads. ``lie``: what it gives in place of a proof."""

    facility: str
    leaves: list[bytes] = field(default_factory=list)
    signer: Signer = field(default_factory=Signer)
    keys: list[dict[str, Any]] = field(default_factory=list)
    alarms: list[dict[str, str]] = field(default_factory=list)
    lie: list[str] | None = None

    def __post_init__(self) -> None:
        self.keys.append({"kid": thumb(self.signer.jwk), "jwk": self.signer.jwk, "statement": None})

    def consistency(self, present: int, epoch: int, first: int, second: int) -> dict[str, Any]:
        if epoch != present or second > len(self.leaves):
            raise Failure(404, "route.unknown")
        if not 0 < first <= second:
            raise Failure(422, "field.invalid", field="first")
        if self.lie is not None:
            return {"proof": self.lie}
        return {"proof": [b64(each) for each in proof_of(self.leaves[:second], first)]}

    def turn_key(self, epoch: int) -> Signer:
        """Another key signs from here on. Returns the one that did."""
        old, self.signer = self.signer, Signer()
        said = {"facility": self.facility, "epoch": epoch, "size": len(self.leaves), "jwk": self.signer.jwk, "at": "-"}
        statement = old.sign("roundsman-key-rotation+jwt", said)
        self.keys.append({"kid": thumb(self.signer.jwk), "jwk": self.signer.jwk, "statement": statement})
        self.leaves.append(b"key")
        return old
