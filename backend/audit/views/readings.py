"""Who was shown values: a leaf for each answer that holds any, written before the answer leaves.

Medical rows leave one wherever they are given out, on the way to a terminal too: ``medical.read``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.audit.log import append
from backend.kernel.kind import Compartment
from backend.storage.door import Door, Transaction

_MEDICAL = f"/{Compartment.MEDICAL}"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks: ids of the officer, his session and his terminal."""

    facility: str
    officer: str
    session: str
    terminal: str

    def facts(self) -> dict[str, str]:
        """How a leaf names him."""
        return {"officer": self.officer, "session": self.session, "terminal": self.terminal}


def note(door: Door, reader: Reader, view: str, subjects: Sequence[str], partitions: Iterable[str] = ()) -> None:
    """Leaf ``view.read``. ``subjects``: what was shown, as ids; nothing shown is nothing noted. ``partitions``: of which
    rows were shown; those that are medical get their own leaf.

    Raises Problem ``server.busy`` or ``server.behind``: then nothing may be shown.
    """
    closed = sorted(set(filter(is_medical, partitions)))

    def work(transaction: Transaction) -> None:
        append(transaction, "view.read", reader.facts() | {"view": view, "subjects": list(subjects)})
        if closed:
            _append_medical(transaction, reader, closed, None)

    if subjects:
        door.write(reader.facility, work)


def is_medical(partition: str) -> bool:
    """Whether reading a partition's rows leaves a leaf each time."""
    return partition.endswith(_MEDICAL)


def note_medical(door: Door, reader: Reader, partitions: Sequence[str], upto: int | None) -> None:
    """Leaf ``medical.read`` for rows that are about to be given. ``upto``: the sequence number up to which.

    Raises Problem ``server.busy`` or ``server.behind``: then nothing may be given.
    """
    door.write(reader.facility, lambda transaction: _append_medical(transaction, reader, partitions, upto))


def _append_medical(transaction: Transaction, reader: Reader, partitions: Sequence[str], upto: int | None) -> None:
    append(transaction, "medical.read", reader.facts() | {"partitions": list(partitions), "upto": upto})


def number(terminal: str, incarnation: int, n: int) -> str:
    """An operation as a subject, whether its id was legible or not: ``<terminal>/<incarnation>/<n>``."""
    return f"{terminal}/{incarnation}/{n}"
