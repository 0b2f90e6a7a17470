"""Fields that several kinds' schemas are made of. No field ever has a default: what nobody entered is absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from marshmallow import Schema, fields, validate

from backend.kernel.clock import from_text
from backend.kernel.ids import UUID7
from backend.kernel.kind import Text

_UUID7 = rf"{UUID7.pattern}\Z"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z\Z"


def _string(rule: validate.Validator, options: dict[str, Any]) -> fields.String:
    return fields.String(**{"required": True, **options}, validate=rule)


def reference(**options: Any) -> fields.String:
    """The id of a record or officer."""
    return _string(validate.Regexp(_UUID7), options)


def word(most: int, least: int = 1, **options: Any) -> fields.String:
    """Text of ``least`` to ``most`` characters."""
    return _string(validate.Length(min=least, max=most), options)


def choice(values: Sequence[str], **options: Any) -> fields.String:
    """One word of a dictionary."""
    return _string(validate.OneOf(values), options)


def moment(**options: Any) -> fields.String:
    """A time as the protocol writes it. Whether there is such a day is asked by ``is_moment``."""
    return _string(validate.Regexp(_MOMENT), options)


def is_moment(text: str) -> bool:
    """Whether text of the right form names a time that there is."""
    try:
        from_text(text)
    except ValueError:
        return False
    return True


def whole(least: int, most: int, **options: Any) -> fields.Integer:
    """A whole number from ``least`` to ``most``; text that looks like one is refused."""
    return fields.Integer(**{"required": True, **options}, strict=True, validate=validate.Range(min=least, max=most))


def listed(inner: fields.Field[Any], most: int, least: int = 0, **options: Any) -> fields.List[Any]:
    """A list of ``least`` to ``most`` entries."""
    return fields.List(inner, **{"required": True, **options}, validate=validate.Length(min=least or None, max=most))


def edits_of(schema: type[Schema], *names: str) -> type[Schema]:
    """The named fields of a schema, each of which may be left out: what an edit sends."""
    found: dict[str, Any] = {}
    for name in names:
        found[name] = deepcopy(schema._declared_fields[name])
        found[name].required = False
    return Schema.from_dict(found, name=f"{schema.__name__}Edited")


def named(path: str, dictionary: Mapping[str, Text]) -> dict[str, Text]:
    """The labels of a field's dictionary: ``path.word`` → its name."""
    return {f"{path}.{value}": text for value, text in dictionary.items()}
