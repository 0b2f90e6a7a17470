"""Partitions whole, compressed, given in as many parts as the signal allows (docs/protocol.md §7)."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, request
from marshmallow import Schema, fields, validate

from backend.domain.posts import READERS
from backend.kernel.problems import Problem
from mobile_api import problems
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.services import services
from sync.reading.snapshots import pieces

GZIP = "application/gzip"
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))\Z", re.ASCII)
blueprint = Blueprint("snapshots", __name__, url_prefix="/v1/sync/snapshots", description="Partitions whole")


class SnapshotWanted(Schema):
    """Which partition."""

    partition = fields.String(required=True, validate=validate.Length(1, 80))


class SnapshotMade(Schema):
    """A snapshot: it has all rows up to ``cursor``; ``sha256`` is over the compressed bytes."""

    snapshot = fields.String(required=True)
    partition = fields.String(required=True)
    cursor = fields.Integer(required=True)
    present = fields.Integer(required=True)
    digest = fields.String(required=True)
    size = fields.Integer(required=True)
    sha256 = fields.String(required=True)


@blueprint.post("")
@signed_in(*READERS)
@blueprint.arguments(SnapshotWanted)
@blueprint.response(201, SnapshotMade)
def make(body: dict[str, Any]) -> dict[str, Any]:
    """Have a snapshot of a partition made, or get the one that is there."""
    return services().snapshots.make(session().officer, body["partition"]).public()


@blueprint.get("/<string:snapshot>")
@signed_in(*READERS)
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type=GZIP)
@blueprint.problems(404, 416)
def give(snapshot: str) -> Response:
    """Get a snapshot's bytes, or a range of them."""
    found, file = services().snapshots.open(session().officer, snapshot)
    span = _span(request.headers.get("Range"), found.size)
    if span is None:
        file.close()
        refused = problems.answer(Problem("range.invalid", "Range"))
        refused.headers["Content-Range"] = f"bytes */{found.size}"
        return refused
    first, count = span
    response = Response(pieces(file, first, count), mimetype=GZIP)
    response.call_on_close(file.close)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["ETag"] = f'"{found.sha256}"'
    response.content_length = count
    if count != found.size:
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {first}-{first + count - 1}/{found.size}"
    return response


def _span(asked: str | None, size: int) -> tuple[int, int] | None:
    """The first byte and the number of bytes that are wanted (RFC 9110 §14); None: no such range.

    Several ranges at once are answered by the whole, as the RFC allows.
    """
    if asked is None or "," in asked:
        return 0, size
    said = _RANGE.match(asked)
    if said is None:
        return None
    first, last, tail = said.groups()
    if tail is not None:
        count = min(int(tail), size)
        return (size - count, count) if count else None
    begin, end = int(first), min(int(last) + 1 if last else size, size)
    return (begin, end - begin) if begin < end else None
