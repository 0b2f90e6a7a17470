"""Founding another facility of this installation (docs/operations.md)."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from backend.domain.posts import FACILITY_TYPES, Post
from backend.identity import facilities
from backend.identity.staff import Candidate
from backend.kernel.ids import FACILITY
from backend.kernel.problems import Problem
from backend.records.forms import choice, word
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.officers import StaffSecret
from mobile_api.services import services
from mobile_api.terminals import FacilityNamed
from mobile_api.view_forms import nested

blueprint = Blueprint(
    "facilities", __name__, url_prefix="/v1/facilities", description="Facilities of this installation"
)


class FirstAdministrator(Schema):
    """The number and name of the first administrator."""

    number = word(32)
    name = word(80)


class FacilityWanted(Schema):
    """A facility that is to be founded."""

    id = fields.String(required=True, validate=validate.Regexp(rf"{FACILITY.pattern}\Z"))
    name = word(80)
    type = choice(FACILITY_TYPES)
    administrator = nested(FirstAdministrator)


class FacilityFounded(Schema):
    """The facility; its first administrator with the temporary secret that is shown this once."""

    facility = nested(FacilityNamed)
    administrator = nested(StaffSecret)


@blueprint.post("")
@signed_in(Post.ADM, once=True)
@blueprint.arguments(FacilityWanted)
@blueprint.response(201, FacilityFounded)
def found(body: dict[str, Any]) -> dict[str, Any]:
    """Found another facility. Administrators of the home facility alone may; they have no part in it afterwards."""
    here, by = services(), session().officer
    if by.facility != here.settings.home_facility:
        raise Problem("role.forbidden")
    first = Candidate(body["administrator"]["number"], body["administrator"]["name"], (Post.ADM,))
    facts = (body["id"], body["name"], body["type"])
    made = facilities.found_from(here.door, by, facts, first, here.keyring.head)
    named = {"id": made.officer, "number": made.number, "name": made.name, "posts": list(made.posts)}
    told = {"id": body["id"], "name": body["name"], "type": body["type"]}
    return {"facility": told, "administrator": {"officer": named, "secret": made.secret}}
