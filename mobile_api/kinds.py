"""The kinds and their forms, so that a terminal can show a form that it was not built with."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from backend.domain.posts import Post
from backend.kernel.kind import COMMON_MARKS, Kind, Policy, Text
from backend.records.registry import kinds
from mobile_api.blueprint import Blueprint
from mobile_api.guard import open_to_all

blueprint = Blueprint("kinds", __name__, url_prefix="/v1/kinds", description="Record kinds and their forms")

_DISPUTED = (Policy.SHARED, Policy.DECISION)
"""Policies whose edits may conflict."""


class KindsDescribed(Schema):
    """Kinds by name; texts in both languages."""

    kinds = fields.List(fields.Dict(), required=True)
    marks = fields.Dict(required=True)


def _text(text: Text) -> dict[str, str]:
    return {"zh": text.zh, "en": text.en}


def _texts(texts: Any) -> dict[str, dict[str, str]]:
    return {name: _text(text) for name, text in texts.items()}


def describe(kind: Kind) -> dict[str, Any]:
    """A kind as terminals see it: verbs with their fields in order, how edits of it meet, labels, marks."""
    verbs = {
        name: {
            "text": _text(verb.text),
            "creates": verb.creates,
            "signoff": verb.signoff,
            "confirm": verb.confirm,
            "edits": verb.edits,
            "watches": list(verb.watches),
            "removes": verb.removes,
            "served": verb.served,
            "fields": [form_field(key, field) for key, field in verb.schema().load_fields.items()],
        }
        for name, verb in kind.verbs.items()
    }
    return {
        "name": kind.name,
        "schema": kind.version,
        "schemas": kind.supported(),
        "policy": kind.policy.value,
        "compartment": kind.compartment.value,
        "writers": sorted(kind.writers - {Post.SYS}),
        "strict": sorted(kind.strict),
        "settlers": sorted(kind.may_settle()) if kind.policy in _DISPUTED else [],
        "text": _text(kind.text),
        "verbs": verbs,
        "labels": _texts(kind.labels),
        "marks": _texts(kind.marks),
    }


def form_field(name: str, field: fields.Field[Any]) -> dict[str, Any]:
    """A field of a form: name, type, whether it must be there and may be null, its bounds, and what its text ``is``: a
    reference, a moment, a day, a time."""
    described: dict[str, Any] = {"name": name, "type": _TYPES[type(field)], "required": field.required}
    described["nullable"] = bool(field.allow_none)
    described |= {key: field.metadata[key] for key in ("is",) if key in field.metadata}
    for rule in field.validators:
        for bound in ("choices", "min", "max", "equal"):
            if getattr(rule, bound, None) is not None:
                value = getattr(rule, bound)
                described[bound] = list(value) if bound == "choices" else value
    if isinstance(field, fields.Nested):
        described["fields"] = [form_field(key, inner) for key, inner in field.schema.load_fields.items()]
    if isinstance(field, fields.List):
        described["of"] = form_field("", field.inner)
    return described


_TYPES = {
    fields.String: "text",
    fields.Integer: "whole",
    fields.Boolean: "yes_no",
    fields.Nested: "group",
    fields.List: "list",
    fields.Dict: "map",
}


@blueprint.get("")
@open_to_all
@blueprint.response(200, KindsDescribed)
def list_kinds() -> dict[str, Any]:
    """All kinds."""
    return {"kinds": [describe(kind) for kind in kinds().values()], "marks": _texts(COMMON_MARKS)}
