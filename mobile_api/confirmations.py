"""Confirmations of decisions by a second factor (docs/protocol.md §10a)."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from backend.identity import confirmations
from backend.identity.challenges import MINUTES
from backend.identity.confirmations import Answer
from backend.kernel.clock import to_text
from backend.kernel.decision import digest_of
from backend.kernel.ids import b64
from backend.kernel.problems import Problem
from backend.records.forms import reference, whole, word
from backend.records.registry import kinds
from mobile_api.blueprint import Blueprint
from mobile_api.factors import party
from mobile_api.guard import session, signed_in
from mobile_api.services import services

blueprint = Blueprint(
    "confirmations", __name__, url_prefix="/v1/confirmations", description="Decisions confirmed by a second factor"
)


class Decision(Schema):
    """The decision, in the words of its operation."""

    kind = word(40)
    verb = word(40)
    record = reference()
    base = whole(0, 2**31 - 1)
    fields = fields.Dict(required=True)  # type: ignore[assignment] # the protocol's word; marshmallow keeps them apart


class Confirming(Decision):
    """With what a factor answers: ``credential`` and ``challenge``, or ``factor`` and ``code``."""

    challenge = reference(required=False)
    credential = fields.Dict()
    factor = reference(required=False)
    code = word(6, 6, required=False)


class Offered(Schema):
    """How it may be confirmed: ``webauthn``: options for a browser's keys, null without one; ``totp``: ids of factors."""

    challenge = fields.String(required=True)
    digest = fields.String(required=True)
    expires_at = fields.String(required=True)
    webauthn = fields.Dict(required=True, allow_none=True)
    totp = fields.List(fields.String(), required=True)


class Confirmed(Schema):
    """What the operation names in its sign-off, and until when it may come."""

    confirmation = fields.String(required=True)
    digest = fields.String(required=True)
    expires_at = fields.String(required=True)


def _digest(body: dict[str, Any]) -> bytes:
    """The digest of a decision that wants to be confirmed. Raises Problem ``kind.unknown``, ``verb.unknown``."""
    kind = kinds().get(body["kind"])
    verb = kind.verbs.get(body["verb"]) if kind else None
    if kind is None:
        raise Problem("kind.unknown", "kind")
    if verb is None or not verb.confirm:
        raise Problem("verb.unknown", "verb")
    return digest_of(body["kind"], body["verb"], body["record"], body["base"], body["fields"])


@blueprint.post("/options")
@signed_in()
@blueprint.arguments(Decision)
@blueprint.response(200, Offered)
def offer(body: dict[str, Any]) -> dict[str, Any]:
    """How the caller may confirm a decision."""
    here, digest = services(), _digest(body)
    found = confirmations.offer(here.door, session(), digest, party())
    return {
        "challenge": found.challenge,
        "digest": b64(digest),
        "expires_at": to_text(here.clock.now() + MINUTES * 60_000),
        "webauthn": found.options,
        "totp": found.codes,
    }


@blueprint.post("")
@signed_in(once=True)
@blueprint.arguments(Confirming)
@blueprint.response(201, Confirmed)
def confirm(body: dict[str, Any]) -> dict[str, Any]:
    """Confirm a decision by a second factor."""
    digest = _digest(body)
    if ("credential" in body) == ("code" in body):
        raise Problem("field.invalid" if "code" in body else "field.missing", "code")
    answer = Answer(*(body.get(name) for name in ("challenge", "credential", "factor", "code")))
    made, expires = services().confirmer.give(session(), digest, answer, party())
    return {"confirmation": made, "digest": b64(digest), "expires_at": to_text(expires)}
