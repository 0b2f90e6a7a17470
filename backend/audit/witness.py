"""The high-water mark: the largest signed head this installation has seen, in a file beside the database.

Whoever cuts the log's tail in the database, or restores an older backup in silence, is shown by it.
"""

from __future__ import annotations

import os
from pathlib import Path

from backend.audit.log import anchor_of


def _file(folder: Path, facility: str) -> Path:
    return folder / f"{facility}.head"


def recall(folder: Path, facility: str) -> str | None:
    """The head kept for a facility, if any."""
    try:
        return _file(folder, facility).read_text("ascii").strip() or None
    except FileNotFoundError:
        return None


def keep(folder: Path, facility: str, head: str) -> bool:
    """Keeps a head if it is larger than the one kept; whether it was. The file changes whole or not at all."""
    kept = recall(folder, facility)
    if kept is not None and _rank(head) <= _rank(kept):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    path = _file(folder, facility)
    draft = path.with_suffix(f".{os.getpid()}.draft")
    with draft.open("w", encoding="ascii") as file:
        file.write(head + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return True


def _rank(head: str) -> tuple[int, int]:
    anchor = anchor_of(head)
    return anchor["epoch"], anchor["size"]
