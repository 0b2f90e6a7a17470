"""The log's head, proofs of what it holds, the keys that signed it, and alarms over it (docs/protocol.md §12)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marshmallow import Schema, fields, validate

from backend.audit import alarms, proofs
from backend.identity import facilities, terminals
from backend.identity.terminals import Terminal
from backend.kernel.ids import b64
from backend.kernel.keys import thumbprint
from backend.kernel.problems import Problem
from mobile_api.blueprint import Blueprint
from mobile_api.guard import by_key, proven_key, session, signed_in
from mobile_api.services import services
from mobile_api.terminals import Jwk

_LARGEST = 2**53 - 1
blueprint = Blueprint("audit", __name__, url_prefix="/v1/audit", description="The Merkle log")


class SignedHead(Schema):
    """The newest signed head."""

    head = fields.String(required=True)


def _whole(least: int, most: int = _LARGEST) -> fields.Integer:
    return fields.Integer(required=True, validate=validate.Range(least, most))


class Between(Schema):
    """Two sizes of the log of an epoch: 0 < first ≤ second."""

    epoch = _whole(1, 2**31 - 1)
    first = _whole(1)
    second = _whole(1)


class LeafAt(Schema):
    """A leaf of an epoch, counted from 0, and a size of its log: 0 ≤ leaf < size."""

    epoch = _whole(1, 2**31 - 1)
    leaf = _whole(0)
    size = _whole(1)


class Proof(Schema):
    """Hashes, in the order of RFC 9162 §2.1.3.1 or §2.1.4.1."""

    proof = fields.List(fields.String(), required=True)


class HeadKey(Schema):
    """A key that signs heads, and the statement of the key before it, null for the first."""

    kid = fields.String(required=True)
    jwk = fields.Nested(Jwk, required=True)
    statement = fields.String(required=True, allow_none=True)


class HeadKeys(Schema):
    """The oldest first."""

    keys = fields.List(fields.Nested(HeadKey), required=True)


class Alarmed(Schema):
    """Two signed heads that do not agree: the one that is held, the one that was shown; and how that was found."""

    held = fields.String(required=True, validate=validate.Length(1, alarms.LONGEST_HEAD))
    shown = fields.String(required=True, validate=validate.Length(1, alarms.LONGEST_HEAD))
    why = fields.String(required=True, validate=validate.OneOf(alarms.WHY))


@blueprint.get("/head")
@signed_in()
@blueprint.response(200, SignedHead)
def head() -> dict[str, Any]:
    """The newest signed head of the caller's facility."""
    return {"head": facilities.one(services().store, session().officer.facility).head}


@blueprint.get("/consistency")
@by_key
@blueprint.arguments(Between, location="query")
@blueprint.problems(404)
@blueprint.response(200, Proof)
def consistency(asked: dict[str, int]) -> dict[str, Any]:
    """Prove that the log of the caller's facility only grew from one size to another."""
    return _proved(lambda c, f: proofs.consistency(c, f, asked["epoch"], asked["first"], asked["second"]), "first")


@blueprint.get("/inclusion")
@by_key
@blueprint.arguments(LeafAt, location="query")
@blueprint.problems(404)
@blueprint.response(200, Proof)
def inclusion(asked: dict[str, int]) -> dict[str, Any]:
    """Prove that a leaf is in the log of the caller's facility; whoever has its bytes can check it."""
    return _proved(lambda c, f: proofs.inclusion(c, f, asked["epoch"], asked["leaf"], asked["size"]), "leaf")


@blueprint.get("/keys")
@by_key
@blueprint.response(200, HeadKeys)
def keys() -> dict[str, Any]:
    """The keys that have signed the heads of the caller's facility, each stated by the one before it."""
    chain = services().keyring.heads.chain(_asking().facility)
    return {"keys": [{"kid": thumbprint(each.jwk), "jwk": each.jwk, "statement": each.statement} for each in chain]}


@blueprint.post("/alarms")
@by_key
@blueprint.arguments(Alarmed)
@blueprint.problems(429)
@blueprint.response(204)
def alarm(body: dict[str, str]) -> None:
    """Report two heads that do not agree. One that proves the log to be another stops all writing then, as a push's does."""
    here, terminal = services(), _asking()
    alarms.raise_alarm(here.door, here.keyring.heads, terminal.facility, terminal.terminal, body)
    for name in ("held", "shown"):
        here.highwater.shown(terminal.facility, body[name], terminal.terminal)


def _asking() -> Terminal:
    """The terminal whose key the caller has proved, of its present incarnation or an earlier one."""
    with services().store.reading() as connection:
        return terminals.served(connection, proven_key()[0]).terminal


def _proved(prove: Callable[[Any, str], list[bytes]], field: str) -> dict[str, Any]:
    """A proof for the caller's facility, by a connection. Sizes that cannot be are his mistake; those that are not there a
    404, or 503 ``server.behind`` where it is known that the log was longer.
    """
    here, facility = services(), _asking().facility
    try:
        with here.store.reading() as connection:
            return {"proof": [b64(each) for each in prove(connection, facility)]}
    except ValueError:
        raise Problem("field.invalid", field) from None
    except LookupError:
        log = facilities.one(here.store, facility)
        here.highwater.check(facility, log.epoch, log.size)
        raise Problem("route.unknown") from None
