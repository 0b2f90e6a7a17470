"""Enrolment of terminals, their incarnations, and their end (docs/protocol.md §2, §6)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from marshmallow import Schema, fields, validate

from backend.domain.posts import Post
from backend.identity import facilities, incarnations, seals, terminals
from backend.kernel.clock import to_text
from backend.kernel.framing import genesis
from backend.kernel.ids import b64
from backend.kernel.problems import Problem
from mobile_api import pictures
from mobile_api.approvals import addressed
from mobile_api.blueprint import Blueprint
from mobile_api.guard import by_key, by_new_key_once, proven_key, session, signed_in
from mobile_api.install import origin
from mobile_api.services import services

blueprint = Blueprint("terminals", __name__, url_prefix="/v1/terminals", description="Enrolment")


class Jwk(Schema):
    """A P-256 public key (RFC 7517)."""

    kty = fields.String(required=True, validate=validate.Equal("EC"))
    crv = fields.String(required=True, validate=validate.Equal("P-256"))
    x = fields.String(required=True, validate=validate.Length(43, 43))
    y = fields.String(required=True, validate=validate.Length(43, 43))


class Enrolment(Schema):
    """A one-time code and the key that made this request's proof."""

    code = fields.String(required=True, validate=validate.Length(1, 40))
    label = fields.String(required=True, validate=validate.Length(1, 40))
    jwk = fields.Nested(Jwk, required=True)
    asset = fields.String(validate=validate.Length(1, 40))


class FacilityNamed(Schema):
    """A facility."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    type = fields.String(required=True)


class Enrolled(Schema):
    """The terminal, the hash before its first operation, and the server's key. ``state``: ``active``, or ``pending`` while
    an administrator has not approved it, who compares ``fingerprint`` with what the device shows.
    """

    facility = fields.Nested(FacilityNamed, required=True)
    terminal = fields.String(required=True)
    state = fields.String(required=True)
    fingerprint = fields.String(required=True)
    incarnation = fields.Integer(required=True)
    genesis = fields.String(required=True)
    server_key = fields.Nested(Jwk, required=True)
    seal = fields.String(required=True)
    head = fields.String(required=True)
    time = fields.String(required=True)


class NextIncarnation(Schema):
    """The key of the next incarnation, its proof of itself, and why there must be one."""

    jwk = fields.Nested(Jwk, required=True)
    proof = fields.String(required=True, validate=validate.Length(1, 4096))
    reason = fields.String(required=True, validate=validate.OneOf(incarnations.REASONS))


class Incarnation(Schema):
    """An incarnation, and the hash before its first operation."""

    terminal = fields.String(required=True)
    incarnation = fields.Integer(required=True)
    genesis = fields.String(required=True)
    head = fields.String(required=True)
    time = fields.String(required=True)


class CodeWanted(Schema):
    """Whether the terminal that uses the code is active at once (``true``), or waits for approval (the default)."""

    approved = fields.Boolean(load_default=False, truthy={True}, falsy={False})


class Code(Schema):
    """A one-time code; shown once. ``link`` opens the app with the code in it; ``uri`` is what ``qr``, an SVG, says."""

    code = fields.String(required=True)
    expires_at = fields.String(required=True)
    approved = fields.Boolean(required=True)
    link = fields.String(required=True)
    uri = fields.String(required=True)
    qr = fields.String(required=True)


@blueprint.post("")
@by_new_key_once
@blueprint.arguments(Enrolment)
@blueprint.response(201, Enrolled)
def enrol(body: dict[str, Any]) -> dict[str, Any]:
    """Use a one-time code for a key."""
    here = services()
    if proven_key()[1] != body["jwk"]:
        raise Problem("proof.invalid", "jwk")
    made = terminals.enrol(here.door, body["code"], body["label"], body["jwk"], body.get("asset"))
    facility = facilities.one(here.store, made.facility)
    return {
        "facility": facility.public(),
        "terminal": made.terminal,
        "state": made.state,
        "fingerprint": made.fingerprint,
        "incarnation": made.incarnation,
        "genesis": b64(genesis(made.facility, made.terminal, made.incarnation, made.thumbprint)),
        "server_key": here.keyring.heads.of(made.facility).jwk,
        "seal": seals.statement(here.keyring, made.facility, here.clock.now()),
        "head": facility.head,
        "time": to_text(here.clock.now()),
    }


@blueprint.post("/incarnations")
@by_key
@blueprint.arguments(NextIncarnation)
@blueprint.response(201, Incarnation)
def begin_incarnation(body: dict[str, Any]) -> dict[str, Any]:
    """Begin again with another key, after a fork or in an older copy of the store."""
    here = services()
    issued = incarnations.issue(here.door, proven_key()[0], incarnations.Request(**body))
    return {
        "terminal": issued.terminal,
        "incarnation": issued.incarnation,
        "genesis": b64(issued.genesis),
        "head": facilities.one(here.store, issued.facility).head,
        "time": to_text(here.clock.now()),
    }


@blueprint.post("/wiped")
@by_key
@blueprint.response(204)
def say_wiped() -> None:
    """Say that store and key are destroyed."""
    terminals.wiped(services().door, proven_key()[0])


@blueprint.post("/<uuid:terminal>/revoke")
@signed_in(Post.ADM, once=True)
@blueprint.problems(404)
@blueprint.response(204)
def revoke(terminal: UUID) -> None:
    """Take a terminal's rights; it hands in its queue by the evacuation route."""
    officer = session().officer
    with addressed():
        terminals.revoke(services().door, officer.facility, str(terminal), officer.officer)


@blueprint.post("/codes")
@signed_in(Post.ADM, once=True)
@blueprint.arguments(CodeWanted, required=False)
@blueprint.response(201, Code)
def make_code(body: dict[str, Any]) -> dict[str, Any]:
    """Make a one-time code for one terminal."""
    here, officer, approved = services(), session().officer, body["approved"]
    server = origin()
    code, expires = terminals.make_code(here.door, officer.facility, officer.officer, approved=approved)
    told = {"code": code, "expires_at": to_text(expires), "approved": approved}
    return told | pictures.of_code(server, code)
