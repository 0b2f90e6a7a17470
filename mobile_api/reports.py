"""What terminals say of themselves: app, battery, storage, queue, clock (docs/audit.md)."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields

from backend.identity import reports, terminals
from backend.records.forms import is_moment, moment, whole, word
from mobile_api.blueprint import Blueprint
from mobile_api.guard import by_key, proven_key
from mobile_api.services import services

_MOST_BYTES = 2**53 - 1
blueprint = Blueprint("reports", __name__, url_prefix="/v1/terminals", description="What terminals say of themselves")


def _moment(**options: Any) -> fields.String:
    made = moment(**options)
    made.validators.append(_there_is)
    return made


def _there_is(text: str) -> None:
    if not is_moment(text):
        raise ValidationError("No such time.")


class Report(Schema):
    """What a terminal says of itself; all of it is claimed. ``null``: the device does not tell."""

    app = word(40)
    platform = word(80)
    battery = whole(0, 100, allow_none=True)
    charging = fields.Boolean(required=True, allow_none=True, truthy={True}, falsy={False})
    storage_used = whole(0, _MOST_BYTES, allow_none=True)
    storage_quota = whole(0, _MOST_BYTES, allow_none=True)
    persisted = fields.Boolean(required=True, allow_none=True, truthy={True}, falsy={False})
    queue = whole(0, _MOST_BYTES)
    oldest_waiting = _moment(allow_none=True)
    clock = _moment()


@blueprint.put("/current/report")
@by_key
@blueprint.arguments(Report)
@blueprint.problems(429)
@blueprint.response(204)
def report(body: dict[str, Any]) -> None:
    """Keep what the terminal says of itself in place of what it said before."""
    here = services()
    reports.keep(here.door, terminals.by_thumbprint(here.store, proven_key()[0]), body)
