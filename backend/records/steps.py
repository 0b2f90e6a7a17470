"""Steps that stand in a document: what was done to it, each with its time and its officer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.kernel.clock import to_text
from backend.kernel.kind import Deed


def step_of(word: str, deed: Deed, said: Mapping[str, Any]) -> dict[str, Any]:
    """One step: its name, when its officer says that he took it, who he is, and what he said."""
    return {"step": word, "at": to_text(deed.observed_at), "by": deed.officer, **said}
