"""What an officer is to do: his duties and the windows of patrol in his wards, for the next 24 hours."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from backend.domain.posts import Post
from backend.kernel.clock import to_text
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.services import services
from mobile_api.view_forms import anything, several, text, time, whole

WHO = (Post.INT, Post.PAT, Post.DISC, Post.MED, Post.AUX, Post.LEAD, Post.DIR)
PATROLS = frozenset({Post.PAT, Post.AUX})
blueprint = Blueprint("duties", __name__, url_prefix="/v1/duties", description="What an officer is to do")


class DutyTold(Schema):
    """A duty that is not done; its fields as in its row."""

    duty = text()
    state = text()
    rule = text(allow_none=True)
    directive = text(allow_none=True)
    asks = anything(allow_none=True)
    source = text(allow_none=True)
    posts = fields.List(fields.String(), required=True)
    officer = text(allow_none=True)
    person = text(allow_none=True)
    place = text(allow_none=True)
    opens_at = time()
    due_at = time()
    loud = fields.Boolean(required=True)
    warn_at = time(allow_none=True)
    snoozed_until = time(allow_none=True)
    level = whole()
    raised = fields.List(fields.String(), required=True)


class WindowTold(Schema):
    """A window of patrol of a ward (``place``), with the rule that set its interval."""

    plan = text()
    place = text()
    opens_at = time()
    due_at = time()
    rule = text()
    state = text()


class DutiesTold(Schema):
    """Duties, the earliest due first, and windows, the earliest first."""

    at = time()
    duties = several(DutyTold)
    windows = several(WindowTold)


@blueprint.get("")
@signed_in(*WHO)
@blueprint.response(200, DutiesTold)
def list_duties() -> dict[str, Any]:
    """The duties that ask me or my posts, and, for a patrol, the windows of my wards: now and for the next 24 hours."""
    here, officer = services(), session().officer
    now = here.clock.now()
    windows = here.board.windows(officer, now) if PATROLS.intersection(officer.posts) else []
    return {"at": to_text(now), "duties": here.board.mine(officer, now), "windows": windows}
