"""Fields that several kinds' schemas are made of. No field ever has a default: what nobody entered is absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import date
from typing import Any

from marshmallow import Schema, fields, validate

from backend.kernel.clock import from_text
from backend.kernel.ids import UUID7
from backend.kernel.kind import Head, Known, Text
from backend.kernel.problems import Problem

_UUID7 = rf"{UUID7.pattern}\Z"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z\Z"
_DAY = r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]\Z"


def _string(rule: validate.Validator, options: dict[str, Any], what: str = "") -> fields.String:
    """``what``: of what form its text is, told to who draws the field."""
    return fields.String(**{"required": True, **options}, validate=rule, metadata={"is": what} if what else None)


def reference(**options: Any) -> fields.String:
    """The id of a record or officer."""
    return _string(validate.Regexp(_UUID7), options, "reference")


def word(most: int, least: int = 1, **options: Any) -> fields.String:
    """Text of ``least`` to ``most`` characters."""
    return _string(validate.Length(min=least, max=most), options)


def choice(values: Sequence[str], **options: Any) -> fields.String:
    """One word of a dictionary."""
    return _string(validate.OneOf(values), options)


def moment(**options: Any) -> fields.String:
    """A time as the protocol writes it. Whether there is such a day is asked by ``is_moment``."""
    return _string(validate.Regexp(_MOMENT), options, "moment")


def is_moment(text: str) -> bool:
    """Whether text of the right form names a time that there is."""
    try:
        from_text(text)
    except ValueError:
        return False
    return True


def day(**options: Any) -> fields.String:
    """A day of the calendar, ``2026-11-22``. Whether there is such a day is asked by ``is_day``."""
    return _string(validate.Regexp(_DAY), options, "day")


def is_day(text: str) -> bool:
    """Whether text of the right form names a day that there is."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def time_of_day(**options: Any) -> fields.String:
    """A time of day, ``08:30``."""
    return _string(validate.Regexp(_TIME), options, "time")


def no_time(said: Mapping[str, Any], *names: str) -> Problem | None:
    """The problem of the first of these fields that names a time that there is not."""
    wrong = (name for name in names if said[name] is not None and not is_moment(said[name]))
    return next((Problem("field.invalid", f"fields.{name}") for name in wrong), None)


def referred(known: Known, said: Mapping[str, Any], name: str, kind: str) -> Head | Problem:
    """The record of a kind that a field names, which must be there."""
    head = known.record(said[name])
    return head if head is not None and head.kind == kind else Problem("reference.unknown", f"fields.{name}")


def strangers(known: Known, ids: Sequence[str], name: str, kind: str | None = None) -> Problem | None:
    """The problem of a field that names records of which one is of another kind, or not there though custody still waits."""
    for head in map(known.record, ids):
        if (head is None and not known.forced()) or (head is not None and kind is not None and head.kind != kind):
            return Problem("reference.unknown", f"fields.{name}")
    return None


def whole(least: int, most: int, **options: Any) -> fields.Integer:
    """A whole number from ``least`` to ``most``; text that looks like one is refused."""
    return fields.Integer(**{"required": True, **options}, strict=True, validate=validate.Range(min=least, max=most))


class _Itself(int):
    """True or False as one of a set's elements, to which 1 and 0 are not equal."""

    def __eq__(self, other: object) -> bool:
        return type(other) is bool and bool(other) == bool(self)

    __hash__ = int.__hash__


def yes_no(**options: Any) -> fields.Boolean:
    """True or false, and no number or text that stands for one."""
    return fields.Boolean(**{"required": True, **options}, truthy={_Itself(True)}, falsy={_Itself(False)})


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
