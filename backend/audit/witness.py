"""Signed heads kept in files beside the database, where no restore of the database reaches them.

``<facility>.head`` is the largest head of this installation; ``<facility>.<epoch>.<source>.shown`` the largest one of an
epoch that a source has proved to be missing from the log: a terminal, or this installation's own file.
Whoever cuts the log's tail in the database, or restores an older backup in silence, is shown by them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.audit.log import anchor_of

OWN = "file"
"""The source of a head that this installation kept itself."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A head in a file: as it was signed, by whom it was shown."""

    facility: str
    source: str
    head: str


def recall(folder: Path, facility: str) -> str | None:
    """The head kept for a facility, if any."""
    return _read(folder / f"{facility}.head")


def keep(folder: Path, facility: str, head: str) -> bool:
    """Keeps a head if it is larger than the one kept; whether it was."""
    return _replace(folder / f"{facility}.head", head)


def keep_shown(folder: Path, shown: Kept) -> None:
    """Keeps a head that the log lacks, unless the same source has shown a larger one of the epoch."""
    epoch = anchor_of(shown.head)["epoch"]
    _replace(folder / f"{shown.facility}.{epoch}.{shown.source}.shown", shown.head)


def everything(folder: Path) -> Iterator[Kept]:
    """All heads kept for all facilities, none of them believed yet."""
    for path in sorted(folder.glob("*.*")):
        parts = path.name.split(".")
        head = _read(path) if path.suffix in (".head", ".shown") else None
        if head is not None and len(parts) in (2, 4):
            yield Kept(parts[0], parts[2] if len(parts) == 4 else OWN, head)


def _read(path: Path) -> str | None:
    try:
        return path.read_text("ascii").strip() or None
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def _replace(path: Path, head: str) -> bool:
    """Puts a larger head into a file, which changes whole or not at all; whether it was larger."""
    kept = _read(path)
    if kept is not None and _rank(head) <= _rank(kept):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.draft")
    with draft.open("w", encoding="ascii") as file:
        file.write(head + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return True


def _rank(head: str) -> tuple[int, int]:
    try:
        anchor = anchor_of(head)
        return anchor["epoch"], anchor["size"]
    except (ValueError, KeyError, IndexError):  # a file that somebody has spoilt gives way to any head
        return 0, 0
