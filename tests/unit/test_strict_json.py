"""JSON that everybody reads alike: the fast way and the slow way agree, and nothing doubtful gets through either."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backend.kernel import strict_json
from backend.kernel.strict_json import DEEPEST, LARGEST, Unreadable, read_object
from tests.support.chance import tries

text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
scalars = st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | text
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3))
objects = st.dictionaries(text, values, max_size=4)
SPELLINGS: list[Any] = [
    orjson.dumps,
    lambda value: orjson.dumps(value, option=orjson.OPT_INDENT_2),
    lambda value: json.dumps(value).encode(),
    lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(),
]
JUNK = [b"1.0", b"1e3", b"-0", b"-1", b"00", b"1E-2", b"9007199254740992", b'"\\u0000"', b'"\\ud800"', b'"\\ud83d\\ude00"',
        b"NaN", b"null", b'"a":1,', b"{", b"}", b"[", b"]", b'"', b"\\", b"\x00", b"\xff", b" ", b"\n", b",", b'"\\u0061"',
        b"\xef\xbb\xbf", b"1" * 20, b"true", b"'"]  # fmt: skip


def told(raw: bytes) -> Any:
    """The object, or the reason why there is none."""
    try:
        return read_object(raw)
    except Unreadable as fault:
        assert fault.reason in Unreadable.REASONS
        return fault.reason


def slowly(raw: bytes) -> Any:
    with mock.patch.object(strict_json, "_fast", lambda _raw: None):
        return told(raw)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all through: 1 is not true, and the order of keys is told too."""
    return repr(one) == repr(other)


def levels(value: Any) -> int:
    """How many objects and arrays lie in each other."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(levels, inner), default=0)


@tries(60)
@given(objects, st.sampled_from(SPELLINGS))
def test_every_spelling_of_an_object_is_read_as_it_was_meant(value: dict[str, Any], spell: Any) -> None:
    raw = spell(value)
    assert same(told(raw), value)
    assert same(slowly(raw), value)


@tries(200)
@given(objects, st.sampled_from(SPELLINGS), st.data())
def test_the_fast_way_never_reads_what_the_slow_way_reads_otherwise(
    value: dict[str, Any], spell: Any, data: st.DataObject
) -> None:
    raw = bytearray(spell(value))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw)))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.sampled_from(JUNK))
    assert same(told(bytes(raw)), slowly(bytes(raw)))


@tries(200)
@given(st.binary(max_size=40))
@example(b'{"a":-0}')
@example(b'{"a":1,"a":1}')
@example(b'{"a":123456789012345678901234567890}')
def test_any_bytes_are_read_alike(raw: bytes) -> None:
    assert same(told(raw), slowly(raw))


@tries(40)
@given(objects)
def test_the_plain_spelling_takes_the_fast_way(value: dict[str, Any]) -> None:
    """Else every operation would cost the slow one, and no test would see it."""
    raw = orjson.dumps(value)
    assert (strict_json._fast(raw) is None) == (levels(value) > DEEPEST) or b"\\u0000" in raw


@pytest.mark.parametrize("more, fast", [(0, True), (1, False)])
def test_the_fast_way_goes_as_deep_as_the_slow_one_is_sure_to(more: int, fast: bool) -> None:
    deepest = b'{"a":' + b"[" * (DEEPEST - 1 + more) + b"1" + b"]" * (DEEPEST - 1 + more) + b"}"
    assert (strict_json._fast(deepest) is not None) == fast
    assert same(told(deepest), slowly(deepest))


@pytest.mark.parametrize("raw, reason", [
    (b"", "syntax"),
    (b"{", "syntax"),
    (b"{'a':1}", "syntax"),
    (b'{"a":1,}', "syntax"),
    (b'{"a":1}{}', "syntax"),
    (b'{"a":01}', "syntax"),
    (b'{"a":"\t"}', "syntax"),
    (b'{"a":"\x00"}', "syntax"),
    (b'{"a":"\\x41"}', "syntax"),
    (b'{"a":"\xc0\x80"}', "syntax"),
    (b'{"a":"\xed\xa0\x80"}', "syntax"),
    (b"\xff\xfe{\x00}\x00", "syntax"),
    (b'\xef\xbb\xbf{"a":1}', "syntax"),
    (b'{"a":1,"a":2}', "duplicate_key"),
    (b'{"a":{"b":1,"b":1}}', "duplicate_key"),
    (b'{"a":1,"\\u0061":1}', "duplicate_key"),
    (b'{"a":1.0}', "number"),
    (b'{"a":1e2}', "number"),
    (b'{"a":[-1.5]}', "number"),
    (b'{"a":NaN}', "number"),
    (b'{"a":Infinity}', "number"),
    (b'{"a":9007199254740992}', "number"),
    (b'{"a":-9007199254740992}', "number"),
    (b'{"a":' + b"9" * 30 + b"}", "number"),
    (b'{"a":' + b"9" * 60_000 + b"}", "number"),
    (b'{"a":"\\u0000"}', "nul"),
    (b'{"\\u0000":1}', "nul"),
    (b'{"a":["x\\u0000y"]}', "nul"),
    (b'{"a":"\\ud800"}', "surrogate"),
    (b'{"a":"\\udfff"}', "surrogate"),
    (b'{"\\ud800":1}', "surrogate"),
    (b'{"a":"\\ude00\\ud83d"}', "surrogate"),
    (b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", "depth"),
    (b'{"a":' * 40 + b"1" + b"}" * 40, "depth"),
    (b'{"a":' + b"[" * 30_000, "depth"),
    (b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}", "depth"),
    (b"[]", "not_object"),
    (b'"a"', "not_object"),
    (b"1", "not_object"),
    (b"true", "not_object"),
    (b"null", "not_object"),
])  # fmt: skip
def test_each_thing_that_is_refused_has_its_reason(raw: bytes, reason: str) -> None:
    assert told(raw) == reason
    assert slowly(raw) == reason


def test_every_reason_is_tested_here_or_with_the_operations() -> None:
    marked = test_each_thing_that_is_refused_has_its_reason.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {reason for _, reason in marked} | {"length"} == set(Unreadable.REASONS)


@pytest.mark.parametrize("raw, value", [
    (b"{}", {}),
    (b' {"a" : 1}\r\n', {"a": 1}),
    (b'{"a":9007199254740991,"b":-9007199254740991}', {"a": LARGEST, "b": -LARGEST}),
    (b'{"a":-0}', {"a": 0}),
    (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
    (b'{"a":"\\/\\u0041"}', {"a": "/A"}),
    ('{"监室":"七"}'.encode(), {"监室": "七"}),
    (b'{"a":' + b"[" * 30 + b"]" * 30 + b"}", {"a": json.loads("[" * 30 + "]" * 30)}),
    (b'{"\\\\u0000":1}', {"\\u0000": 1}),
])  # fmt: skip
def test_what_everybody_reads_alike_is_read(raw: bytes, value: Any) -> None:
    assert same(told(raw), value)
    assert same(slowly(raw), value)
