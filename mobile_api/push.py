"""Operations in, and their outcomes by number (docs/protocol.md §6)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Response, request
from marshmallow import Schema, fields, validate
from werkzeug.exceptions import UnsupportedMediaType

from backend.kernel import failpoints
from backend.kernel.framing import MAX_BODY, MAX_OPERATIONS
from backend.kernel.problems import Problem
from mobile_api.blueprint import Blueprint
from mobile_api.guard import by_key, by_push_proof, proven_key
from mobile_api.services import services
from sync.writing.leaving import KEEP, WIPE

FRAMES = "application/vnd.roundsman.frames"
SEALED = "application/vnd.roundsman.sealed-frames"
PATH = "/v1/sync/push"
blueprint = Blueprint("push", __name__, url_prefix="/v1/sync", description="Operations in")


class Pushed(Schema):
    """Outcomes by number, one for each operation of a push; and where the chain stands."""

    terminal = fields.String(required=True)
    incarnation = fields.Integer(required=True)
    epoch = fields.Integer(required=True)
    next = fields.Integer(required=True)
    missing = fields.List(fields.List(fields.Integer()), required=True)
    safe_upto = fields.Integer(required=True)
    outcomes = fields.List(fields.Dict(), required=True)
    head = fields.String(required=True)
    time = fields.String(required=True)


class Evacuated(Pushed):
    """The same; ``order`` is ``keep`` once everything that was captured has come, ``wipe`` once a verified backup has it."""

    order = fields.String(required=True, allow_none=True, validate=validate.OneOf([KEEP, WIPE]))


class Numbers(Schema):
    """Numbers of an incarnation of the terminal."""

    incarnation = fields.Integer(required=True, strict=True, validate=validate.Range(1, 2**31 - 1))
    numbers = fields.List(
        fields.Integer(required=True, strict=True, validate=validate.Range(1, 2**53 - 1)),
        required=True,
        validate=validate.Length(max=MAX_OPERATIONS),
    )


_FRAMES_DOC = {
    "required": True,
    "content": {each: {"schema": {"type": "string", "format": "binary"}} for each in (FRAMES, SEALED)},
}


@blueprint.post("/push")
@by_push_proof
@blueprint.doc(requestBody=_FRAMES_DOC)
@blueprint.problems(422, 426, 429)
@blueprint.response(200, Pushed)
def push() -> Response:
    """Push framed operations. The same push again gets the same outcomes."""  # most come by mobile_api.front
    return _taken(services().pusher.push)


@blueprint.post("/evacuate")
@by_push_proof
@blueprint.doc(requestBody=_FRAMES_DOC)
@blueprint.problems(422, 429)
@blueprint.response(200, Evacuated)
def evacuate() -> Response:
    """Hand in the queue of a revoked terminal."""
    return _taken(services().pusher.evacuate)


def _taken(take: Callable[..., bytes]) -> Response:
    if request.mimetype not in (FRAMES, SEALED):
        raise UnsupportedMediaType
    if (request.content_length or 0) > MAX_BODY:
        raise Problem("batch.too_large", limit=MAX_BODY)
    read = partial(request.get_data, cache=False)
    told = take(request.headers.get("Roundsman-Proof"), read, sealed=request.mimetype == SEALED)
    failpoints.hit("answer.before_send")
    return Response(told, mimetype="application/json")


@blueprint.post("/outcomes")
@by_key
@blueprint.arguments(Numbers)
@blueprint.response(200, Pushed)
def outcomes(body: dict[str, Any]) -> Response:
    """Read the stored outcomes of operations by their numbers."""
    told = services().outcomes.read(proven_key()[0], body["incarnation"], body["numbers"])
    return Response(told, mimetype="application/json")
