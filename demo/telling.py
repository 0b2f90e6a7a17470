"""How the play is told: lines that fit, also where half of the signs are Chinese and take two columns."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

WIDTH = 100
_WIDE = "WF"


def width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    return sum(2 if unicodedata.east_asian_width(sign) in _WIDE else 1 for sign in text)


def _pieces(text: str) -> Iterator[str]:
    """Where a line may end: after a space, and after every Chinese sign."""
    piece = ""
    for sign in text:
        piece += sign
        if sign == " " or unicodedata.east_asian_width(sign) in _WIDE:
            yield piece
            piece = ""
    yield piece


def folded(text: str, most: int) -> Iterator[str]:
    """A text in lines of at most so many columns."""
    line = ""
    for piece in _pieces(text):
        if line and width(line + piece.rstrip()) > most:
            yield line.rstrip()
            line = ""
        line += piece
    yield line.rstrip()


def counted(outcomes: Iterable[dict[str, Any]]) -> str:
    """``14 applied, 1 rejected``."""
    statuses = Counter(outcome["status"] for outcome in outcomes)
    return ", ".join(f"{count} {status}" for status, count in statuses.most_common()) or "nothing new"
