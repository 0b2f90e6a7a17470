"""Evidence bundles: a part of the log as one file that is checked without this installation (docs/audit.md)."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from flask import Response
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from backend.audit.evidence.export import Keys, export
from backend.audit.evidence.order import LONGEST_REASON, NothingThere, Order, Who, order
from backend.audit.evidence.scope import Scope, chosen
from backend.domain.posts import Post
from backend.identity.exclusions import left_out
from backend.kernel.clock import from_text
from backend.kernel.problems import Problem
from backend.records.forms import reference
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.services import Services, services

SQLITE = "application/vnd.sqlite3"
EXPORTERS = (Post.AUD, Post.PROC, Post.DIR)
"""Who may take evidence out."""
_PATIENCE = 20.0
_CHUNK = 64 * 1024
_DAY = 24 * 3600
_turn = threading.Lock()
"""An export reads a whole log and costs a processor: one at a time."""
blueprint = Blueprint("evidence", __name__, url_prefix="/v1/audit", description="Evidence bundles")


def _moment(text: str) -> None:
    try:
        from_text(text)
    except ValueError:
        raise ValidationError("Not a time.") from None


class ExportAsked(Schema):
    """Exactly one of ``all``, ``person``, ``terminal``, or a period (``since``, ``until`` or both), and the reason."""

    all = fields.Boolean(truthy={True}, falsy=set(), validate=validate.Equal(True))
    person = reference(required=False)
    terminal = reference(required=False)
    since = fields.String(validate=_moment, metadata={"format": "date-time"})
    until = fields.String(validate=_moment, metadata={"format": "date-time"})
    reason = fields.String(required=True, validate=[validate.Length(1, LONGEST_REASON), validate.Regexp(r"\s*\S")])

    @validates_schema
    def is_one(self, data: dict[str, Any], **_: Any) -> None:
        try:
            scope_of(data)
        except ValueError:
            raise ValidationError("Not one scope.", "until" if "until" in data else "all") from None


def scope_of(said: dict[str, Any]) -> Scope:
    """The scope that a request names. Raises ValueError when it names none or several."""
    names = ("person", "terminal", "since", "until")
    return chosen(all_=said.get("all", False), **{name: said.get(name) for name in names})


@blueprint.post("/exports")
@signed_in(*EXPORTERS, once=True)
@blueprint.arguments(ExportAsked)
@blueprint.problems(404)
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type=SQLITE)
def export_evidence(body: dict[str, Any]) -> Response:
    """Get an evidence bundle; that it was taken, by whom, of what and why, is a leaf in it."""
    here, mine = services(), session()
    with here.store.reading() as connection:
        if left_out(connection, mine.officer.facility, mine.officer.officer):
            raise Problem("role.forbidden")  # a bundle leaves nothing out of what it is of: somebody else takes it
    who = Who(mine.officer.facility, mine.officer.officer, mine.session, mine.terminal)
    try:
        ordered = order(here.door, who, scope_of(body), body["reason"])
    except NothingThere:
        raise Problem("route.unknown") from None
    file, size = _made(here, ordered)
    response = Response(_pieces(file), mimetype=SQLITE)
    response.call_on_close(file.close)
    response.content_length = size
    response.headers["Content-Disposition"] = f'attachment; filename="{ordered.export}.evidence.sqlite3"'
    return response


def keys(here: Services, facility: str) -> Keys:
    """The server's keys, for a bundle of a facility."""
    heads = here.keyring.heads
    return Keys(heads.of(facility), [(link.jwk, link.statement) for link in heads.chain(facility)])


def _made(here: Services, ordered: Order) -> tuple[BinaryIO, int]:
    """The bundle as an open file that has no name any more, and its size."""
    if not _turn.acquire(timeout=_PATIENCE):
        raise Problem("server.busy", retry_after=int(_PATIENCE))
    try:
        folder = here.settings.data / "exports"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _clean(folder)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            target = Path(place) / "bundle"
            size = export(here.store, keys(here, ordered.who.facility), ordered, target)
            return target.open("rb"), size
    except OSError:
        raise Problem("server.busy", retry_after=int(_PATIENCE)) from None
    finally:
        _turn.release()


def _clean(folder: Path) -> None:
    """Removes what a server that was killed has left."""
    for place in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process may have been quicker
            if time.time() - place.stat().st_mtime > _DAY:
                shutil.rmtree(place, ignore_errors=True)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_CHUNK):
            yield piece
