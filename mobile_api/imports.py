"""Rosters and registers from files (docs/imports.md)."""

from __future__ import annotations

from typing import Any

from flask import request
from marshmallow import Schema, fields, validate

from backend.domain.posts import Post
from backend.imports.importer import File
from backend.imports.reading import CSV, JSON, XLSX
from backend.kernel.problems import Problem
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.services import services

blueprint = Blueprint("imports", __name__, url_prefix="/v1/imports", description="Rosters and registers from files")


class Asked(Schema):
    """``apply``: write it; ``digest``: that of the preview, without which nothing is written."""

    apply = fields.Boolean(load_default=False)
    digest = fields.String(load_default=None, validate=validate.Regexp(r"[A-Za-z0-9_-]{43}\Z"))


class Found(Schema):
    """What is wrong or remarkable in one place: a problem's code, or the mark that a record will bear."""

    row = fields.Integer(required=True)
    column = fields.String(required=True, allow_none=True)
    code = fields.String(required=True)
    zh = fields.String(required=True)
    en = fields.String(required=True)
    value = fields.String()
    detail = fields.Dict()


class Made(Schema):
    """What a row became; ``secret``: an officer's temporary one, which is told this once."""

    row = fields.Integer(required=True)
    id = fields.String(required=True)
    number = fields.String(required=True)
    secret = fields.String()


class Looked(Schema):
    """A file looked at: ``good`` rows have no errors. Of errors and of warnings the first thousand are listed."""

    digest = fields.String(required=True)
    rows = fields.Integer(required=True)
    good = fields.Integer(required=True)
    applied = fields.Boolean(required=True)
    error_count = fields.Integer(required=True)
    errors = fields.List(fields.Nested(Found), required=True)
    warning_count = fields.Integer(required=True)
    warnings = fields.List(fields.Nested(Found), required=True)
    made = fields.List(fields.Nested(Made), required=True)


_BINARY = {"schema": {"type": "string", "format": "binary"}}
_ROWS = {"schema": {"type": "array", "items": {"type": "object"}}}
_FILE = {"required": True, "content": {XLSX: _BINARY, CSV: _BINARY, JSON: _ROWS}}
_PROBLEMS = (400, 409, 413, 415, 422)


@blueprint.post("/officers")
@signed_in(Post.ADM, once=True)
@blueprint.arguments(Asked, location="query")
@blueprint.doc(requestBody=_FILE)
@blueprint.problems(*_PROBLEMS)
@blueprint.response(200, Looked)
def officers(asked: dict[str, Any]) -> dict[str, Any]:
    """Look at a roster of officers, or write it."""
    return _taken("officers", asked)


@blueprint.post("/places")
@signed_in(Post.ADM, once=True)
@blueprint.arguments(Asked, location="query")
@blueprint.doc(requestBody=_FILE)
@blueprint.problems(*_PROBLEMS)
@blueprint.response(200, Looked)
def places(asked: dict[str, Any]) -> dict[str, Any]:
    """Look at a list of places, or write it."""
    return _taken("places", asked)


@blueprint.post("/persons")
@signed_in(Post.INT, once=True)
@blueprint.arguments(Asked, location="query")
@blueprint.doc(requestBody=_FILE)
@blueprint.problems(*_PROBLEMS)
@blueprint.response(200, Looked)
def persons(asked: dict[str, Any]) -> dict[str, Any]:
    """Look at a register of persons, or write it."""
    return _taken("persons", asked)


@blueprint.post("/rosters")
@signed_in(Post.LEAD, once=True)
@blueprint.arguments(Asked, location="query")
@blueprint.doc(requestBody=_FILE)
@blueprint.problems(*_PROBLEMS)
@blueprint.response(200, Looked)
def rosters(asked: dict[str, Any]) -> dict[str, Any]:
    """Look at who serves which post on which pattern, or write it."""
    return _taken("rosters", asked)


def _taken(sort: str, asked: dict[str, Any]) -> dict[str, Any]:
    here, by = services(), session().officer
    if asked["apply"] and asked["digest"] is None:
        raise Problem("request.invalid", "digest", errors=(Problem("field.missing", "digest"),))
    file = File(here.intake.read(request), request.mimetype, request.mimetype_params.get("charset"))
    if not asked["apply"]:
        return here.importer.preview(sort, by.facility, file).document()
    return here.importer.apply(sort, by, file, asked["digest"]).document()
