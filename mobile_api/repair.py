"""Digests, and the way from one that differs to the rows behind it (docs/protocol.md §8)."""

from __future__ import annotations

import re
from typing import Any

from flask import Response
from marshmallow import Schema, ValidationError, fields, validate

from backend.domain.posts import READERS
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.pull import reading
from mobile_api.services import services
from sync.digests import BUCKETS
from sync.reading.repair import MOST_ROWS

_MOST_PARTITIONS = 20_000
_LARGEST = 2**53 - 1
_DIGEST = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
blueprint = Blueprint("repair", __name__, url_prefix="/v1/sync", description="Digests and repair")


class HeldPartitions(fields.Field[dict[str, tuple[int, str]]]):
    """Partition → ``{cursor, digest}``, in one pass."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        if type(value) is not dict or len(value) > _MOST_PARTITIONS:
            raise ValidationError("Not digests by partition.")
        found = {}
        for name, held in value.items():
            if type(held) is not dict or held.keys() != {"cursor", "digest"}:
                raise ValidationError("Not a cursor with a digest.")
            cursor, digest = held["cursor"], held["digest"]
            right = type(cursor) is int and 0 <= cursor <= _LARGEST and type(digest) is str and _DIGEST.match(digest)
            if not right or len(name) > 80:
                raise ValidationError("Not a cursor with a digest.")
            found[name] = (cursor, digest)
        return found


_HELD_DOC = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["cursor", "digest"],
        "additionalProperties": False,
        "properties": {
            "cursor": {"type": "integer", "minimum": 0, "maximum": _LARGEST},
            "digest": {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"},
        },
    },
}


def _partition() -> fields.String:
    return fields.String(required=True, validate=validate.Length(1, 80))


class Held(Schema):
    """The digests of partitions as the terminal has them."""

    partitions = HeldPartitions(required=True, metadata=_HELD_DOC)


class Compared(Schema):
    """Partitions that differ, those that have news, and those that have left the scope."""

    at = fields.Integer(required=True)
    differ = fields.List(fields.String(), required=True)
    stale = fields.List(fields.String(), required=True)
    gone = fields.List(fields.String(), required=True)


class PartitionAsked(Schema):
    """Which partition."""

    partition = _partition()


class Buckets(Schema):
    """The digest of each bucket of a partition."""

    partition = fields.String(required=True)
    cursor = fields.Integer(required=True)
    present = fields.Integer(required=True)
    sums = fields.List(fields.String(), required=True)


class EntriesAsked(Schema):
    """Which buckets of which partition; ``cursor``: up to where the terminal holds it."""

    partition = _partition()
    cursor = fields.Integer(strict=True, required=True, validate=validate.Range(0, _LARGEST))
    buckets = fields.List(
        fields.Integer(strict=True, validate=validate.Range(0, BUCKETS - 1)),
        required=True,
        validate=validate.Length(1, BUCKETS),
    )


class Entries(Schema):
    """What is in the buckets: [id, first eight characters of the row's term]."""

    partition = fields.String(required=True)
    cursor = fields.Integer(required=True)
    entries = fields.List(fields.List(fields.String()), required=True)


class RowsAsked(Schema):
    """Which rows of which partition."""

    partition = _partition()
    ids = fields.List(
        fields.String(validate=validate.Regexp(_ID)), required=True, validate=validate.Length(1, MOST_ROWS)
    )


class RowsFound(Schema):
    """The rows, as a pull gives them."""

    partition = fields.String(required=True)
    cursor = fields.Integer(required=True)
    rows = fields.List(fields.Dict(), required=True)


@blueprint.post("/digests")
@signed_in()
@blueprint.arguments(Held)
@blueprint.response(200, Compared)
def digests(body: dict[str, Any]) -> Response:
    """Compare digests of partitions."""
    here = services()
    return _json(here.repairer.digests(session().officer, body["partitions"], here.clock.now()))


@blueprint.post("/buckets")
@signed_in(*READERS)
@blueprint.arguments(PartitionAsked)
@blueprint.response(200, Buckets)
def buckets(body: dict[str, Any]) -> Response:
    """Get the digests of a partition's buckets."""
    here = services()
    return _json(here.repairer.buckets(session().officer, body["partition"], here.clock.now()))


@blueprint.post("/entries")
@signed_in(*READERS)
@blueprint.arguments(EntriesAsked)
@blueprint.response(200, Entries)
def entries(body: dict[str, Any]) -> Response:
    """Get what is in some buckets of a partition."""
    here = services()
    return _json(here.repairer.entries(session().officer, body["partition"], body["buckets"], here.clock.now()))


@blueprint.post("/rows")
@signed_in(*READERS)
@blueprint.arguments(RowsAsked)
@blueprint.response(200, RowsFound)
def rows(body: dict[str, Any]) -> Response:
    """Get rows of a partition by their ids."""
    here = services()
    mine = session()
    noted = reading(here, mine)
    return _json(here.repairer.rows(mine.officer, body["partition"], body["ids"], here.clock.now(), noted))


def _json(said: bytes) -> Response:
    return Response(said, mimetype="application/json")
