"""JSON: an array of objects, whose keys are the titles. Read as strictly as an operation: no key twice in an object.

A number is the text of its digits, so that none is lost: it never becomes a quantity in between.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from backend.imports.table import (
    MOST_COLUMNS,
    MOST_ROWS,
    Line,
    Table,
    Value,
    clean,
    collect,
    too_large,
    unreadable,
    whole,
)
from backend.kernel.problems import Problem


class _Number(str):
    """A number as it is written."""


def read(raw: bytes) -> Table:
    """The table in a file. Raises Problem ``import.unreadable``, ``import.too_large``."""
    try:
        found = json.loads(
            raw.decode("utf-8-sig"),
            object_pairs_hook=_once,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_Number,
        )
    except UnicodeDecodeError:
        raise unreadable("charset") from None
    except (json.JSONDecodeError, RecursionError):
        raise unreadable("syntax") from None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise unreadable("syntax")
    if len(found) > MOST_ROWS:
        raise too_large("rows", MOST_ROWS)
    titles = _titles(found)
    table = collect([Line(0, tuple(titles)), *_lines(found, titles)])
    return Table(titles, 0, table.lines)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise unreadable("duplicate_key")
    return made


def _titles(rows: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    titles: dict[str, None] = {}
    for row in rows:
        titles |= dict.fromkeys(row)
        if len(titles) > MOST_COLUMNS:
            raise too_large("columns", MOST_COLUMNS)
    return tuple(titles)


def _lines(rows: Iterable[dict[str, Any]], titles: tuple[str, ...]) -> Iterator[Line]:
    for number, row in enumerate(rows, 1):
        yield Line(number, tuple(_value(row.get(title)) for title in titles))


def _value(said: Any) -> Value:
    if said is None:
        return ""
    if isinstance(said, bool):
        return "true" if said else "false"
    if isinstance(said, _Number):
        return whole(said)
    if isinstance(said, str):
        return clean(said)
    if not isinstance(said, list) or not all(type(each) is str for each in said):
        return Problem("cell.broken")
    texts = []
    for each in map(clean, said):
        if isinstance(each, Problem):
            return each
        texts.append(each)
    return tuple(texts)
