"""Reading JSON so that two readers can never understand it differently.

RFC 8259 leaves duplicate keys and large numbers to each reader, and two readers that differ are a way to show an
officer one thing and the auditor another. What this module refuses is listed in ``Unreadable.REASONS``.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

LARGEST = 2**53 - 1
DEEPEST = 32
_LONE = re.compile(r"[\ud800-\udfff]")


class Unreadable(ValueError):
    """The bytes are not JSON that everybody reads alike. ``reason`` is one of REASONS."""

    REASONS = ("length", "syntax", "duplicate_key", "number", "nul", "surrogate", "depth", "not_object")

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Unreadable("duplicate_key")
    return made


def _no_float(_text: str) -> Any:
    raise Unreadable("number")


def _small_int(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > LARGEST:
        raise Unreadable("number")
    return int(text)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise Unreadable("nul")
    if _LONE.search(text):
        raise Unreadable("surrogate")


def _check(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise Unreadable("depth")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_text(key)
            _check(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, depth + 1)
    elif isinstance(value, float) or (isinstance(value, int) and abs(value) > LARGEST):
        raise Unreadable("number")


def _slow(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("syntax") from None
    try:
        return json.loads(
            text,
            object_pairs_hook=_no_duplicates,
            parse_float=_no_float,
            parse_int=_small_int,
            parse_constant=_no_float,
        )
    except RecursionError:
        raise Unreadable("depth") from None
    except json.JSONDecodeError:
        raise Unreadable("syntax") from None


def _plain(value: Any, levels: int) -> bool:
    """Whether an object or array has no float in it, and no more than so many levels."""
    if not levels:
        return False
    for inner in value.values() if type(value) is dict else value:
        kind = type(inner)
        if kind is float or ((kind is dict or kind is list) and not _plain(inner, levels - 1)):
            return False
    return True


def _fast(raw: bytes) -> dict[str, Any] | None:
    """The object, when it is certain that the slow reader would read the same; None in any doubt.

    The proof is a round trip: when orjson writes again exactly the bytes that it read, no key was dropped as a
    duplicate and nothing was spelled in a second way. orjson itself refuses lone surrogates and, when asked, integers
    beyond 53 bits.
    """
    if b"\\u0000" in raw:
        return None
    try:
        value = orjson.loads(raw)
        exact = orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER) == raw
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    return value if exact and type(value) is dict and _plain(value, DEEPEST) else None


def read_object(raw: bytes) -> dict[str, Any]:
    """Bytes → the object they say. Raises Unreadable."""
    value = _fast(raw)
    if value is None:
        value = _slow(raw)
        if not isinstance(value, dict):
            raise Unreadable("not_object")
        _check(value, 0)
    return value
