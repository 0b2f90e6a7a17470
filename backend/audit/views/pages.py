"""Pages by keyset: a page ends with the key of its last row, and the next one begins after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import orjson
from sqlalchemy import ColumnElement, true, tuple_

from backend.kernel.ids import b64, unb64
from backend.kernel.problems import Problem

T = TypeVar("T")
Key = tuple[Any, ...]
_LONGEST = 400
_LARGEST = 2**53
FIELD = "after"


def sealed(key: Sequence[str | int]) -> str:
    """A key as the opaque cursor that a caller gives back in ``after``."""
    return b64(orjson.dumps(list(key)))


def opened(cursor: str | None, form: tuple[type, ...]) -> Key | None:
    """The key in a cursor of that form. Raises Problem ``field.invalid`` for what no page has given."""
    if cursor is None:
        return None
    try:
        key = tuple(orjson.loads(unb64(cursor[:_LONGEST])))
    except (ValueError, TypeError):
        raise Problem("field.invalid", FIELD) from None
    if tuple(map(type, key)) != form or not all(map(_fits, key)):
        raise Problem("field.invalid", FIELD)
    return key


def _fits(value: str | int) -> bool:
    return "\0" not in value if isinstance(value, str) else -_LARGEST < value < _LARGEST


def beyond(columns: Sequence[Any], key: Key | None, *, falling: bool = False) -> ColumnElement[bool]:
    """Rows behind a key, in the order of the columns (``falling``: from the largest down)."""
    if key is None:
        return true()
    return tuple_(*columns) < tuple_(*key) if falling else tuple_(*columns) > tuple_(*key)


def cut(rows: Sequence[T], limit: int, key: Callable[[T], Sequence[str | int]]) -> tuple[list[T], str | None]:
    """``limit + 1`` rows as read → a page and the cursor of the next one, None when there is none."""
    kept = list(rows[:limit])
    return kept, sealed(key(kept[-1])) if len(rows) > limit else None
