"""``flask docs``: the documents that are made from the code; a test compares them with the stored ones."""

from __future__ import annotations

from pathlib import Path

import click
import orjson
from flask import current_app
from flask.cli import AppGroup

from backend.kernel.problems import CATALOGUE

group = AppGroup("docs", help="Documents made from the code.")


def openapi_document() -> bytes:
    """The OpenAPI document, keys sorted."""
    spec = current_app.extensions["flask-smorest"]["apis"][""]["ext_obj"].spec
    return orjson.dumps(spec.to_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def errors_document() -> str:
    """The closed set of problems as a page."""
    rows = [
        f"| `{e.code}` | {e.status} | {e.zh} | {e.en} | {', '.join(f'`{d}`' for d in e.detail)} |"
        for e in CATALOGUE.values()
    ]
    head = (
        "# Problems\n\nMade by `make docs` from `backend/kernel/problems.py`. A problem answers a request with its "
        "status, or stands\ninside an operation's outcome; then its status says nothing.\n\n"
        "| code | status | 中文 | English | detail |\n|---|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


@group.command("write")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("docs"))
def write(folder: Path) -> None:
    """Write openapi.json and errors.md into FOLDER."""
    (folder / "openapi.json").write_bytes(openapi_document())
    (folder / "errors.md").write_text(errors_document(), encoding="utf-8")
