"""Alerts for the city's duty and leaders: the ward alone, and the exact place on demand, with a reason (docs/audit.md)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from marshmallow import Schema, fields, validate

from backend.domain.posts import Post
from backend.facts.alerts import unmask
from backend.kernel.problems import Problem
from mobile_api.asking import reader
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.services import services
from mobile_api.view_forms import Page, Paged, nested, several, text, time

WATCHERS = (Post.CITY, Post.LEAD, Post.DIR)
blueprint = Blueprint("alerts", __name__, url_prefix="/v1/alerts", description="What is urgent, without persons")


class PlaceTold(Schema):
    """A place; of one that was closed only its id is left."""

    id = text()
    type = text(allow_none=True)
    code = text(allow_none=True)
    name = text(allow_none=True)


class Alert(Schema):
    """Something urgent or important, and the ward that it is in; null where the register has no place for it."""

    record = text()
    category = text()
    severity = text()
    state = text()
    reported_at = time()
    changed_at = time()
    ward = nested(PlaceTold, allow_none=True)


class AlertPage(Page):
    """Alerts of the last seven days, the last changed first."""

    alerts = several(Alert)


class Why(Schema):
    """Why the place must be known: it stands in the log for ever."""

    reason = fields.String(required=True, validate=[validate.Length(1, 500), validate.Regexp(r"\s*\S")])


class Unmasked(Alert):
    """Where it is: the place, and what it lies in, the ward first."""

    place = nested(PlaceTold, allow_none=True)
    within = several(PlaceTold)


@blueprint.get("")
@signed_in(*WATCHERS)
@blueprint.arguments(Paged, location="query")
@blueprint.response(200, AlertPage)
def list_alerts(asked: dict[str, Any]) -> dict[str, Any]:
    """What of the last days was urgent or important, and in which ward."""
    here = services()
    return here.alerts.page(session().officer.facility, here.clock.now(), asked.get("after"), asked["limit"])


@blueprint.post("/<uuid:record>/unmask")
@signed_in(*WATCHERS, once=True)
@blueprint.arguments(Why)
@blueprint.problems(404)
@blueprint.response(200, Unmasked)
def unmask_place(body: dict[str, Any], record: UUID) -> dict[str, Any]:
    """Learn where an alert is; that it was asked, by whom and why, is kept."""
    here = services()
    found = unmask(here.door, here.alerts, reader(session()), str(record), body["reason"])
    if found is None:
        raise Problem("route.unknown")
    return found
