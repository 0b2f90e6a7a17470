"""An officer's own secret (docs/protocol.md §4)."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from backend.identity import credentials, officers
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.services import services

blueprint = Blueprint("secret", __name__, url_prefix="/v1/officers/current", description="An officer's own secret")


class Change(Schema):
    """The secret that an officer has, and the one that he wants."""

    old = fields.String(required=True, validate=validate.Length(1, credentials.MOST))
    new = fields.String(required=True, validate=validate.Length(1, credentials.MOST))


@blueprint.put("/secret")
@signed_in(once=True, temporary=True)
@blueprint.arguments(Change)
@blueprint.response(204)
def change(body: dict[str, Any]) -> None:
    """Put a secret of one's own in place of the old one; one's other sessions end."""
    mine = session()
    officers.change_secret(services().door, mine.officer, (mine.terminal, mine.session), body["old"], body["new"])
