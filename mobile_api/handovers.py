"""What a handover begins with, and what has happened since an officer was last here (``backend.facts.handovers``)."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from backend.kernel.clock import from_text
from backend.kernel.problems import Problem
from backend.records.forms import is_moment, moment, reference
from mobile_api.blueprint import Blueprint
from mobile_api.duties import WHO, DutyTold
from mobile_api.guard import session, signed_in
from mobile_api.services import services
from mobile_api.view_forms import anything, nested, several, text, time, whole

blueprint = Blueprint("handovers", __name__, url_prefix="/v1", description="Handovers, and what happened meanwhile")


class OfWard(Schema):
    """Of which ward; absent: of all that the officer is given."""

    place = reference(required=False)


class PersonTold(Schema):
    """A person to look after."""

    person = text()
    number = text()
    name = text(allow_none=True)
    cell = text(allow_none=True)
    risk = text(allow_none=True)


class SickTold(PersonTold):
    """The same, with the categories of the reports of the last 48 hours."""

    categories = fields.List(fields.String(), required=True)


class CellExpected(Schema):
    """How many the register has in a cell."""

    place = text()
    expected = whole()


class HandoverDraft(Schema):
    """What a handover begins with; its officer adds his words."""

    place = text(allow_none=True)
    since = time()
    until = time()
    duties = several(DutyTold)
    risks = several(PersonTold)
    sick = several(SickTold)
    counts = several(CellExpected)


class SinceAsked(Schema):
    """Since when; absent: since the officer's last stint ended."""

    since = moment(required=False)


class HandoverTold(Schema):
    """A handover of the officer's scope."""

    handover = text()
    state = text()
    sort = text()
    place = text(allow_none=True)
    since = time()
    until = time()
    outgoing = text()
    incoming = text(allow_none=True)
    words = text(allow_none=True)


class PersonsMoved(Schema):
    """Persons of the scope."""

    came = whole()
    left = whole()
    changed = whole()


class ChangeTold(Schema):
    """A record that has changed: its present version."""

    record = text()
    kind = text()
    state = text()
    version = whole()
    person = text(allow_none=True)
    place = text(allow_none=True)
    at = time()
    received_at = time()
    by = anything()
    marks = fields.List(fields.String(), required=True)


class Meanwhile(Schema):
    """One page; at most seven days back."""

    since = time()
    until = time()
    handovers = several(HandoverTold)
    missed = several(DutyTold)
    open = several(DutyTold)
    persons = nested(PersonsMoved)
    kinds = fields.Dict(required=True)
    changes = several(ChangeTold)


@blueprint.get("/handover/draft")
@signed_in(*WHO)
@blueprint.arguments(OfWard, location="query")
@blueprint.response(200, HandoverDraft)
def draft_handover(asked: dict[str, Any]) -> dict[str, Any]:
    """The duties, persons and numbers that a handover begins with."""
    here = services()
    return here.handovers.draft(session().officer, here.clock.now(), asked.get("place"))


@blueprint.get("/since")
@signed_in(*WHO)
@blueprint.arguments(SinceAsked, location="query")
@blueprint.response(200, Meanwhile)
def show_since(asked: dict[str, Any]) -> dict[str, Any]:
    """What has happened since I was last here, on one page."""
    here, since = services(), asked.get("since")
    if since is not None and not is_moment(since):
        raise Problem("request.invalid", errors=(Problem("field.invalid", "since"),))
    began = None if since is None else from_text(since)
    return here.handovers.since(session().officer, here.clock.now(), began)
