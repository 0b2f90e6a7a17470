"""What the engine is given besides the families of rules: watchers that no row of a pack asks for."""

from __future__ import annotations

from collections.abc import Sequence

from backend.duty import approvals, handing, loop, mismatches
from backend.duty.engine.family import Watcher


def companions() -> Sequence[Watcher]:
    """All of them."""
    return [each for module in (loop, mismatches, approvals, handing) for each in module.companions()]
