"""XLSX (ECMA-376), read by openpyxl after the archive has been looked through.

An archive is small and what it unpacks to need not be: sizes, ratio and the number of tags are known before anything is
parsed. No entities, no formulas; of a workbook the first sheet.
"""

from __future__ import annotations

import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from typing import Any

import openpyxl
from defusedxml.common import DefusedXmlException

from backend.imports.table import Line, Table, Value, clean, collect, too_large, unreadable, whole
from backend.kernel.problems import Problem

MOST_UNPACKED = 32 * 2**20
MOST_RATIO = 200
MOST_PARTS = 300
MOST_TAGS = 1_000_000
LAST_ROW = 2**20
"""A sheet has no more (ECMA-376); one that says so would be empty rows without end."""
_SMALL = 2**20
"""What unpacks to less is no bomb, however well it is packed."""
_PROLOGUE = re.compile(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)")
_FORBIDDEN = re.compile(rb"<!(DOCTYPE|ENTITY)")
_FORMULA = re.compile(rb"<(?:[\w.-]+:)?f[\s/>]")
_FORMULA_AT = re.compile(rb"<(?:[\w.-]+:)?c\s([^<>]*)>\s*<(?:[\w.-]+:)?f[\s/>]")
_REFERENCE = re.compile(rb"\br\s*=\s*[\"']([A-Z]{1,3}[0-9]{1,7})[\"']")
_PADDED = re.compile(r"0{2,15}", re.ASCII)


def read(raw: bytes) -> Table:
    """The table on the first sheet. Raises Problem ``import.unreadable``, ``import.too_large``."""
    formulas = look_through(raw)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it leaves out: styles, rules, extensions
            book = openpyxl.load_workbook(BytesIO(raw), read_only=True, data_only=True, keep_links=False)
            try:
                sheets = book.worksheets
                sheets[0].reset_dimensions()
                return collect(_lines(sheets[0], formulas), rest=len(sheets) > 1)
            finally:
                book.close()
    except Problem:
        raise
    except DefusedXmlException:
        raise unreadable("entities") from None
    except Exception:  # noqa: BLE001 - a stranger's file; whatever openpyxl stumbles over, it is the file's
        raise unreadable("format") from None


def look_through(raw: bytes) -> frozenset[str]:
    """Looks at every part before any is parsed; returns where formulas stand: ``B7``.

    Raises Problem ``import.unreadable``, ``import.too_large``.
    """
    formulas: set[str] = set()
    try:
        with zipfile.ZipFile(BytesIO(raw)) as archive:
            parts = archive.infolist()
            _measure(parts, len(raw))
            tags = 0
            for part in parts:
                data = archive.read(part)  # never more than it says it has, which was measured
                tags += data.count(b"<")
                if tags > MOST_TAGS:
                    raise too_large("tags", MOST_TAGS)
                formulas |= _inspect(data)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError):
        raise unreadable("format") from None
    return frozenset(formulas)


def _measure(parts: list[zipfile.ZipInfo], packed: int) -> None:
    if len(parts) > MOST_PARTS:
        raise too_large("parts", MOST_PARTS)
    size = sum(part.file_size for part in parts)
    if size > MOST_UNPACKED:
        raise too_large("unpacked", MOST_UNPACKED)
    if size > _SMALL and size > MOST_RATIO * packed:
        raise too_large("ratio", MOST_RATIO)
    right = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
    if len({part.filename for part in parts}) < len(parts) or any(
        part.compress_type not in right or part.flag_bits & 1 for part in parts
    ):
        raise unreadable("format")


def _inspect(data: bytes) -> set[str]:
    """What is read as XML must be UTF-8 without definitions, so that these very bytes are what a parser sees."""
    text = data.removeprefix(b"\xef\xbb\xbf")
    if text.startswith((b"\xff\xfe", b"\xfe\xff")) or (text.lstrip().startswith(b"<") and b"\0" in text):
        raise unreadable("charset")
    if not text.lstrip().startswith(b"<"):
        return set()
    declared = _PROLOGUE.match(text)
    if declared is not None and declared[1].lower() not in (b"utf-8", b"us-ascii"):
        raise unreadable("charset")
    if _FORBIDDEN.search(text):
        raise unreadable("entities")
    at = [_REFERENCE.search(found[1]) for found in _FORMULA_AT.finditer(text)]
    if None in at or len(at) < sum(1 for _ in _FORMULA.finditer(text)):
        raise unreadable("formula")
    return {found[1].decode() for found in at if found is not None}


def _lines(sheet: Any, formulas: frozenset[str]) -> Iterator[Line]:
    for number, row in enumerate(sheet.iter_rows(), 1):
        if number > LAST_ROW:
            raise too_large("rows", LAST_ROW)
        yield Line(number, tuple(_value(cell, formulas) for cell in row))


def _value(cell: Any, formulas: frozenset[str]) -> Value:
    said = cell.value
    if formulas and hasattr(cell, "coordinate") and cell.coordinate in formulas:
        return Problem("cell.formula")
    if said is None:
        return ""
    if cell.data_type == "e":
        return Problem("cell.broken")
    if isinstance(said, bool):
        return "true" if said else "false"
    if isinstance(said, str):
        return clean(said)
    if isinstance(said, datetime):
        return said.strftime("%Y-%m-%d" if not (said.hour or said.minute or said.second) else "%Y-%m-%d %H:%M:%S")
    return _number(said, cell.number_format) if isinstance(said, int | float) else Problem("cell.broken")


def _number(said: int | float, shown: str) -> str | Problem:
    """A number as its cell shows it: with the zeros before it that a format like ``000000`` puts there."""
    if isinstance(said, float) and not said.is_integer():
        return Problem("cell.number")
    digits = whole(str(int(said)))
    width = len(shown) if _PADDED.fullmatch(shown) else 0
    return digits if isinstance(digits, Problem) else digits.zfill(width)
