"""What the engine is given besides the families of rules: watchers that no row of a pack asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backend.domain.routing import SOURCE as ROUTING
from backend.duty import approvals, emergencies, handing, loop, mismatches, patterns
from backend.duty.engine.family import Watcher
from backend.kernel.kind import Text


def companions() -> Sequence[Watcher]:
    """All of them."""
    return [
        each for module in (loop, mismatches, emergencies, approvals, handing, patterns) for each in module.companions()
    ]


def asks() -> Mapping[str, tuple[Text, str]]:
    """What they ask, by the name that a duty of theirs gives as its rule (``loop.first``), with its source."""
    found = {f"loop.{step}": (text, ROUTING) for step, text in {**loop.STEPS, "task": loop.TASK}.items()}
    found |= {f"approval.{step}": (text, approvals.SOURCE) for step, text in approvals.STEPS.items()}
    return found | {step: (text, emergencies.SOURCE) for step, text in emergencies.STEPS.items()}
