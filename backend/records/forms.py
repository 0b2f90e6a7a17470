"""Fields that several kinds' schemas are made of. No field ever has a default: what nobody entered is absent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marshmallow import fields, validate

from backend.kernel.ids import UUID7

_UUID7 = rf"{UUID7.pattern}\Z"


def reference(**options: Any) -> fields.String:
    """The id of a record or officer."""
    return fields.String(required=True, validate=validate.Regexp(_UUID7), **options)


def word(most: int, least: int = 1, **options: Any) -> fields.String:
    """Text of ``least`` to ``most`` characters."""
    return fields.String(required=True, validate=validate.Length(min=least, max=most), **options)


def choice(values: Sequence[str], **options: Any) -> fields.String:
    """One word of a dictionary."""
    return fields.String(required=True, validate=validate.OneOf(values), **options)


def whole(least: int, most: int, **options: Any) -> fields.Integer:
    """A whole number from ``least`` to ``most``; text that looks like one is refused."""
    return fields.Integer(required=True, strict=True, validate=validate.Range(min=least, max=most), **options)


def listed(inner: fields.Field[Any], most: int, **options: Any) -> fields.List[Any]:
    """A list of at most ``most`` entries."""
    return fields.List(inner, required=True, validate=validate.Length(max=most), **options)
