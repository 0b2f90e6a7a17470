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


def _scalar(field: fields.Field[Any]) -> type | None:
    """The type whose values the field takes as they are, if it is such a field."""
    if type(field) is fields.String:
        return str
    if type(field) is fields.Integer and field.strict:
        return int
    if type(field) is fields.Boolean:
        return bool
    if type(field) is fields.Dict and field.key_field is None and field.value_field is None:
        return dict
    return None


def _of_type(wanted: type, checks: list[Check]) -> Check:
    """Type first, so that no rule ever meets a value of another type; one rule is the common case."""
    if not checks:
        return lambda value: type(value) is wanted
    if len(checks) == 1:
        check = checks[0]
        return lambda value: type(value) is wanted and check(value)

    def accept(value: Any) -> bool:
        if type(value) is not wanted:
            return False
        for check in checks:  # noqa: SIM110 - a generator would cost as much again
            if not check(value):
                return False
        return True

    return accept


def _structure(field: fields.Field[Any]) -> Check | None:
    if type(field) is fields.Nested:
        schema = field.schema
        return compile_schema(schema) if not field.many and isinstance(schema, ma.Schema) else None
    if type(field) is fields.List:
        inner = _field(field.inner)
        return None if inner is None else lambda value: type(value) is list and all(map(inner, value))
    return None


def _field(field: fields.Field[Any]) -> Check | None:
    known = [_validator(rule) for rule in field.validators]
    rules = [rule for rule in known if rule is not None]
    if len(rules) != len(known):
        return None
    wanted = _scalar(field)
    if wanted is not None:
        accept = _of_type(wanted, rules)
    else:
        structure = _structure(field)
        if structure is None:
            return None
        accept = _both(structure, _of_type(list, rules)) if rules else structure
    return _or_none(accept) if field.allow_none else accept


def _both(first: Check, second: Check) -> Check:
    return lambda value: first(value) and second(value)


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


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
