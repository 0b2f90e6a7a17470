"""A rule as the reason of a refusal or of a duty: its words, what it rests on and how far that is law."""

from __future__ import annotations

from typing import Any

from backend.domain.rules.model import Rule
from backend.domain.rules.reading import base
from backend.domain.rules.sources import in_both
from backend.kernel.problems import Problem


def rule_of(rule: str) -> Rule:
    """The rule of that id in the pack of the product. Raises LookupError."""
    found = base().rules.get(rule)
    if found is None:
        raise LookupError(f"no rule {rule}")
    return found


def cited(rule: str) -> dict[str, Any]:
    """``{rule, text: {zh, en}, source: {zh, en}, basis}`` of a rule. Raises LookupError."""
    found = rule_of(rule)
    source = in_both(found.source)
    return {
        "rule": rule,
        "text": {"zh": found.text.zh, "en": found.text.en},
        "source": {"zh": source.zh, "en": source.en},
        "basis": found.basis.value,
    }


def forbids(rule: str, field: str | None = None) -> Problem:
    """The problem ``rule.forbids``: a planned act that a rule does not allow. ``field``: where that shows."""
    said = cited(rule)
    return Problem("rule.forbids", field, rule=rule, text=said["text"], source=said["source"], basis=said["basis"])
