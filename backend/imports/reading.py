"""Bytes and a content type → a table."""

from __future__ import annotations

from pathlib import Path

from backend.imports import csv_file, json_file, xlsx_file
from backend.imports.table import MOST_BYTES, Table, too_large
from backend.kernel.problems import Problem

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv"
JSON = "application/json"
BY_ENDING = {".xlsx": XLSX, ".csv": CSV, ".json": JSON}


def read(raw: bytes, type_: str, charset: str | None = None) -> Table:
    """The table in a file of a content type; ``charset``: what the sender says of a CSV file.

    Raises Problem ``type.unsupported``, ``import.unreadable``, ``import.too_large``.
    """
    if len(raw) > MOST_BYTES:
        raise too_large("bytes", MOST_BYTES)
    if type_ == XLSX:
        return xlsx_file.read(raw)
    if type_ == CSV:
        return csv_file.read(raw, charset)
    if type_ == JSON:
        return json_file.read(raw)
    raise Problem("type.unsupported")


def type_of(path: Path) -> str:
    """The content type of a file by the end of its name. Raises Problem ``type.unsupported``."""
    found = BY_ENDING.get(path.suffix.lower())
    if found is None:
        raise Problem("type.unsupported")
    return found
