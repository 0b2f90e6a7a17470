"""`make docs`: writes again what is made from the code, and nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path

import orjson

from backend.domain.rules.page import page
from backend.domain.rules.reading import base
from backend.settings import Settings
from mobile_api.commands.openapi import errors_document, openapi_document
from tools import exchange, transcript
from tools.vectors import make
from wsgi import create_app

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT / "tests" / "vectors" / "protocol.json"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings.read({"ROUNDSMAN_DATA": folder}))
        with app.app_context():
            (ROOT / "docs" / "openapi.json").write_bytes(openapi_document())
            (ROOT / "docs" / "errors.md").write_text(errors_document(), encoding="utf-8")
    (ROOT / "docs" / "rules.md").write_text(page(base()), encoding="utf-8")
    kept = orjson.loads(VECTORS.read_bytes()) if VECTORS.exists() else {}
    VECTORS.write_bytes(orjson.dumps(make(kept), option=orjson.OPT_INDENT_2) + b"\n")
    exchange.write_into(ROOT / "docs" / "protocol.md")
    transcript.write_into(ROOT / "README.md")


if __name__ == "__main__":
    main()
