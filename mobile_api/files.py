"""Files that belong to operations: tus 1.0.0 on the way in (https://tus.io/protocols/resumable-upload), by digest on the
way out (docs/protocol.md §6a).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from email.utils import formatdate
from functools import wraps
from typing import Any, TypeVar, cast
from uuid import UUID

from flask import Response, request
from marshmallow import Schema, fields
from werkzeug.exceptions import UnsupportedMediaType

from backend.domain.posts import READERS
from backend.files.receiving import Checksum, Piece
from backend.files.types import LARGEST, TYPES
from backend.files.uploads import Upload
from backend.kernel.clock import to_text
from backend.kernel.ids import b64, unhash
from backend.kernel.problems import Problem
from mobile_api import ranges
from mobile_api.blueprint import Blueprint
from mobile_api.guard import by_key, open_to_all, proven_key, session, signed_in
from mobile_api.pull import reading
from mobile_api.services import services

View = TypeVar("View", bound=Callable[..., Any])
VERSION = "1.0.0"
EXTENSIONS = "creation,checksum,expiration,termination"
ALGORITHMS = {"sha256": 32, "sha1": 20}
PIECE = "application/offset+octet-stream"
BYTES = "application/octet-stream"
_LONGEST = 1024
_HEX = re.compile(r"[0-9a-f]{64}")
_MOST_DIGITS = 12
blueprint = Blueprint("files", __name__, url_prefix="/v1/files", description="Files, by tus 1.0.0 and by their digest")


def _header(name: str, example: str) -> dict[str, Any]:
    return {"in": "header", "name": name, "required": True, "schema": {"type": "string", "example": example}}


_SPOKEN = _header("Tus-Resumable", VERSION)


class Begun(Schema):
    """An upload: where its bytes go, how many of them are there, when it runs out."""

    upload = fields.UUID(required=True)
    offset = fields.Integer(required=True)
    expires_at = fields.String(required=True)


def _spoken(view: View) -> View:
    """The request speaks our version of tus (after the guard, which says who asks)."""

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if request.headers.get("Tus-Resumable") != VERSION:
            raise Problem("upload.version", "Tus-Resumable")
        return view(*args, **kwargs)

    return cast(View, checked)


@blueprint.after_request
def _speaks(response: Response) -> Response:
    response.headers["Tus-Resumable"] = VERSION
    if response.status_code == 204:
        response.headers.pop("Content-Type", None)
    if response.status_code == 412:
        response.headers["Tus-Version"] = VERSION
    return response


@blueprint.route("", methods=["OPTIONS"])
@open_to_all
@blueprint.response(204)
def options() -> Response:
    """What is spoken and taken here."""
    told = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(LARGEST),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }
    return Response(status=204, headers=told)


@blueprint.route("", methods=["POST"], provide_automatic_options=False)
@by_key
@_spoken
@blueprint.doc(
    parameters=[
        _SPOKEN,
        _header("Upload-Length", "1024"),
        _header("Upload-Metadata", "digest QUFBQQ==,filetype aW1hZ2UvanBlZw=="),
    ]
)
@blueprint.problems(400, 412, 413, 415, 422)
@blueprint.response(201, Begun)
def begin() -> tuple[dict[str, Any], int, dict[str, str]]:
    """Begin the upload of a file, or find the one that was begun."""
    size, said = _number("Upload-Length"), _metadata(request.headers.get("Upload-Metadata", ""))
    if not size:
        raise Problem("field.invalid", "Upload-Length")
    made = services().uploads.begin(proven_key()[0], _digest(said), size, said.get("filetype", ""))
    body = {"upload": made.upload, "offset": made.received, "expires_at": to_text(made.expires_at)}
    return body, 201, _told(made) | {"Location": f"/v1/files/uploads/{made.upload}"}


@blueprint.route("/uploads/<uuid:upload>", methods=["HEAD"])
@by_key
@_spoken
@blueprint.doc(parameters=[_SPOKEN])
@blueprint.problems(404, 412)
@blueprint.response(204)
def ask(upload: UUID) -> Response:
    """Ask how much of an upload is kept."""
    found = services().uploads.one(proven_key()[0], str(upload))
    return Response(status=204, headers=_told(found) | {"Upload-Length": str(found.size)})


@blueprint.route("/uploads/<uuid:upload>", methods=["PATCH"])
@by_key
@_spoken
@blueprint.doc(
    parameters=[
        _SPOKEN,
        _header("Upload-Offset", "0"),
        _header("Upload-Checksum", "sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=") | {"required": False},
    ],
    requestBody={"required": True, "content": {PIECE: {"schema": {"type": "string", "format": "binary"}}}},
)
@blueprint.problems(400, 404, 412, 413, 415, 422, 423, 460)
@blueprint.response(204)
def add(upload: UUID) -> Response:
    """Add bytes to an upload; with the last one the file is verified."""
    if request.mimetype != PIECE:
        raise UnsupportedMediaType
    length = request.content_length
    if length is None:
        raise Problem("request.malformed", "Content-Length")
    request.max_content_length = LARGEST
    piece = Piece(_number("Upload-Offset"), length, request.stream.read, _checksum())
    return Response(status=204, headers=_told(services().receiver.take(proven_key()[0], str(upload), piece)))


@blueprint.route("/uploads/<uuid:upload>", methods=["DELETE"])
@by_key
@_spoken
@blueprint.doc(parameters=[_SPOKEN])
@blueprint.problems(404, 412, 423)
@blueprint.response(204)
def end(upload: UUID) -> None:
    """Throw an upload away."""
    here = services()
    here.uploads.drop(here.uploads.one(proven_key()[0], str(upload)))


@blueprint.get("/<string:digest>")
@signed_in(*READERS)
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type=BYTES)
@blueprint.problems(404, 416)
def give(digest: str) -> Response:
    """Get a file that a record in the caller's scope names, or a range of it."""
    here, mine = services(), session()
    found, file = here.attachments.open(mine.officer, digest, reading(here, mine))
    response = ranges.given(file, found.size, b64(found.digest), BYTES)
    name = f"{found.digest.hex()[:16]}.{TYPES[found.type].ending}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Roundsman-File-Type"] = found.type
    return response


