"""Second factors (docs/protocol.md §10a)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from flask import request
from marshmallow import Schema, fields

from backend.domain.posts import Post
from backend.identity import factors
from backend.identity.factors import Factor
from backend.identity.passkeys import Party
from backend.kernel.clock import to_text
from backend.kernel.problems import Problem
from backend.records.forms import reference, word
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.services import services

blueprint = Blueprint("factors", __name__, url_prefix="/v1/factors", description="Second factors of officers")


class SecretAgain(Schema):
    """The caller's secret."""

    secret = word(128)


class KeyMade(Schema):
    """What a browser answers to the options: a PublicKeyCredential as JSON."""

    challenge = reference()
    label = word(40)
    credential = fields.Dict(required=True)


class CodeShown(Schema):
    """A code that an authenticator app shows."""

    challenge = reference()
    label = word(40)
    code = word(6, 6)


class Whose(Schema):
    """``officer``: another one's factors, for administrators."""

    officer = reference(required=False)


class KeyOffered(Schema):
    """WebAuthn's options for a new key."""

    challenge = fields.String(required=True)
    options = fields.Dict(required=True)


class CodesOffered(Schema):
    """A secret for an authenticator app, shown this once: as text, as otpauth URI, and that as QR code (SVG)."""

    challenge = fields.String(required=True)
    secret = fields.String(required=True)
    uri = fields.String(required=True)
    qr = fields.String(required=True)


class FactorNamed(Schema):
    """A second factor."""

    factor = fields.String(required=True)
    sort = fields.String(required=True)
    label = fields.String(required=True)
    added_at = fields.String(required=True)
    used_at = fields.String(required=True, allow_none=True)


class FactorsListed(Schema):
    """An officer's second factors, the oldest first."""

    factors = fields.List(fields.Nested(FactorNamed), required=True)


def party() -> Party:
    """Whom WebAuthn keys answer: the server as the browser sees it."""
    origin = services().settings.public_origin or request.host_url.rstrip("/")
    return Party(origin, urlsplit(origin).hostname or "")


def _told(factor: Factor) -> dict[str, Any]:
    used = None if factor.used_at is None else to_text(factor.used_at)
    return {
        "factor": factor.factor,
        "sort": factor.sort,
        "label": factor.label,
        "added_at": to_text(factor.added_at),
        "used_at": used,
    }


@blueprint.get("")
@signed_in()
@blueprint.arguments(Whose, location="query")
@blueprint.response(200, FactorsListed)
def list_factors(query: dict[str, Any]) -> dict[str, Any]:
    """The caller's factors, or for administrators those of another officer."""
    officer = session().officer
    other = query.get("officer", officer.officer)
    if other != officer.officer and Post.ADM not in officer.posts:
        raise Problem("role.forbidden")
    return {"factors": [_told(each) for each in factors.listed(services().store, officer.facility, other)]}


@blueprint.post("/webauthn/options")
@signed_in(once=True)
@blueprint.arguments(SecretAgain)
@blueprint.response(200, KeyOffered)
def offer_key(body: dict[str, Any]) -> dict[str, Any]:
    """Options with which a browser makes a key for the caller."""
    challenge, options = factors.offer_key(services().door, session(), body["secret"], party())
    return {"challenge": challenge, "options": options}


@blueprint.post("/webauthn")
@signed_in(once=True)
@blueprint.arguments(KeyMade)
@blueprint.response(201, FactorNamed)
def add_key(body: dict[str, Any]) -> dict[str, Any]:
    """Add the key that a browser made."""
    here, answer = services(), body["credential"]
    return _told(factors.add_key(here.door, session(), body["challenge"], body["label"], answer, party()))


@blueprint.post("/totp")
@signed_in(once=True)
@blueprint.arguments(SecretAgain)
@blueprint.response(200, CodesOffered)
def offer_codes(body: dict[str, Any]) -> dict[str, Any]:
    """A secret for an authenticator app of the caller's, shown this once."""
    here = services()
    challenge, shown = factors.offer_codes(here.door, session(), body["secret"], here.keyring.factor)
    return {"challenge": challenge, "secret": shown.secret, "uri": shown.uri, "qr": shown.qr}


@blueprint.post("/totp/activate")
@signed_in(once=True)
@blueprint.arguments(CodeShown)
@blueprint.response(201, FactorNamed)
def add_codes(body: dict[str, Any]) -> dict[str, Any]:
    """Add the secret, by a code that the app shows."""
    here, key = services(), services().keyring.factor
    return _told(factors.add_codes(here.door, session(), body["challenge"], body["label"], body["code"], key))


@blueprint.delete("/<uuid:factor>")
@signed_in(once=True)
@blueprint.problems(404)
@blueprint.response(204)
def remove(factor: UUID) -> None:
    """Take away a factor of the caller's own, or, for administrators, anybody's."""
    officer = session().officer
    owner = None if Post.ADM in officer.posts else officer.officer
    try:
        factors.remove(services().door, officer.facility, str(factor), officer.officer, owner)
    except LookupError:
        raise Problem("route.unknown") from None
