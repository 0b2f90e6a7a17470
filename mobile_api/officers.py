"""Officers, their wards and rights, for administrators (docs/operations.md)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from backend.domain.posts import HELD, Post
from backend.identity import assignments, officers, staff
from backend.identity.assignments import Period
from backend.identity.officers import UnknownOfficer
from backend.identity.staff import Candidate
from backend.kernel.clock import from_text, to_text
from backend.kernel.problems import Problem
from backend.records.forms import is_moment, listed, moment, reference, word
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.services import services
from mobile_api.sessions import OfficerNamed
from mobile_api.view_forms import Page, Paged, nested, several, text, time

MOST_PLACES = 50
blueprint = Blueprint("officers", __name__, url_prefix="/v1/officers", description="Officers, their wards and rights")


@contextmanager
def _addressed() -> Iterator[None]:
    """An officer who is not there is an address at which there is nothing."""
    try:
        yield
    except UnknownOfficer:
        raise Problem("route.unknown") from None


def _posts(**options: Any) -> fields.List[Any]:
    return listed(fields.String(validate=validate.OneOf(HELD)), len(HELD), 1, **options)


class StaffMember(OfficerNamed):
    """An officer. ``temporary``: he has not changed the secret that he was given yet; ``revoked_at``: null while he may
    work."""

    temporary = fields.Boolean(required=True)
    revoked_at = time(allow_none=True)


class Staff(Page):
    """The facility's officers by their numbers, those who are revoked among them."""

    officers = several(StaffMember)


class StaffAdded(Schema):
    """Who is to be added; ``places``: what he is responsible for from now on."""

    number = word(32)
    name = word(80)
    posts = _posts()
    places = listed(reference(), MOST_PLACES, required=False)


class StaffSecret(Schema):
    """An officer, and the temporary secret that is shown this once; he must change it first of all."""

    officer = nested(OfficerNamed)
    secret = text()


class StaffChange(Schema):
    """Another name, other posts, or both."""

    name = word(80, required=False)
    posts = _posts(required=False)


class SecretMade(Schema):
    """The temporary secret, shown this once."""

    secret = text()


class PlaceGiven(Schema):
    """The place, usually a ward, that an officer is made responsible for; from now on and without an end, if none is named."""

    place = reference()
    since = moment(required=False)
    until = moment(required=False)

    @validates_schema
    def are_moments(self, data: dict[str, Any], **_: Any) -> None:
        """There is such a day and such an hour."""
        for name in ("since", "until"):
            if name in data and not is_moment(data[name]):
                raise ValidationError("not a moment", name)


class AssignmentGiven(Schema):
    """A place, from ``since`` on, up to but not including ``until`` (null: it lasts)."""

    place = text()
    since = time()
    until = time(allow_none=True)


class AssignmentsGiven(Schema):
    """What an officer ever had and will have, the oldest first."""

    assignments = several(AssignmentGiven)


@blueprint.get("")
@signed_in(Post.ADM)
@blueprint.arguments(Paged, location="query")
@blueprint.response(200, Staff)
def list_officers(asked: dict[str, Any]) -> dict[str, Any]:
    """The facility's officers."""
    with services().store.reading() as connection:
        found, then = staff.page(connection, session().officer.facility, asked.get("after"), asked["limit"])
    told = [
        each.officer.public()
        | {"temporary": each.temporary, "revoked_at": None if each.revoked_at is None else to_text(each.revoked_at)}
        for each in found
    ]
    return {"officers": told, "after": then}


@blueprint.post("")
@signed_in(Post.ADM, once=True)
@blueprint.arguments(StaffAdded)
@blueprint.response(201, StaffSecret)
def add(body: dict[str, Any]) -> dict[str, Any]:
    """Add an officer with a temporary secret."""
    by = session().officer
    new = staff.register(services().door, by.facility, Candidate(**body), by.officer)
    named = {"id": new.officer, "number": new.number, "name": new.name, "posts": list(new.posts)}
    return {"officer": named, "secret": new.secret}


@blueprint.patch("/<uuid:officer>")
@signed_in(Post.ADM, once=True)
@blueprint.arguments(StaffChange)
@blueprint.problems(404)
@blueprint.response(204)
def change(body: dict[str, Any], officer: UUID) -> None:
    """Correct an officer's name, or give him other posts from now on."""
    by = session().officer
    with _addressed():
        staff.change(services().door, by.facility, str(officer), by.officer, **body)


@blueprint.post("/<uuid:officer>/secret")
@signed_in(Post.ADM, once=True)
@blueprint.problems(404)
@blueprint.response(200, SecretMade)
def reset_secret(officer: UUID) -> dict[str, Any]:
    """Give an officer who has forgotten his secret a temporary one; his sessions end."""
    by = session().officer
    with _addressed():
        return {"secret": officers.reset_secret(services().door, by.facility, str(officer), by.officer)}


@blueprint.get("/<uuid:officer>/assignments")
@signed_in(Post.ADM)
@blueprint.problems(404)
@blueprint.response(200, AssignmentsGiven)
def list_assignments(officer: UUID) -> dict[str, Any]:
    """What an officer was, is and will be responsible for."""
    with _addressed():
        found = assignments.of_officer(services().store, session().officer.facility, str(officer))
    told = [
        {
            "place": each.place,
            "since": to_text(each.since),
            "until": None if each.until is None else to_text(each.until),
        }
        for each in found
    ]
    return {"assignments": told}


@blueprint.post("/<uuid:officer>/assignments")
@signed_in(Post.ADM, once=True)
@blueprint.arguments(PlaceGiven)
@blueprint.problems(404)
@blueprint.response(204)
def assign(body: dict[str, Any], officer: UUID) -> None:
    """Give an officer a place with all that is in it, for a period or from now on."""
    by = session().officer
    period = Period(*(from_text(body[name]) if name in body else None for name in ("since", "until")))
    with _addressed():
        assignments.assign(services().door, by.facility, str(officer), body["place"], by.officer, period)


@blueprint.delete("/<uuid:officer>/assignments/<uuid:place>")
@signed_in(Post.ADM, once=True)
@blueprint.problems(404)
@blueprint.response(204)
def unassign(officer: UUID, place: UUID) -> None:
    """Take a place from an officer, periods that have not begun among it."""
    by = session().officer
    with _addressed():
        assignments.unassign(services().door, by.facility, str(officer), str(place), by.officer)


@blueprint.post("/<uuid:officer>/revoke")
@signed_in(Post.ADM, once=True)
@blueprint.problems(404)
@blueprint.response(204)
def revoke(officer: UUID) -> None:
    """End all of an officer's rights."""
    by = session().officer
    with _addressed():
        assignments.revoke(services().door, by.facility, str(officer), by.officer)