def _told(upload: Upload) -> dict[str, str]:
    expires = formatdate(upload.expires_at / 1000, usegmt=True)
    return {"Upload-Offset": str(upload.received), "Upload-Expires": expires}


def _number(header: str) -> int:
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdigit()) or len(text) > _MOST_DIGITS:
        raise Problem("field.invalid", header)
    return int(text)


def _metadata(text: str) -> dict[str, str]:
    """``key base64, key base64``: what is said of the file; keys that mean nothing here are passed over."""
    found: dict[str, str] = {}
    try:
        if len(text) > _LONGEST:
            raise ValueError("too long")
        for pair in filter(None, text.split(",")):
            key, _, value = pair.strip(" ").partition(" ")
            if not key or key in found:
                raise ValueError("no key, or twice")
            found[key] = base64.b64decode(value, validate=True).decode("utf-8")
    except ValueError:
        raise Problem("request.malformed", "Upload-Metadata") from None
    return found


def _digest(said: dict[str, str]) -> bytes:
    """The SHA-256 that was promised, in hexadecimal or as an operation writes it."""
    text = said.get("digest", "")
    try:
        return bytes.fromhex(text) if _HEX.fullmatch(text) else unhash(text)
    except ValueError:
        raise Problem("field.invalid", "Upload-Metadata") from None


def _checksum() -> Checksum | None:
    text = request.headers.get("Upload-Checksum")
    if text is None:
        return None
    algorithm, _, value = text.partition(" ")
    try:
        sum_ = base64.b64decode(value, validate=True)
    except binascii.Error:
        sum_ = b""
    if len(sum_) != ALGORITHMS.get(algorithm):
        raise Problem("request.malformed", "Upload-Checksum")
    return Checksum(algorithm, sum_)
