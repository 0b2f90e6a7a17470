"""``/healthz``: whether this server can do its work."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from backend.identity import facilities
from mobile_api.blueprint import Blueprint
from mobile_api.guard import open_to_all
from mobile_api.services import services

blueprint = Blueprint("health", __name__, description="Whether the server can do its work")


class Faces(Schema):
    """The face engine: ``dlib`` or ``null``, and whether it decides anything yet."""

    engine = fields.String(required=True)
    decides = fields.Boolean(required=True)


class Health(Schema):
    """``status`` is ``ok``; a server that cannot reach its store answers 503."""

    status = fields.String(required=True)
    store = fields.String(required=True)
    facilities = fields.Integer(required=True)
    faces = fields.Nested(Faces, required=True)


@blueprint.get("/healthz")
@open_to_all
@blueprint.response(200, Health)
def healthz() -> dict[str, Any]:
    """Is the server up?"""
    here = services()
    found = facilities.everyone(here.store)
    faces = {"engine": here.faces.name, "decides": here.faces.decides}
    store = "sqlite" if here.store.sqlite else "postgresql"
    return {"status": "ok", "store": store, "facilities": len(found), "faces": faces}
