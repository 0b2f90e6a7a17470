"""What was found to be broken."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

INVARIANTS = {
    1: "An acknowledged operation is never lost and never applied twice",
    2: "Every operation ends with exactly one final outcome, kept for good",
    3: "Terminals with empty queues hold exactly the rows of their scope, with the server's bytes",
    4: "No value is lost in a conflict",
    5: "One leaf for each receipt and final outcome; the log verifies",
    6: "Nothing outside a scope is sent; what leaves it is removed",
    7: "One bad operation never stops another that does not depend on it",
    8: "What an officer saw happen can always be recorded",
}
"""SYNC.md's invariants."""


@dataclass(frozen=True)
class Broken:
    """One thing that is wrong. ``about``: ids of operations, records, terminals that its history tells of."""

    invariant: int
    rule: str
    what: str
    about: tuple[str, ...] = ()


@dataclass
class Verdict:
    """All that was found, how much was looked at, and what is no failure but worth saying."""

    broken: list[Broken] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    events: list[dict[str, object]] = field(default_factory=list)
    stores: list[Any] = field(default_factory=list)

    def add(self, invariant: int, rule: str, what: str, *about: str | None) -> None:
        """Notes something broken; a rule is told of at most twenty times."""
        self.remarks[f"broken: {rule}"] += 1
        if self.remarks[f"broken: {rule}"] <= 20:
            self.broken.append(Broken(invariant, rule, what, tuple(each for each in about if each)))
