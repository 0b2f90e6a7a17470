"""The board of the duty room (``backend.facts.board``)."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from backend.domain.posts import Post
from mobile_api.blueprint import Blueprint
from mobile_api.duties import DutyTold
from mobile_api.guard import session, signed_in
from mobile_api.services import services
from mobile_api.view_forms import nested, several, text, time, whole

blueprint = Blueprint("board", __name__, url_prefix="/v1/board", description="The board of the duty room")


class BoardShift(Schema):
    """The shift that is on."""

    name = text()
    since = time()
    until = time()


class BoardCounts(Schema):
    """How many there are of each sort."""

    overdue = whole()
    undelivered = whole()
    unconfirmed = whole()
    unacknowledged = whole()


class BoardOfficer(Schema):
    """An officer on duty, with how many duties are open and overdue that he is asked to do, alone or with others."""

    officer = text()
    number = text()
    name = text()
    posts = fields.List(fields.String(), required=True)
    shift = text()
    places = fields.List(fields.String(), required=True)
    until = time()
    open = whole()
    overdue = whole()


class BoardTold(Schema):
    """Duties of the asker's scope, up to 200 of each sort, the earliest due first. ``per_officer``: persons held for each
    officer on duty; null when nobody is."""

    at = time()
    shift = nested(BoardShift)
    overdue = several(DutyTold)
    undelivered = several(DutyTold)
    unconfirmed = several(DutyTold)
    unacknowledged = several(DutyTold)
    counts = nested(BoardCounts)
    on_duty = several(BoardOfficer)
    persons = whole()
    per_officer = fields.Float(required=True, allow_none=True)


@blueprint.get("")
@signed_in(Post.LEAD, Post.DIR, Post.PAT)
@blueprint.response(200, BoardTold)
def show_board() -> dict[str, Any]:
    """What is overdue, not received, not confirmed or not acknowledged, and who is on duty with how much."""
    here = services()
    return here.board.read(session().officer, here.clock.now())
