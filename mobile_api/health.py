"""``/healthz``: whether this server can do its work."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from backend.audit.highwater import ADVICE
from backend.identity import facilities
from mobile_api.blueprint import Blueprint
from mobile_api.guard import open_to_all
from mobile_api.services import services

blueprint = Blueprint("health", __name__, description="Whether the server can do its work")


class Faces(Schema):
    """The face engine: ``dlib`` or ``null``, and whether it decides anything yet."""

    engine = fields.String(required=True)
    decides = fields.Boolean(required=True)


class Behind(Schema):
    """A facility whose log is shorter than what was signed; writing to it has stopped."""

    facility = fields.String(required=True)
    epoch = fields.Integer(required=True)
    size = fields.Integer(required=True)


class Health(Schema):
    """``status`` is ``ok``, or ``behind`` when the database is older than what was signed: reads go on, ``advice`` says
    what to do. A server that cannot reach its store answers 503.
    """

    status = fields.String(required=True)
    behind = fields.List(fields.Nested(Behind), required=True)
    advice = fields.String(required=True, allow_none=True)
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
    behind = [
        {"facility": each.facility, "epoch": each.epoch, "size": each.size}
        for each in found
        if here.highwater.behind(each.facility, each.epoch, each.size)
    ]
    return {
        "status": "behind" if behind else "ok",
        "behind": behind,
        "advice": ADVICE if behind else None,
        "store": "sqlite" if here.store.sqlite else "postgresql",
        "facilities": len(found),
        "faces": {"engine": here.faces.name, "decides": here.faces.decides},
    }
