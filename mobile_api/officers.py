"""Officers' wards and rights, for administrators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from marshmallow import Schema

from backend.domain.posts import Post
from backend.identity import assignments
from backend.identity.officers import UnknownOfficer
from backend.kernel.problems import Problem
from backend.records.forms import reference
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.services import services

blueprint = Blueprint("officers", __name__, url_prefix="/v1/officers", description="Wards and rights of officers")


@contextmanager
def _addressed() -> Iterator[None]:
    """An officer who is not there is an address at which there is nothing."""
    try:
        yield
    except UnknownOfficer:
        raise Problem("route.unknown") from None


class PlaceGiven(Schema):
    """The place, usually a ward, that an officer is made responsible for."""

    place = reference()


@blueprint.post("/<uuid:officer>/assignments")
@signed_in(Post.ADM)
@blueprint.arguments(PlaceGiven)
@blueprint.problems(404)
@blueprint.response(204)
def assign(body: dict[str, Any], officer: UUID) -> None:
    """Give an officer a place with all that is in it."""
    by = session().officer
    with _addressed():
        assignments.assign(services().door, by.facility, str(officer), body["place"], by.officer)


@blueprint.delete("/<uuid:officer>/assignments/<uuid:place>")
@signed_in(Post.ADM)
@blueprint.problems(404)
@blueprint.response(204)
def unassign(officer: UUID, place: UUID) -> None:
    """Take a place from an officer."""
    by = session().officer
    with _addressed():
        assignments.unassign(services().door, by.facility, str(officer), str(place), by.officer)


@blueprint.post("/<uuid:officer>/revoke")
@signed_in(Post.ADM)
@blueprint.problems(404)
@blueprint.response(204)
def revoke(officer: UUID) -> None:
    """End all of an officer's rights."""
    by = session().officer
    with _addressed():
        assignments.revoke(services().door, by.facility, str(officer), by.officer)
