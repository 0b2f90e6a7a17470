"""``/healthz``: whether this server can do its work."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from backend.audit import alarms
from backend.audit.highwater import ADVICE
from backend.identity import facilities
from backend.kernel.certificates import Unreadable
from backend.kernel.clock import to_text
from mobile_api.blueprint import Blueprint
from mobile_api.guard import open_to_all
from mobile_api.install import certificate_of
from mobile_api.services import Services, services

WARN_DAYS = 30
RENEW = "The certificate ends soon: start the server again (make run TLS=host makes a fresh one), or install another."
LISTEN = (
    "Terminals were shown heads of the log that do not agree, and have stopped: flask alarm list (docs/operations.md)."
)
UNREADABLE = "ROUNDSMAN_CERTIFICATE names a file that cannot be read as a chain of certificates."
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


class Tls(Schema):
    """The certificate that is shown: for which host, until when, whole days until then. ``advice`` says what to do when
    fewer than 30 are left, or when its file cannot be read and the rest is null.
    """

    host = fields.String(required=True, allow_none=True)
    not_after = fields.String(required=True, allow_none=True)
    days_left = fields.Integer(required=True, allow_none=True)
    advice = fields.String(required=True, allow_none=True)


class Health(Schema):
    """``status`` is ``ok``; ``behind`` when the database is older than what was signed: reads go on; else ``alarmed`` when
    terminals were shown heads that do not agree, and nobody has settled it (``alarms``: how many). ``advice`` says what
    to do. ``tls`` is null where the server was told of no certificate; that one is ending changes no status. A server
    that cannot reach its store answers 503.
    """

    status = fields.String(required=True)
    behind = fields.List(fields.Nested(Behind), required=True)
    alarms = fields.Integer(required=True)
    advice = fields.String(required=True, allow_none=True)
    store = fields.String(required=True)
    facilities = fields.Integer(required=True)
    faces = fields.Nested(Faces, required=True)
    tls = fields.Nested(Tls, required=True, allow_none=True)


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
    alarmed = alarms.count(here.store)
    return {
        "status": "behind" if behind else "alarmed" if alarmed else "ok",
        "behind": behind,
        "alarms": alarmed,
        "advice": ADVICE if behind else LISTEN if alarmed else None,
        "store": "sqlite" if here.store.sqlite else "postgresql",
        "facilities": len(found),
        "faces": {"engine": here.faces.name, "decides": here.faces.decides},
        "tls": _tls(here),
    }


def _tls(here: Services) -> dict[str, Any] | None:
    try:
        found = certificate_of(here.settings)
    except Unreadable:
        return {"host": None, "not_after": None, "days_left": None, "advice": UNREADABLE}
    if found is None:
        return None
    days = found.days_left(here.clock.now())
    advice = RENEW if days < WARN_DAYS else None
    return {"host": found.host, "not_after": to_text(found.not_after), "days_left": days, "advice": advice}
