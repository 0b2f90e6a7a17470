"""A marshmallow schema compiled into a fast acceptor.

marshmallow takes about 24 µs for a document of a kind; a compiled acceptor about 1. It may only say "certainly
right" or "in doubt": whatever it does not accept goes to marshmallow, whose word and messages count. So a
schema feature that is not compiled here costs time, never correctness; a property test shows that the two agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

Check = Callable[[Any], bool]


def _length(rule: validate.Length) -> Check:
    if rule.equal is not None:
        exact = rule.equal
        return lambda value: len(value) == exact
    least, most = rule.min or 0, rule.max
    if most is None:
        return lambda value: len(value) >= least
    upper = most
    return lambda value: least <= len(value) <= upper


def _range(rule: validate.Range) -> Check | None:
    if rule.min is None or rule.max is None or not (rule.min_inclusive and rule.max_inclusive):
        return None
    low, high = rule.min, rule.max
    return lambda value: low <= value <= high


def _validator(rule: Any) -> Check | None:
    if type(rule) is validate.Length:
        return _length(rule)
    if type(rule) is validate.Range:
        return _range(rule)
    if type(rule) is validate.OneOf:
        choices = frozenset(rule.choices)
        return lambda value: value in choices
    if type(rule) is validate.Regexp:
        match = rule.regex.match
        return lambda value: match(value) is not None
    return None


def _base(field: fields.Field[Any]) -> Check | None:
    if type(field) is fields.String:
        return lambda value: type(value) is str
    if type(field) is fields.Integer and field.strict:
        return lambda value: type(value) is int
    if type(field) is fields.Dict and field.key_field is None and field.value_field is None:
        return lambda value: type(value) is dict
    if type(field) is fields.Boolean:
        return lambda value: type(value) is bool
    if type(field) is fields.Nested:
        schema = field.schema
        return compile_schema(schema) if not field.many and isinstance(schema, ma.Schema) else None
    if type(field) is fields.List:
        inner = _field(field.inner)
        return None if inner is None else lambda value: type(value) is list and all(map(inner, value))
    return None


def _field(field: fields.Field[Any]) -> Check | None:
    checks = [_base(field), *map(_validator, field.validators)]
    known = [check for check in checks if check is not None]
    if len(known) != len(checks):
        return None
    first, rest = known[0], tuple(known[1:])
    nullable = bool(field.allow_none)
    if not rest:
        return (lambda value: value is None or first(value)) if nullable else first

    def accept(value: Any) -> bool:
        if value is None:
            return nullable
        return first(value) and all(check(value) for check in rest)

    return accept


def _has_hooks(schema: ma.Schema) -> bool:
    return any(schema._hooks.get(name) for name in ("pre_load", "post_load", "validates", "validates_schema"))


def compile_schema(schema: ma.Schema) -> Check | None:
    """An acceptor for a schema whose fields are all compiled and that has no hooks; None where one is not.

    An acceptor answers True only for a mapping that marshmallow loads unchanged.
    """
    if _has_hooks(schema) or schema.unknown != ma.RAISE:
        return None
    checks: dict[str, Check] = {}
    required = []
    for name, field in schema.load_fields.items():
        check = _field(field)
        if check is None or field.data_key not in (None, name) or field.load_default is not ma.missing:
            return None
        checks[name] = check
        if field.required:
            required.append(name)
    table: Mapping[str, Check] = checks
    needed = frozenset(required)
    complete = len(checks) == len(required)

    def accept(value: Any) -> bool:
        if type(value) is not dict or (len(value) != len(table) if complete else not needed <= value.keys()):
            return False
        for key, inner in value.items():
            check = table.get(key)
            if check is None or not check(inner):
                return False
        return True

    return accept


class Acceptor:
    """Validates documents of one schema: fast where it can, by marshmallow where it cannot."""

    def __init__(self, schema: type[ma.Schema]) -> None:
        self._schema = schema(unknown=ma.RAISE)
        self._fast = compile_schema(self._schema)

    @property
    def compiled(self) -> bool:
        return self._fast is not None

    def errors(self, document: Any) -> Any:
        """marshmallow's messages, empty when the document is right."""
        if self._fast is not None and self._fast(document):
            return {}
        if not isinstance(document, dict):
            return {"_schema": ["Not an object."]}
        return self._schema.validate(document)
