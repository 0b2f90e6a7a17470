"""A file as a table of texts: titles, and rows of cells under them. What cannot be a text is the problem that it is.

Numbers stay as they were typed: an identity number is no quantity. Nothing is repaired but blanks at the ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from backend.kernel.framing import MAX_BODY
from backend.kernel.problems import Problem

MOST_BYTES = MAX_BODY
MOST_ROWS = 5_000
MOST_COLUMNS = 40
MOST_SIGNS = 4_000
"""Of a cell; the longest text that any kind takes here has 500."""

Value = str | tuple[str, ...] | Problem
"""A cell: a text, empty where there is nothing; several texts, where the format has lists; or what is wrong with it."""

_WRONG = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
    "\u202a-\u202e\u2066-\u2069"  # they turn round the order in which a name is shown
    "\ud800-\udfff\ufdd0-\ufdef\ufffd\ufffe\uffff"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(1, 17))
    + "]"
)
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")
_WHOLE = re.compile(r"-?[0-9]{1,15}", re.ASCII)
"""What every program keeps exactly: a double has 53 bits, and spreadsheets show 15 digits."""
_BLANK = "\ufeff\u200b"


@dataclass(frozen=True, slots=True)
class Line:
    """A row. ``number``: as the file's own program counts it; in JSON the place in the array, from 1."""

    number: int
    cells: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """``titles`` as they stand in the file, on row ``at``; ``rest``: there was more that nobody reads."""

    titles: tuple[str, ...]
    at: int
    lines: tuple[Line, ...]
    rest: bool = False


def unreadable(reason: str) -> Problem:
    """The file as a whole is not what it says it is. ``reason`` is one of docs/imports.md."""
    return Problem("import.unreadable", reason=reason)


def too_large(what: str, limit: int) -> Problem:
    """``what``: ``bytes``, ``unpacked``, ``ratio``, ``parts``, ``tags``, ``rows`` or ``columns``."""
    return Problem("import.too_large", what=what, limit=limit)


def clean(text: str) -> str | Problem:
    """A text without blanks at its ends, or what is wrong with it."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip().strip(_BLANK).strip()
    if len(text) > MOST_SIGNS:
        return Problem("cell.long")
    if _WRONG.search(text):
        return Problem("cell.sign")
    return Problem("cell.formula") if text.startswith("=") else text


def whole(number: str) -> str | Problem:
    """A number that the file holds as one, as the text of its digits."""
    return number if _WHOLE.fullmatch(number) else Problem("cell.number")


def is_private(text: str) -> bool:
    """Whether a text has private-use signs, which every device shows as it likes."""
    return _PRIVATE.search(text) is not None


def collect(lines: Iterable[Line], rest: bool = False) -> Table:
    """The table of some lines, the first that is not empty being its titles; empty ones are left out.

    Raises Problem ``import.too_large``, and ``import.unreadable`` when there is nothing.
    """
    found: list[Line] = []
    for line in lines:
        width = max((at for at, cell in enumerate(line.cells, 1) if cell), default=0)
        if width > MOST_COLUMNS:
            raise too_large("columns", MOST_COLUMNS)
        if width:
            found.append(Line(line.number, line.cells[:width]))
        if len(found) > MOST_ROWS + 1:
            raise too_large("rows", MOST_ROWS)
    if not found:
        raise unreadable("empty")
    titles = tuple(cell if isinstance(cell, str) else "" for cell in found[0].cells)
    return Table(titles, found[0].number, tuple(found[1:]), rest)
