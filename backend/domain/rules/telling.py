"""A rule as it is shown: to whoever asks over HTTP; in words it is told by ``wording``. Durations as ISO 8601."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from enum import Enum
from typing import Any

from backend.domain.rules import model
from backend.domain.rules.composing import spelled
from backend.domain.rules.model import Basis, Gives, Match, Pack, Rule, Waiting
from backend.domain.rules.reading import duration, is_count, value_of
from backend.domain.rules.sources import in_both
from backend.kernel.kind import Text

BASES: Mapping[Basis, Text] = {
    Basis.READ: Text("已读原文", "read in the primary text"),
    Basis.PARTIAL: Text("节录或转述", "partial or secondary copy"),
    Basis.PRACTICE: Text("实战系统惯例", "practice of deployed systems"),
    Basis.RECALLED: Text("据记忆，无来源", "recalled, unsourced"),
    Basis.LOCAL: Text("本地设定，非法律", "local default, not law"),
}
SORTS: Mapping[type[model.Trigger], str] = {
    model.OnEvent: "on_event",
    model.Lasting: "lasting",
    model.Before: "before",
    model.Counted: "counted",
    model.Scheduled: "scheduled",
    model.Windows: "windows",
    model.Gated: "gated",
    model.Waiting: "waiting",
    model.Gives: "gives",
    model.Kept: "kept",
}
"""Trigger → how a pack spells it."""
TO_CONFIRM = Text("待本单位法制人员确认", "to be confirmed by the facility's lawyer")


def text_of(text: Text) -> dict[str, str]:
    return {"zh": text.zh, "en": text.en}


def matched(matches: Iterable[Match]) -> list[dict[str, Any]]:
    """Events as a pack spells them, with the facts that are compared."""
    return [
        {"event": each.event, "where": {name: list(values) for name, values in each.where.items()}} for each in matches
    ]


def trigger_of(rule: Rule) -> dict[str, Any]:
    """``{sort, …}`` with the fields of its sort of trigger (model.py)."""
    told: dict[str, Any] = {"sort": SORTS[type(rule.trigger)]}
    for each in fields(rule.trigger):
        told[each.name] = _value(rule, each.name, getattr(rule.trigger, each.name))
    return told


def _value(rule: Rule, name: str, value: Any) -> Any:
    if isinstance(value, Text):
        return text_of(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return matched(value) if value and isinstance(value[0], Match) else list(value)
    if isinstance(value, int):
        return value if is_count(rule, name) else duration(value)
    return value


def told(rule: Rule, own: Rule | None = None) -> dict[str, Any]:
    """A rule with all that it says. ``own``: as the product's pack has it; then ``changes`` lists the values that differ."""
    return {
        "rule": rule.id,
        "row": rule.row,
        "scope": sorted(rule.scope),
        "text": text_of(rule.text),
        "source": rule.source,
        "source_text": text_of(in_both(rule.source)),
        "basis": rule.basis.value,
        "basis_text": text_of(BASES[rule.basis]),
        "effective": rule.effective.isoformat(),
        "posts": list(rule.posts),
        "loud": rule.loud,
        "trigger": trigger_of(rule),
        "within": _span(rule.within),
        "until": None if rule.until is None else rule.until.value,
        "warn": _span(rule.warn),
        "repeats": _span(rule.repeats),
        "done": None if rule.done is None else matched(rule.done),
        "chain": [{"after": duration(rung.after), "posts": list(rung.posts)} for rung in rule.chain],
        "tighter": {each.value: each.direction for each in rule.tighter},
        "local": sorted(rule.local),
        "reading": text_of(rule.reading),
        "changes": {} if own is None else changes(own, rule),
    }


def _span(value: int | None) -> str | None:
    return None if value is None else duration(value)


def changes(own: Rule, rule: Rule) -> dict[str, dict[str, str]]:
    """Value → as the product has it, and as it is in force here."""
    found = {}
    for each in rule.tighter:
        before, here = value_of(own, each.value), value_of(rule, each.value)
        if before is not None and here is not None and before != here:
            found[each.value] = {"own": spelled(own, each.value, before), "here": spelled(rule, each.value, here)}
    return found


def told_pack(pack: Pack, own: Pack) -> dict[str, Any]:
    """A pack without its rules' details: what it is, whether it was confirmed, how many rules wait for something."""
    waiting = [rule.id for rule in pack.rules.values() if waits_for(rule, pack.rules) is not None]
    return {
        "name": pack.name,
        "version": pack.version,
        "digest": pack.digest,
        "own": own.digest,
        "signed": pack.signed,
        "notice": None if pack.signed else text_of(TO_CONFIRM),
        "rules": len(pack.rules),
        "waiting": sorted(waiting),
    }


def waits_for(rule: Rule, rules: Mapping[str, Rule]) -> Text | None:
    """What is missing before a rule can fire, or before the one can to which it gives its number; None: nothing."""
    if isinstance(rule.trigger, Gives) and rule.trigger.to in rules:
        return waits_for(rules[rule.trigger.to], rules)
    return rule.trigger.missing if isinstance(rule.trigger, Waiting) else None
