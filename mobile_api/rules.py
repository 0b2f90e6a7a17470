"""The rules of duty as they are in force in the caller's facility, each with its source and how it was read."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from backend.domain.posts import READERS
from backend.domain.rules.model import Pack
from backend.domain.rules.reading import base
from backend.domain.rules.telling import told, told_pack
from backend.kernel.problems import Problem
from mobile_api.blueprint import Blueprint
from mobile_api.guard import session, signed_in
from mobile_api.services import services
from mobile_api.view_forms import anything, nested, several, whole
from mobile_api.view_forms import text as words

blueprint = Blueprint("rules", __name__, url_prefix="/v1/rules", description="Rules of duty")


class PackTold(Schema):
    """The pack in force. ``own``: the digest of the product's pack, ``digest``: with what the facility laid over it.
    ``signed``: who confirmed exactly this, or null, and then ``notice`` says "to confirm"; ``waiting``: rules that cannot
    fire yet."""

    name = words()
    version = words()
    digest = words()
    own = words()
    signed = words(allow_none=True)
    notice = anything(allow_none=True)
    rules = whole()
    waiting = fields.List(fields.String(), required=True)


class RuleTold(Schema):
    """A rule (docs/rules.md). ``basis`` D: a local default, not law. ``changes``: values that the facility has changed."""

    rule = words()
    row = words()
    scope = fields.List(fields.String(), required=True)
    text = anything()
    source = words()
    source_text = anything()
    basis = words()
    basis_text = anything()
    effective = words()
    posts = fields.List(fields.String(), required=True)
    loud = fields.Boolean(required=True)
    trigger = anything()
    within = words(allow_none=True)
    until = words(allow_none=True)
    warn = words(allow_none=True)
    repeats = words(allow_none=True)
    done = fields.List(fields.Dict(), required=True, allow_none=True)
    chain = fields.List(fields.Dict(), required=True)
    tighter = anything()
    local = fields.List(fields.String(), required=True)
    reading = anything()
    changes = anything()


class RulesTold(Schema):
    """The pack with all its rules, by their ids."""

    pack = nested(PackTold)
    rules = several(RuleTold)


class OneRuleTold(Schema):
    """A rule, and the pack that it stands in."""

    pack = nested(PackTold)
    rule = nested(RuleTold)


@blueprint.get("")
@signed_in(*READERS)
@blueprint.response(200, RulesTold)
def list_rules() -> dict[str, Any]:
    """All rules that are in force here."""
    pack, own = _in_force(), base()
    rules = [told(pack.rules[key], own.rules[key]) for key in sorted(pack.rules)]
    return {"pack": told_pack(pack, own), "rules": rules}


@blueprint.get("/<string:rule>")
@signed_in(*READERS)
@blueprint.problems(404)
@blueprint.response(200, OneRuleTold)
def show_rule(rule: str) -> dict[str, Any]:
    """One rule that is in force here."""
    pack, own = _in_force(), base()
    if rule not in pack.rules:
        raise Problem("route.unknown")
    return {"pack": told_pack(pack, own), "rule": told(pack.rules[rule], own.rules[rule])}


def _in_force() -> Pack:
    here = services()
    with here.store.reading() as connection:
        return here.packs.in_force(connection, session().officer.facility, here.clock.now())
