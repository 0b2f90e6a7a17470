"""Who is on duty (docs/shifts.md)."""

from __future__ import annotations

from datetime import date
from typing import Any

from marshmallow import Schema, fields, validate

from backend.domain.posts import READERS, Post
from backend.domain.shift_words import ROSTERED
from backend.facts.rota import RANKS
from backend.records.forms import reference
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.services import services
from mobile_api.view_forms import nested, several, text, time, whole

blueprint = Blueprint("rosters", __name__, url_prefix="/v1/roster", description="Who is on duty")


_FIRST, _LAST = date(2000, 1, 1), date(2099, 12, 31)


def _day(**options: Any) -> fields.Date:
    return fields.Date(**{"required": True, **options}, validate=validate.Range(_FIRST, _LAST))


class Days(Schema):
    """From which day to which, in Beijing, both included; at most 62."""

    first = _day(data_key="from")
    last = _day(data_key="to")


class RosterDay(Schema):
    """A day. ``known`` false: its year has not been announced, and only its weekday speaks."""

    day = text()
    sort = text()
    known = fields.Boolean(required=True)


class RosterShift(Schema):
    """From one change of shift to the next."""

    name = text()
    since = time()
    until = time()


class RosterStint(RosterShift):
    """An officer at a post. ``places``: what he answers for, none: all; ``instead``: for whom he serves."""

    name = text(allow_none=True)
    officer = text()
    number = text(allow_none=True)
    post = text()
    places = fields.List(fields.String(), required=True)
    shift = text()
    acting = fields.Boolean(required=True)
    instead = text(allow_none=True)


class RosterClash(Schema):
    """Hours in which an officer is on two rosters: the shift that he serves, and the one that waits until it ends."""

    officer = text()
    number = text(allow_none=True)
    name = text(allow_none=True)
    stands = text()
    yields = text()
    since = time()
    until = time()


class RosterTold(Schema):
    """``known`` false: nobody is on a roster, so that all officers serve all their posts."""

    known = fields.Boolean(required=True)
    days = several(RosterDay)
    shifts = several(RosterShift)
    stints = several(RosterStint)
    clashes = several(RosterClash)


class OnDuty(Schema):
    """Who is on duty at a moment."""

    at = time()
    known = fields.Boolean(required=True)
    shift = nested(RosterShift)
    on_duty = several(RosterStint)


class Where(Schema):
    """To which place, and who of those on duty: at which post; absent: at any."""

    place = reference()
    post = fields.String(validate=validate.OneOf(tuple(ROSTERED)))


class OfficerNear(Schema):
    """An officer on duty. ``steps``: in the same ward, by how many places of the walk; ``scanned``: where he scanned a tag
    last, null where that is too long ago to say anything."""

    officer = text()
    number = text(allow_none=True)
    name = text(allow_none=True)
    post = text()
    near = fields.String(required=True, validate=validate.OneOf(RANKS))
    steps = whole()
    scanned_at = time(allow_none=True)
    scanned = text(allow_none=True)


class OfficersNear(Schema):
    """Officers on duty, the nearest first."""

    at = time()
    officers = several(OfficerNear)


@blueprint.get("")
@signed_in(*READERS)
@blueprint.arguments(Days, location="query")
@blueprint.response(200, RosterTold)
def of_days(asked: dict[str, Any]) -> dict[str, Any]:
    """Who serves when in some days."""
    return services().rota.page(session().officer.facility, asked["first"], asked["last"])


@blueprint.get("/now")
@signed_in(*READERS)
@blueprint.response(200, OnDuty)
def present() -> dict[str, Any]:
    """Who is on duty now."""
    here = services()
    return here.rota.present(session().officer.facility, here.clock.now())


@blueprint.get("/nearest")
@signed_in(Post.LEAD, Post.DIR)
@blueprint.arguments(Where, location="query")
@blueprint.response(200, OfficersNear)
def near(asked: dict[str, Any]) -> dict[str, Any]:
    """Who on duty is nearest to a place, by the tags that were scanned last."""
    here, posts = services(), (asked["post"],) if "post" in asked else ()
    return here.rota.near(session().officer.facility, here.clock.now(), posts, asked["place"])
