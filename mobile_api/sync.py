"""Push and pull (docs/protocol.md §6, §7)."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, request
from marshmallow import Schema, ValidationError, fields, validate
from werkzeug.exceptions import UnsupportedMediaType

from backend.kernel import failpoints
from backend.kernel.framing import MAX_BODY
from backend.kernel.problems import Problem
from mobile_api.blueprint import Blueprint
from mobile_api.guard import by_push_proof, session, signed_in
from mobile_api.services import services
from sync.pull import MOST_ROWS

FRAMES = "application/vnd.roundsman.frames"
_PARTITION = re.compile(r"(place|person)/[0-9a-f-]{36}/[a-z]{1,16}\Z")
_MOST_PARTITIONS = 20_000
_CURSORS_DOC = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}}
blueprint = Blueprint("sync", __name__, url_prefix="/v1/sync", description="Operations in, rows out")


class Cursors(fields.Field[dict[str, int]]):
    """Partition → sequence number, in one pass: a terminal sends hundreds of them with every pull."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, int]:  # noqa: ARG002
        if type(value) is not dict or len(value) > _MOST_PARTITIONS:
            raise ValidationError("Not cursors by partition.")
        for partition, cursor in value.items():
            if type(cursor) is not int or not 0 <= cursor < 2**53 or not _PARTITION.match(partition):
                raise ValidationError({partition: ["Not a partition with its cursor."]})
        return value


class Pull(Schema):
    """Which partitions the terminal holds, each up to which sequence number."""

    partitions = Cursors(required=True, metadata=_CURSORS_DOC)
    limit = fields.Integer(strict=True, required=True, validate=validate.Range(1, MOST_ROWS))


class PulledPartition(Schema):
    """Rows of one partition in their order; ``cursor`` is what the terminal now holds it up to."""

    partition = fields.String(required=True)
    cursor = fields.Integer(required=True)
    rows = fields.List(fields.Dict(), required=True)


class Pulled(Schema):
    """News of the caller's scope; ``gone`` has left it."""

    epoch = fields.Integer(required=True)
    at = fields.Integer(required=True)
    more = fields.Boolean(required=True)
    partitions = fields.List(fields.Nested(PulledPartition), required=True)
    gone = fields.List(fields.String(), required=True)
    head = fields.String(required=True)
    time = fields.String(required=True)


class Pushed(Schema):
    """One outcome for each operation of the push, in its order."""

    terminal = fields.String(required=True)
    incarnation = fields.Integer(required=True)
    epoch = fields.Integer(required=True)
    next = fields.Integer(required=True)
    outcomes = fields.List(fields.Dict(), required=True)
    head = fields.String(required=True)
    time = fields.String(required=True)


_FRAMES_DOC = {"required": True, "content": {FRAMES: {"schema": {"type": "string", "format": "binary"}}}}


@blueprint.post("/push")
@by_push_proof
@blueprint.doc(requestBody=_FRAMES_DOC)
@blueprint.response(200, Pushed)
def push() -> Response:
    """Push framed operations. The same push again gets the same outcomes."""
    if request.mimetype != FRAMES:
        raise UnsupportedMediaType
    if (request.content_length or 0) > MAX_BODY:
        raise Problem("batch.too_large", limit=MAX_BODY)
    body = services().pusher.push(request.headers.get("Roundsman-Proof"), services().intake.read(request))
    failpoints.hit("answer.before_send")
    return Response(body, mimetype="application/json")


@blueprint.post("/pull")
@signed_in()
@blueprint.arguments(Pull)
@blueprint.response(200, Pulled)
def pull(body: dict[str, Any]) -> Response:
    """Pull what is new in the caller's scope."""
    here = services()
    page = here.puller.pull(session().officer, body["partitions"], body["limit"], here.clock.now())
    return Response(page, mimetype="application/json")
