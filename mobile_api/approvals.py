"""Terminals as their administrator sees them, and his word on those that wait for it (docs/protocol.md §2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from marshmallow import Schema, fields, validate

from backend.domain.posts import Post
from backend.identity import terminals
from backend.kernel.clock import to_text
from backend.kernel.problems import Problem
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.services import services
from mobile_api.view_forms import Page, Paged, several, text, time, whole

blueprint = Blueprint("approvals", __name__, url_prefix="/v1/terminals", description="Approval of terminals")


class PagedState(Paged):
    """Which page; of one state, or of all."""

    state = fields.String(validate=validate.OneOf(terminals.STATES))


class TerminalKept(Schema):
    """A terminal. ``label``: what it calls itself; ``fingerprint``: to be compared with what the device shows."""

    id = text()
    label = text()
    asset = text(allow_none=True)
    state = text()
    fingerprint = text()
    incarnation = whole()
    enrolled_at = time()


class TerminalsKept(Page):
    """The facility's terminals, the first enrolled first."""

    terminals = several(TerminalKept)


@contextmanager
def addressed() -> Iterator[None]:
    """A terminal that is not there, the server's own among them, is an address at which there is nothing."""
    try:
        yield
    except terminals.UnknownTerminal:
        raise Problem("route.unknown") from None


@blueprint.get("")
@signed_in(Post.ADM)
@blueprint.arguments(PagedState, location="query")
@blueprint.response(200, TerminalsKept)
def list_terminals(asked: dict[str, Any]) -> dict[str, Any]:
    """The facility's terminals: which wait for approval, and which are in use."""
    facility = session().officer.facility
    with services().store.reading() as connection:
        found, then = terminals.page(connection, facility, asked.get("state"), asked.get("after"), asked["limit"])
    entries = [
        {
            "id": each.terminal,
            "label": each.label,
            "asset": each.asset,
            "state": each.state,
            "fingerprint": each.fingerprint,
            "incarnation": each.incarnation,
            "enrolled_at": to_text(enrolled_at),
        }
        for each, enrolled_at in found
    ]
    return {"terminals": entries, "after": then}


@blueprint.post("/<uuid:terminal>/approve")
@signed_in(Post.ADM, once=True)
@blueprint.problems(404)
@blueprint.response(204)
def approve(terminal: UUID) -> None:
    """Let a waiting terminal in, after its fingerprint was compared with what the device shows."""
    officer = session().officer
    with addressed():
        terminals.approve(services().door, officer.facility, str(terminal), officer.officer)


@blueprint.post("/<uuid:terminal>/refuse")
@signed_in(Post.ADM, once=True)
@blueprint.problems(404)
@blueprint.response(204)
def refuse(terminal: UUID) -> None:
    """Turn a waiting terminal away for good."""
    officer = session().officer
    with addressed():
        terminals.refuse(services().door, officer.facility, str(terminal), officer.officer)
