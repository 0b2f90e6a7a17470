"""Sign-in and its end (docs/protocol.md §4)."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from backend.identity import officers, seals, sessions, terminals
from backend.kernel.clock import to_text
from mobile_api.blueprint import Blueprint
from mobile_api.guard import by_key, proven_key, session, signed_in
from mobile_api.services import services

blueprint = Blueprint("sessions", __name__, url_prefix="/v1/sessions", description="Sign-in")


class SignIn(Schema):
    """An officer's number and secret."""

    number = fields.String(required=True, validate=validate.Length(1, 32))
    secret = fields.String(required=True, validate=validate.Length(1, 128))


class OfficerNamed(Schema):
    """An officer."""

    id = fields.String(required=True)
    number = fields.String(required=True)
    name = fields.String(required=True)
    posts = fields.List(fields.String(), required=True)


class SignedIn(Schema):
    """A session and its access token."""

    session = fields.String(required=True)
    officer = fields.Nested(OfficerNamed, required=True)
    access_token = fields.String(required=True)
    expires_at = fields.String(required=True)
    seal = fields.String(required=True)
    time = fields.String(required=True)


@blueprint.post("")
@by_key
@blueprint.arguments(SignIn)
@blueprint.problems(429)
@blueprint.response(201, SignedIn)
def sign_in(body: dict[str, Any]) -> dict[str, Any]:
    """Sign an officer in on the terminal that makes the proof."""
    here = services()
    terminal = terminals.by_thumbprint(here.store, proven_key()[0])
    officer = officers.authenticate(here.door, here.store, terminal.facility, body["number"], body["secret"])
    made = sessions.start(here.door, terminal, officer, here.settings.session_hours)
    return {
        "session": made.session,
        "officer": officer.public(),
        "access_token": here.tokens.issue(made, terminal),
        "expires_at": to_text(made.expires_at),
        "seal": seals.statement(here.keyring, terminal.facility, made.started_at),
        "time": to_text(made.started_at),
    }


@blueprint.delete("/current")
@signed_in()
@blueprint.response(204)
def sign_out() -> None:
    """End the caller's session; what is queued stays."""
    sessions.end(services().door, session())
