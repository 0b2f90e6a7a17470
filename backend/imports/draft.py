"""What an import comes to before anything is written: records to be made, in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.identity.officers import Officer
from backend.storage.door import Transaction


@dataclass(frozen=True, slots=True)
class Draft:
    """A record to be made: ``verb`` is one that creates."""

    kind: str
    verb: str
    record: str
    fields: Mapping[str, Any]


First = Callable[[Transaction], None]
"""Is called before anything is written, under the facility's lock; what it raises stops it all."""
Make = Callable[[Officer, Sequence[Draft], First], None]
"""Makes all the records of some drafts for an officer, or none. Raises Problem ``state.changed`` when one was refused."""
