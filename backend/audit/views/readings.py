"""Who was shown values: a leaf for each answer that holds any, written before the answer leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.audit.log import append
from backend.storage.door import Door, Transaction


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks: ids of the officer, his session and his terminal."""

    facility: str
    officer: str
    session: str
    terminal: str


def note(door: Door, reader: Reader, view: str, subjects: Sequence[str]) -> None:
    """Leaf ``view.read``. ``subjects``: what was shown, as ids; nothing shown is nothing noted.

    Raises Problem ``server.busy`` or ``server.behind``: then nothing may be shown.
    """

    def work(transaction: Transaction) -> None:
        facts = {"officer": reader.officer, "session": reader.session, "terminal": reader.terminal}
        append(transaction, "view.read", facts | {"view": view, "subjects": list(subjects)})

    if subjects:
        door.write(reader.facility, work)


def number(terminal: str, incarnation: int, n: int) -> str:
    """An operation as a subject, whether its id was legible or not: ``<terminal>/<incarnation>/<n>``."""
    return f"{terminal}/{incarnation}/{n}"
