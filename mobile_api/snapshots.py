"""Partitions whole, compressed, given in as many parts as the signal allows (docs/protocol.md §7)."""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from backend.domain.posts import READERS
from mobile_api import ranges
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.pull import reading
from mobile_api.services import services

GZIP = "application/gzip"
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
    here, mine = services(), session()
    found, file = here.snapshots.open(mine.officer, snapshot, reading(here, mine))
    return ranges.given(file, found.size, found.sha256, GZIP)
