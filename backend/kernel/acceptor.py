"""A marshmallow schema compiled into a fast acceptor.

marshmallow takes about 24 µs for a document of a kind; a compiled acceptor one or two. It may only say "certainly
right" or "in doubt": whatever it does not accept goes to marshmallow, whose word and messages count. So a
schema feature that is not compiled here costs time, never correctness; a property test shows that the two agree.

What is compiled is one Python expression for the whole document, since calls are what would cost most (docs/adr/0004).
Its text is made of names that are given out here and of the schema's own numbers and keys as literals, of nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

Check = Callable[[Any], bool]
_SCALARS: dict[type[fields.Field[Any]], str] = {
    fields.String: "str", fields.Integer: "int", fields.Boolean: "bool", fields.Dict: "dict",
}  # fmt: skip
"""Fields that take the values of one type as they are."""
_MISSING = object()


class _NotCompiled(Exception):
    """The schema has something that is not known here."""


class _Expression:
    """Text of an expression in the making; ``names``: the values that it refers to by name.

    The type stands before every rule, so that no rule ever meets a value of another type.
    """

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"missing": _MISSING}
        self._given = 0

    def schema(self, schema: ma.Schema, value: str) -> str:
        """That a value is an object with the fields of a schema, and no others."""
        hooks = ("pre_load", "post_load", "validates", "validates_schema")
        if any(schema._hooks.get(name) for name in hooks) or schema.unknown != ma.RAISE:
            raise _NotCompiled
        needed, terms, parts = 0, [], []
        for name, field in schema.load_fields.items():
            if field.data_key not in (None, name) or field.load_default is not ma.missing:
                raise _NotCompiled
            inner = self._name()
            taken, right = f"({inner} := {value}.get({name!r}, missing))", self.field(field, inner)
            if field.required:
                needed += 1
                parts.append(f"{taken} is not missing and {right}")
            else:
                terms.append(f"({name!r} in {value})")
                parts.append(f"({taken} is missing or {right})")
        size = " + ".join([str(needed), *terms])
        return f"({' and '.join([f'type({value}) is dict', f'len({value}) == {size}', *parts])})"

    def field(self, field: fields.Field[Any], value: str) -> str:
        """That a field takes a value as it is."""
        rules = [self._rule(rule, value) for rule in field.validators]
        wanted = " and ".join(self._kind(field, value, rules))
        return f"({value} is None or ({wanted}))" if field.allow_none else f"({wanted})"

    def _kind(self, field: fields.Field[Any], value: str, rules: list[str]) -> list[str]:
        if type(field) is fields.Nested and not field.many and isinstance(field.schema, ma.Schema):
            return [self.schema(field.schema, value), *rules]
        if type(field) is fields.List:
            each = self._refer(_function(lambda inner: inner.field(field.inner, "value")))
            return [f"type({value}) is list", *rules, f"all(map({each}, {value}))"]
        loose = (type(field) is fields.Integer and not field.strict) or (
            type(field) is fields.Dict and not (field.key_field is None and field.value_field is None)
        )
        if loose or type(field) not in _SCALARS:
            raise _NotCompiled
        return [f"type({value}) is {_SCALARS[type(field)]}", *rules]

    def _rule(self, rule: Any, value: str) -> str:
        if type(rule) is validate.Length:
            least, most = (rule.equal, rule.equal) if rule.equal is not None else (rule.min or 0, rule.max)
            return f"{least:d} <= len({value})" + ("" if most is None else f" <= {most:d}")
        if type(rule) is validate.Range and rule.min_inclusive and rule.max_inclusive and _whole(rule.min, rule.max):
            return f"{rule.min:d} <= {value} <= {rule.max:d}"
        if type(rule) is validate.OneOf:
            return f"{value} in {self._refer(frozenset(rule.choices))}"
        if type(rule) is validate.Regexp:
            return f"{self._refer(rule.regex.match)}({value}) is not None"
        raise _NotCompiled

    def _name(self) -> str:
        self._given += 1
        return f"v{self._given}"

    def _refer(self, value: object) -> str:
        name = self._name()
        self.names[name] = value
        return name


def _whole(*numbers: object) -> bool:
    return all(type(number) is int for number in numbers)


def _function(write: Callable[[_Expression], str]) -> Check:
    expression = _Expression()
    text = write(expression)
    made: Check = eval(f"lambda value: {text}", expression.names)  # noqa: S307 - text of our own making
    return made


def compile_schema(schema: ma.Schema) -> Check | None:
    """An acceptor for a schema whose fields are all compiled and that has no hooks; None where one is not.

    An acceptor answers True only for a mapping that marshmallow loads unchanged.
    """
    try:
        return _function(lambda expression: expression.schema(schema, "value"))
    except _NotCompiled:
        return None


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


@cache
def acceptor(schema: type[ma.Schema]) -> Acceptor:
    """The acceptor of a schema, compiled once."""
    return Acceptor(schema)
