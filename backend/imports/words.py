"""Texts of cells → values, as people write them. Each reader gives the value or the problem; empty is for its caller."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from unicodedata import normalize

from backend.imports.table import Value
from backend.kernel.kind import Text
from backend.kernel.problems import Problem

Parser = Callable[[Value], Any]
_BETWEEN = re.compile(r"[、,，;；/|\n]+")
_POSTS_BETWEEN = re.compile(r"[、,，;；/|\s]+")
_YES, _NO = frozenset({"是", "有", "y", "yes", "true", "1", "√"}), frozenset({"否", "无", "n", "no", "false", "0"})
_DAY = re.compile(r"([0-9]{4})(?:[-/.年]([0-9]{1,2})(?:[-/.月]([0-9]{1,2})日?|月)?|年)?", re.ASCII)
_CLOSED_DAY = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})", re.ASCII)
_MOMENT = re.compile(
    r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?[ T]*([0-9]{1,2})[:：时]([0-9]{1,2})分?(?::([0-9]{2})(?:\.[0-9]+)?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?",
    re.ASCII,
)
BEIJING = timezone(timedelta(hours=8))
"""中国标准时间, the legal time of the whole country; no daylight saving since 1991."""


def line(value: Value) -> Any:
    """A text of one line, as it is."""
    if not isinstance(value, str):
        return Problem("cell.broken")
    return Problem("cell.sign") if "\n" in value or "\t" in value else value


def lines(value: Value) -> Any:
    """A text of any number of lines, as it is."""
    return value if isinstance(value, str) else Problem("cell.broken")


def digits(value: Value) -> Any:
    """An identity number or code that people type with blanks and full-width signs: half-width, without blanks."""
    text = line(value)
    return text if isinstance(text, Problem) else "".join(normalize("NFKC", text).split()).upper()


def listed(value: Value) -> Any:
    """A list of texts: in JSON an array, else divided by one of ``、 , ， ; ； / |`` or a line's end."""
    parts = value if isinstance(value, tuple) else _BETWEEN.split(value) if isinstance(value, str) else ()
    return [part.strip() for part in parts if part.strip()]


def words(value: Value) -> Any:
    """A list of words, which blanks divide too."""
    texts = value if isinstance(value, tuple) else (value,) if isinstance(value, str) else ()
    return [part for text in texts for part in _POSTS_BETWEEN.split(text) if part]


def truth(value: Value) -> Any:
    """``是`` or ``否``, and how else that is written."""
    text = value.casefold() if isinstance(value, str) else ""
    return True if text in _YES else False if text in _NO else Problem("cell.word")


def number(value: Value) -> Any:
    """A whole number that is a quantity."""
    text = normalize("NFKC", value) if isinstance(value, str) else ""
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text, re.ASCII) else Problem("cell.number")


def choice(dictionary: Mapping[str, Text]) -> Parser:
    """One word of a dictionary: its code or its name in either language."""
    known = {name.casefold(): code for code, text in dictionary.items() for name in (text.zh, text.en, code)}

    def read(value: Value) -> Any:
        found = known.get(value.casefold()) if isinstance(value, str) else None
        return Problem("cell.word") if found is None else found

    return read


def part_of_date(value: Value) -> Any:
    """A year, month or day: ``1990``, ``1990-02``, ``1990-02-14``, ``1990/2/14``, ``1990年2月14日``, ``19900214``."""
    text = normalize("NFKC", value) if isinstance(value, str) else ""
    found = _CLOSED_DAY.fullmatch(text) or _DAY.fullmatch(text)
    if found is None:
        return Problem("cell.day")
    year, month, day = (each and int(each) for each in found.groups())
    try:
        datetime(int(year), month or 1, day or 1, tzinfo=UTC)
    except ValueError:
        return Problem("cell.day")
    return "-".join([f"{year:04}", *(f"{each:02}" for each in (month, day) if each is not None)])


def whole_day(value: Value) -> Any:
    """A day: ``2030-01-31`` and the other ways to write it. ``长期`` is none."""
    if value in ("长期", "long-term"):
        return None
    found = part_of_date(value)
    return found if isinstance(found, Problem) or len(found) == len("1990-01-01") else Problem("cell.day")


def moment(value: Value) -> Any:
    """A day with a time of day, as the protocol writes it. Without an offset it is Beijing's."""
    text = normalize("NFKC", value) if isinstance(value, str) else ""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return Problem("cell.time")
    year, month, day, hour, minute, second, offset = found.groups()
    try:
        zone = BEIJING if offset is None else datetime.fromisoformat(f"2000-01-01T00:00:00{offset}").tzinfo
        at = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=zone)
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    except (ValueError, OverflowError):
        return Problem("cell.time")
