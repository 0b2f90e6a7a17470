"""The log's head, for anybody who keeps one as a witness (docs/protocol.md §9)."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from backend.identity import facilities
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.services import services

blueprint = Blueprint("audit", __name__, url_prefix="/v1/audit", description="The Merkle log")


class SignedHead(Schema):
    """The newest signed head."""

    head = fields.String(required=True)


@blueprint.get("/head")
@signed_in()
@blueprint.response(200, SignedHead)
def head() -> dict[str, Any]:
    """The newest signed head of the caller's facility."""
    return {"head": facilities.one(services().store, session().officer.facility).head}
