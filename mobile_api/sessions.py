"""Sign-in, refresh, and the end of both (docs/protocol.md §4)."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from backend.identity import officers, seals, sessions, terminals
from backend.identity.sessions import Session
from backend.identity.tokens import Ticket
from backend.kernel.clock import to_text
from mobile_api.blueprint import Blueprint
from mobile_api.guard import by_key_once, proven_key, session, signed_in
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


class Unlock(Schema):
    """For how long, how often and after what idle time the device may be unlocked without the server."""

    hours = fields.Integer(required=True)
    tries = fields.Integer(required=True)
    idle_minutes = fields.Integer(required=True)


class Tokens(Schema):
    """An access token and the refresh token that gets the next one. ``must_change``: the secret, before all else."""

    access_token = fields.String(required=True)
    expires_at = fields.String(required=True)
    refresh_token = fields.String(required=True)
    refresh_expires_at = fields.String(required=True)
    must_change = fields.Boolean(required=True)
    time = fields.String(required=True)


class SignedIn(Tokens):
    """A session and its tokens."""

    session = fields.String(required=True)
    officer = fields.Nested(OfficerNamed, required=True)
    unlock = fields.Nested(Unlock, required=True)
    seal = fields.String(required=True)


class Refresh(Schema):
    """The newest refresh token of a session."""

    refresh_token = fields.String(required=True, validate=validate.Length(1, 2048))


def _tokens(made: Session, generation: int, key: str) -> dict[str, Any]:
    here, officer = services(), made.officer
    now, ticket = here.clock.now(), Ticket(officer.facility, made.session, generation, key)
    token, ends = here.tokens.issue(ticket, officer.officer, now, made.expires_at)
    return {
        "access_token": token,
        "expires_at": to_text(ends),
        "refresh_token": here.tokens.refresh(ticket, made.expires_at),
        "refresh_expires_at": to_text(made.expires_at // 1000 * 1000),
        "must_change": made.must_change,
        "time": to_text(now),
    }


def _unlock() -> dict[str, int]:
    settings = services().settings
    return {
        "hours": settings.unlock_hours,
        "tries": settings.unlock_tries,
        "idle_minutes": settings.unlock_idle_minutes,
    }


@blueprint.post("")
@by_key_once
@blueprint.arguments(SignIn)
@blueprint.response(201, SignedIn)
def sign_in(body: dict[str, Any]) -> dict[str, Any]:
    """Sign an officer in on the terminal that makes the proof."""
    here, key = services(), proven_key()[0]
    terminal = terminals.by_thumbprint(here.store, key)
    known = officers.authenticate(here.door, terminal.facility, terminal.terminal, body["number"], body["secret"])
    made = sessions.sign_in(here.door, terminal, known, here.settings.session_hours)
    told = {"session": made.session, "officer": known.officer.public()} | _tokens(made, 1, key)
    return told | {"unlock": _unlock(), "seal": seals.statement(here.keyring, terminal.facility, made.started_at)}


@blueprint.post("/refresh")
@by_key_once
@blueprint.arguments(Refresh)
@blueprint.response(200, Tokens)
def refresh(body: dict[str, Any]) -> dict[str, Any]:
    """Get the next access token, and the refresh token that follows; the same again while an answer may have been lost."""
    here, key = services(), proven_key()[0]
    ticket = here.tokens.read_refresh(body["refresh_token"], here.clock.now())
    made, generation = sessions.refresh(here.door, ticket, key)
    return _tokens(made, generation, key)


@blueprint.delete("/current")
@signed_in(temporary=True)
@blueprint.response(204)
def sign_out() -> None:
    """End the caller's session; what is queued stays."""
    sessions.end(services().door, session())
