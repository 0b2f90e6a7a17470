"""The fast acceptor and marshmallow agree on every document, and what both accept is stored as it was sent."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import marshmallow as ma
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import fields, validate

from backend.kernel.acceptor import Acceptor, compile_schema
from backend.records.registry import kinds
from sync.judging.accept import Envelope
from tests.support.chance import tries

SCHEMAS: dict[str, type[ma.Schema]] = {
    f"{kind.name} {name}": verb.schema for kind in kinds().values() for name, verb in kind.verbs.items()
} | {"envelope": Envelope}

FORMED = [
    "019aa1f0-7c00-7000-8000-000000000001", "ffffffff-ffff-7fff-bfff-ffffffffffff", "0b2fbb34-7a4d-4a53-9a7c-5d2f0d3c1e11",
    "04AA000000000001", "04AABBCC", "A" * 43, "_-" * 21 + "0",
    "2026-11-22T03:14:15.123Z", "1990-02", "2001-12-31", "08:30",
]  # fmt: skip
"""Texts of the forms that schemas ask for by a regular expression."""

plain = st.text(st.characters(codec="utf-8"), max_size=20)
JUNK: list[Any] = [
    None, True, False, 0, 1, -1, 1.0, 0.5, 2**53, "", "1", " ", "m", "cell", "session", "0", "\n", "a\n", "真", [], {}, [None],
    [[]], {"a": 1}, "x" * 33, "x" * 501, "019aa1f0-7c00-7000-8000-000000000001", "019aa1f0-7c00-7000-8000-000000000001\n",
    "019AA1F0-7C00-7000-8000-000000000001", "A" * 43, "A" * 43 + "\n", "2026-11-22T03:14:15.123Z", ["04AA000000000001"] * 9,
    "٠" * 12, 10**6, "x019aa1f0-7c00-7000-8000-000000000001", "A" * 44, "x04AA000000000001",
    (1 << 53) - 1, 9999, 200, 1 << 31, "A" * 16, "x" * 40, "x" * 41, "place", "patrol.visit", "fire",
]  # fmt: skip


def valid(field: fields.Field[Any]) -> st.SearchStrategy[Any]:
    """Values that a field should accept, made from what it says of itself."""
    rules = {type(rule): rule for rule in field.validators}
    made: st.SearchStrategy[Any]
    if isinstance(field, fields.Nested):
        made = documents(field.schema)
    elif isinstance(field, fields.List):
        low, high = rules[validate.Length].min or 0, rules[validate.Length].max
        made = st.lists(valid(field.inner), min_size=low, max_size=min(low + 3, high))
    elif isinstance(field, fields.Integer):
        made = st.integers(rules[validate.Range].min, rules[validate.Range].max)
    elif isinstance(field, fields.Boolean):
        made = st.booleans()
    elif isinstance(field, fields.Dict):
        low = rules[validate.Length].min if validate.Length in rules else 0
        made = st.dictionaries(plain, plain, min_size=low, max_size=low + 2)
    elif validate.OneOf in rules:
        made = st.sampled_from(rules[validate.OneOf].choices)
    elif validate.Regexp in rules:
        made = st.sampled_from([each for each in FORMED if rules[validate.Regexp].regex.match(each)])
    else:
        low, high = rules[validate.Length].min, rules[validate.Length].max
        made = st.text(st.characters(codec="utf-8"), min_size=low, max_size=min(high, low + 4))
    return st.none() | made if field.allow_none else made


def documents(schema: ma.Schema) -> st.SearchStrategy[dict[str, Any]]:
    """Documents that a schema should accept."""
    required = {name: valid(field) for name, field in schema.load_fields.items() if field.required}
    optional = {name: valid(field) for name, field in schema.load_fields.items() if not field.required}
    return st.fixed_dictionaries(required, optional=optional)


def example(field: fields.Field[Any]) -> Any:
    """One value that a field accepts; never null, so that everything inside a group is there to be spoilt."""
    rules = {type(rule): rule for rule in field.validators}
    if isinstance(field, fields.Nested):
        return document(field.schema)
    if isinstance(field, fields.List):
        return [example(field.inner)]
    if isinstance(field, fields.Integer):
        return rules[validate.Range].min
    if isinstance(field, fields.Boolean):
        return True
    if isinstance(field, fields.Dict):
        return {"a": "b"}
    if validate.OneOf in rules:
        return rules[validate.OneOf].choices[0]
    if validate.Regexp in rules:
        return next(each for each in FORMED if rules[validate.Regexp].regex.match(each))
    return "字" * rules[validate.Length].min


def document(schema: ma.Schema) -> dict[str, Any]:
    """A document with every field of a schema."""
    return {name: example(field) for name, field in schema.load_fields.items()}


def spoilt(value: Any) -> Iterator[Any]:
    """The value with one thing changed, added or taken away, in every place and in every way."""
    yield from JUNK
    if isinstance(value, dict):
        for key, inner in value.items():
            rest = {name: each for name, each in value.items() if name != key}
            yield rest
            yield from ({**value, key: each} for each in spoilt(inner))
        yield from ({**value, key: each} for key in ("x", "", "state", "_schema") for each in (None, 1, "held"))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield value[:at] + value[at + 1 :]
            yield from (value[:at] + [each] + value[at + 1 :] for each in spoilt(inner))
        yield from (value + [each] for each in JUNK)
        yield from (value * times for times in (3, 8, 9, 16, 17, 64, 65))


def same(one: Any, other: Any) -> bool:
    """Equal and of the same types: 1 is neither true nor 1.0."""
    return orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)


@cache
def made(schema: type[ma.Schema]) -> tuple[Acceptor, ma.Schema]:
    return Acceptor(schema), schema(unknown=ma.RAISE)


def agree(schema: type[ma.Schema], document: Any) -> bool:
    """Whether the document is right; fails when the two say different things of it."""
    acceptor, slow = made(schema)
    fast = acceptor._fast
    assert fast is not None
    right = isinstance(document, dict) and slow.validate(document) == {}
    assert fast(document) == right, (schema.__name__, document)
    assert bool(acceptor.errors(document)) != right
    if right:
        loaded = slow.load(document)
        assert same(loaded, document)
    return right


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_a_schema_allows_is_accepted_and_loaded_unchanged(name: str) -> None:
    @tries(20)
    @given(documents(SCHEMAS[name]()))
    def check(document: dict[str, Any]) -> None:
        assert agree(SCHEMAS[name], document)

    check()


@pytest.mark.parametrize("name", SCHEMAS)
def test_fast_and_slow_agree_on_what_is_spoilt_in_any_place_and_way(name: str) -> None:
    right = document(SCHEMAS[name]())
    assert agree(SCHEMAS[name], right)
    accepted = [agree(SCHEMAS[name], each) for each in spoilt(right)]
    assert accepted.count(False) > 50 and accepted.count(True) > 0


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("junk", [None, [], "", 1, True, {}])
def test_what_is_no_document_is_never_accepted(name: str, junk: Any) -> None:
    optional = not any(field.required for field in SCHEMAS[name]().load_fields.values())
    assert agree(SCHEMAS[name], junk) == (junk == {} and optional)


def test_fast_and_slow_agree_where_a_field_has_several_rules() -> None:
    class Ruled(ma.Schema):
        word = fields.String(
            required=True, validate=[validate.Length(max=5), validate.OneOf(["cell", "place", "person"])]
        )
        number = fields.Integer(strict=True, validate=[validate.Range(0, 200), validate.OneOf([0, 1, 9999])])
        exact = fields.String(validate=validate.Length(equal=1))
        least = fields.String(validate=validate.Length(min=2))
        flags = fields.List(fields.String(validate=validate.Length(1, 1)), validate=validate.Length(max=2))

    right = {"word": "cell", "number": 1, "exact": "m", "least": "cell", "flags": ["m"]}
    assert agree(Ruled, right)
    accepted = [agree(Ruled, each) for each in spoilt(right)]
    assert accepted.count(False) > 50 and accepted.count(True) > 0


def test_what_cannot_be_compiled_is_left_to_marshmallow() -> None:
    class Hooked(ma.Schema):
        n = fields.Integer(strict=True, validate=validate.Range(0, 1))

        @ma.validates_schema
        def never(self, data: Any, **_: Any) -> None:
            raise ma.ValidationError("never")

    class Changing(ma.Schema):
        @ma.post_load
        def change(self, data: Any, **_: Any) -> Any:
            return data

    def of(**made: Any) -> ma.Schema:
        return ma.Schema.from_dict(made)(unknown=ma.RAISE)

    uncompiled = [
        Hooked(unknown=ma.RAISE),
        Changing(unknown=ma.RAISE),
        ma.Schema.from_dict({})(unknown=ma.EXCLUDE),
        of(n=fields.Integer()),
        of(n=fields.Float()),
        of(n=fields.String(load_default="x")),
        of(n=fields.String(data_key="m")),
        of(n=fields.String(validate=validate.Equal("x"))),
        of(n=fields.Integer(strict=True, validate=validate.Range(min=1))),
        of(n=fields.Integer(strict=True, validate=validate.Range(1, 2, min_inclusive=False))),
        of(n=fields.Dict(keys=fields.String())),
        of(n=fields.List(fields.Email())),
        of(n=fields.Nested(Hooked(unknown=ma.RAISE))),
    ]
    assert [compile_schema(schema) for schema in uncompiled] == [None] * len(uncompiled)


def test_an_acceptor_without_a_fast_way_says_what_marshmallow_says() -> None:
    class Loose(ma.Schema):
        mail = fields.Email(required=True)

    acceptor = Acceptor(Loose)
    assert not acceptor.compiled
    assert acceptor.errors({"mail": "a@example.org"}) == {}
    assert acceptor.errors({"mail": "a"}) == {"mail": ["Not a valid email address."]}
    assert acceptor.errors([]) == {"_schema": ["Not an object."]}
