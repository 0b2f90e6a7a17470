"""CSV (RFC 4180) in UTF-8 or GB18030, which is what spreadsheets in China write when asked for CSV."""

from __future__ import annotations

import csv
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from io import StringIO

from backend.imports.table import Line, Table, clean, collect, unreadable

_CHARSETS = {"utf-8": "utf-8", "utf8": "utf-8", "gb18030": "gb18030", "gbk": "gb18030", "gb2312": "gb18030"}
_DELIMITERS = ",\t;"
_TWO_BYTES = 0x800
"""Signs below take at most two bytes in UTF-8, as most Chinese ones do in GB18030; those above, Chinese ones, take three."""


def read(raw: bytes, charset: str | None = None) -> Table:
    """The table in a file. ``charset``: what the sender says it is in. Raises Problem ``import.unreadable``."""
    text = decode(raw, charset)
    head = text.lstrip().partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    return collect(_lines(text, delimiter))


def decode(raw: bytes, charset: str | None) -> str:
    """The text of a file, by what its sender says, else by its mark, else as UTF-8 if it is that, else as GB18030.

    A file that may be both is not guessed at: 目 in GB18030 is Ŀ in UTF-8. Raises Problem ``import.unreadable``.
    """
    if charset is not None and charset.lower() not in _CHARSETS:
        raise unreadable("charset")
    if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise unreadable("charset")
    if raw.startswith(BOM_UTF8):
        charset = "utf-8"
    if charset is not None:
        found = _as(raw, _CHARSETS[charset.lower()])
    else:
        found = _as(raw, "utf-8")
        doubtful = found is not None and not found.isascii() and max(map(ord, found)) < _TWO_BYTES
        if doubtful and _as(raw, "gb18030") is not None:
            raise unreadable("charset")
        found = _as(raw, "gb18030") if found is None else found
    if found is None:
        raise unreadable("charset")
    return found.removeprefix("\ufeff")


def _as(raw: bytes, charset: str) -> str | None:
    try:
        return raw.decode(charset)
    except UnicodeDecodeError:
        return None


def _lines(text: str, delimiter: str) -> Iterator[Line]:
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for number, row in enumerate(rows, 1):
            yield Line(number, tuple(map(clean, row)))
    except csv.Error:
        raise unreadable("syntax") from None
