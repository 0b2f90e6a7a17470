"""Rows out (docs/protocol.md §7)."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Response
from marshmallow import Schema, ValidationError, fields, validate

from backend.audit.views import readings
from backend.identity.sessions import Session
from mobile_api.asking import reader
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.services import Services, services
from sync.reading.pull import MOST_ROWS, Asked, Reading

PATH = "/v1/sync/pull"
_MOST_PARTITIONS = 20_000
_CURSORS_DOC = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}}
blueprint = Blueprint("pull", __name__, url_prefix="/v1/sync", description="Rows out")


class Cursors(fields.Field[dict[str, int]]):
    """Partition → sequence number, in one pass: a terminal sends hundreds of them with every pull.

    Names are held against the scope by the puller, which knows it.
    """

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, int]:  # noqa: ARG002
        if type(value) is not dict or len(value) > _MOST_PARTITIONS:
            raise ValidationError("Not cursors by partition.")
        cursors = value.values()
        if not value:
            return value
        if set(map(type, cursors)) != {int} or min(cursors) < 0 or max(cursors) >= 2**53:
            raise ValidationError("Not a partition with its cursor.")
        return value


class Pull(Schema):
    """Which partitions the terminal holds, each up to which sequence number, and of which epoch."""

    epoch = fields.Integer(strict=True, validate=validate.Range(1, 2**31 - 1))
    partitions = Cursors(required=True, metadata=_CURSORS_DOC)
    limit = fields.Integer(strict=True, required=True, validate=validate.Range(1, MOST_ROWS))
    snapshots = fields.Boolean(truthy={True}, falsy={False})


REQUEST = Pull()


class PulledPartition(Schema):
    """Rows of one partition in their order; ``cursor`` is what the terminal now holds it up to.

    ``present`` and ``digest`` come when that is up to date; ``reset``: throw away what you hold of it first.
    """

    partition = fields.String(required=True)
    cursor = fields.Integer(required=True)
    present = fields.Integer()
    digest = fields.String()
    reset = fields.Boolean()
    rows = fields.List(fields.Dict(), required=True)


class Pulled(Schema):
    """News of the caller's scope; ``snapshots`` are to be taken whole; ``gone`` has left the scope."""

    epoch = fields.Integer(required=True)
    at = fields.Integer(required=True)
    more = fields.Boolean(required=True)
    partitions = fields.List(fields.Nested(PulledPartition), required=True)
    snapshots = fields.List(fields.String(), required=True)
    gone = fields.List(fields.String(), required=True)
    head = fields.String(required=True)
    time = fields.String(required=True)


@blueprint.post("/pull")
@signed_in()
@blueprint.arguments(REQUEST)
@blueprint.response(200, Pulled)
def pull(body: dict[str, Any]) -> Response:
    """Pull what is new in the caller's scope."""  # most come by mobile_api.front
    return Response(answer(services(), session(), body), mimetype="application/json")


def reading(here: Services, caller: Session) -> Reading:
    """What keeps that the caller is given medical rows."""
    return partial(readings.note_medical, here.door, reader(caller))


def answer(here: Services, caller: Session, body: dict[str, Any]) -> bytes:
    """The answer's JSON to a body that REQUEST has found right."""
    asked = Asked(body["partitions"], body["limit"], body.get("epoch"), body.get("snapshots", False))
    page = here.puller.pull(caller.officer, asked, here.clock.now(), reading(here, caller))
    here.sightings.hear(caller, page)
    return page
