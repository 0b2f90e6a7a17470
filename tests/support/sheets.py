"""Files of rosters and registers, made as programs make them, or as somebody does who wants in."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Sequence
from io import BytesIO, StringIO
from typing import Any
from xml.sax.saxutils import escape

import openpyxl
import orjson

Rows = Sequence[Sequence[Any]]
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
SHEET = "xl/worksheets/sheet1.xml"


def xlsx(*rows: Sequence[Any], more: Rows = (), formats: dict[str, str] | None = None) -> bytes:
    """A workbook: the rows on its first sheet, ``more`` on a second. ``formats``: cell → number format."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(list(row))
    for cell, shown in (formats or {}).items():
        sheet[cell].number_format = shown
    if more:
        second = book.create_sheet("二")
        for row in more:
            second.append(list(row))
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def comma(*rows: Sequence[str], charset: str = "utf-8", delimiter: str = ",") -> bytes:
    """A CSV file."""
    out = StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode(charset)


def objects(*rows: Sequence[Any]) -> bytes:
    """The same as JSON: the first row has the keys."""
    titles, *lines = rows
    return orjson.dumps([dict(zip(titles, line, strict=False)) for line in lines])


def with_parts(book: bytes, parts: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A workbook with some parts replaced or added."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(book)) as old, zipfile.ZipFile(out, "w", method) as new:
        kept = {part.filename: old.read(part) for part in old.infolist()}
        for name, data in (kept | parts).items():
            new.writestr(name, data)
    return out.getvalue()


def sheet_of(body: str, before: str = "", head: str = "") -> bytes:
    """The XML of a sheet, written by hand."""
    return f"{head}<worksheet {MAIN}>{before}<sheetData>{body}</sheetData></worksheet>".encode()


def cells(*texts: str) -> str:
    """A row of texts in that XML."""
    return "<row>" + "".join(f'<c t="inlineStr"><is><t>{escape(text)}</t></is></c>' for text in texts) + "</row>"
