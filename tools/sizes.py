"""The house rule on size: no file past 500 lines, no function past 50, outside of generated code."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE, FUNCTION = 500, 50
PYTHON = (
    "backend",
    "sync",
    "biometrics",
    "tasks",
    "mobile_api",
    "headless",
    "demo",
    "bench",
    "tools",
    "torture",
    "tests",
)
EXEMPT = {"backend/storage/migrations/versions": "a migration is one function of plain declarations"}


def _sources() -> Iterator[Path]:
    yield ROOT / "wsgi.py"
    for folder in PYTHON:
        yield from sorted((ROOT / folder).rglob("*.py"))
    for ending in ("*.ts", "*.vue", "*.css"):
        yield from sorted((ROOT / "terminal" / "src").rglob(ending))


def _too_long(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(ROOT).as_posix()
    lines = text.count("\n")
    if lines > FILE:
        yield f"{name}: {lines} lines, at most {FILE}"
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > FUNCTION:
                yield f"{name}:{node.lineno}: {node.name} has {length} lines, at most {FUNCTION}"


def main() -> None:
    found = [
        complaint
        for path in _sources()
        if not any(path.relative_to(ROOT).as_posix().startswith(prefix) for prefix in EXEMPT)
        for complaint in _too_long(path)
    ]
    print("\n".join(found) or "sizes: kept")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
