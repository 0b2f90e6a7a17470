"""WebAuthn (W3C, level 2): keys of officers' own, which sign what they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import webauthn
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from backend.identity.officers import Officer
from backend.kernel.ids import b64
from backend.kernel.problems import Problem

NAME = "巡安 Roundsman"
LONGEST = 16_384
"""An answer of more bytes as JSON is none."""


@dataclass(frozen=True, slots=True)
class Party:
    """Whom a key answers: ``origin`` as the browser sees it (``https://host:port``), ``host`` without the port."""

    origin: str
    host: str


@dataclass(frozen=True, slots=True)
class Passkey:
    """``credential``: WebAuthn's id of it (base64url); ``key``: the public key (COSE, RFC 9052); ``counter``: how often it
    has signed, 0 where it does not count."""

    credential: str
    key: bytes
    counter: int


def creation(party: Party, officer: Officer, challenge: bytes, had: Sequence[str]) -> dict[str, Any]:
    """The browser's PublicKeyCredentialCreationOptions as JSON; ``had``: credentials that the officer has already."""
    options = webauthn.generate_registration_options(
        rp_id=party.host,
        rp_name=NAME,
        user_name=officer.number,
        user_display_name=officer.name,
        user_id=officer.officer.encode(),
        challenge=challenge,
        exclude_credentials=_named(had),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED, user_verification=UserVerificationRequirement.PREFERRED
        ),
    )
    return _plain(options)


def request(party: Party, challenge: bytes, had: Sequence[str]) -> dict[str, Any]:
    """The browser's PublicKeyCredentialRequestOptions as JSON."""
    return _plain(
        webauthn.generate_authentication_options(rp_id=party.host, challenge=challenge, allow_credentials=_named(had))
    )


def created(party: Party, challenge: bytes, answer: Mapping[str, Any]) -> Passkey:
    """The key that a browser made. Raises Problem ``factor.refused``."""
    _bounded(answer)
    try:
        found = webauthn.verify_registration_response(
            credential=dict(answer),
            expected_challenge=challenge,
            expected_rp_id=party.host,
            expected_origin=party.origin,
        )
    except Exception:  # noqa: BLE001 - whatever a stranger's bytes do to the libraries that read them
        raise Problem("factor.refused", "credential") from None
    return Passkey(b64(found.credential_id), found.credential_public_key, found.sign_count)


def signed(party: Party, challenge: bytes, answer: Mapping[str, Any], had: Passkey) -> int:
    """How often the key has signed, with this time. Raises Problem ``factor.refused``, for a count that does not rise too."""
    _bounded(answer)
    try:
        found = webauthn.verify_authentication_response(
            credential=dict(answer), expected_challenge=challenge, expected_rp_id=party.host,
            expected_origin=party.origin, credential_public_key=had.key, credential_current_sign_count=had.counter,
        )  # fmt: skip
        if b64(found.credential_id) != had.credential:
            raise ValueError("another key")
    except Exception:  # noqa: BLE001 - as above
        raise Problem("factor.refused", "credential") from None
    return found.new_sign_count


def _named(credentials: Sequence[str]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(each)) for each in credentials]


def _plain(options: Any) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(webauthn.options_to_json(options))
    return found


def _bounded(answer: Mapping[str, Any]) -> None:
    if len(orjson.dumps(answer)) > LONGEST:
        raise Problem("factor.refused", "credential")
