"""What a facility makes of a pack: its own scope, the values it changed, and numbers that one rule gives another.

A legal row (basis V) only takes values that are tighter than its own. Where several values meet, the tightest holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import orjson

from backend.domain.rules.model import Basis, Gives, Pack, Rule, Tightening
from backend.domain.rules.reading import OF_RULE, duration, is_count, milliseconds, value_of
from backend.kernel.ids import b64, sha256

MOST_TIMES = 1000
SHORTEST = 5 * 60_000
"""No interval at which something is asked for again is shorter: it could not be done, and would fill every list."""
INTERVALS = frozenset({"every", "repeats", "least", "most"})
LONGEST = 3660 * 24 * 3_600_000
"""Ten years; nothing in a pack lasts longer."""


class NotTighter(ValueError):
    """A legal row would be relaxed. ``bound``: its own value, as a facility writes it."""

    def __init__(self, bound: str) -> None:
        super().__init__(bound)
        self.bound = bound


@dataclass(frozen=True, slots=True)
class Override:
    """A value of a rule as a facility wants it from a day on: milliseconds, or how often."""

    rule: str
    value: str
    amount: int
    since: date


def tightening(rule: Rule, value: str) -> Tightening:
    """Which way a value may go. Raises LookupError: a facility cannot change it."""
    found = next((each for each in rule.tighter if each.value == value), None)
    if found is None:
        raise LookupError(f"{rule.id} has no value {value} that may be changed")
    return found


def spelled(rule: Rule, value: str, amount: int) -> str:
    """An amount as a facility writes it: ``PT24H``, or a number of times."""
    return str(amount) if is_count(rule, value) else duration(amount)


def amount_of(rule: Rule, value: str, said: str) -> int:
    """An amount from how a facility wrote it. Raises ValueError: it is none, or out of all bounds; NotTighter: the row is
    legal and this would relax it; LookupError: this cannot be changed."""
    way = tightening(rule, value)
    amount = _times(said) if is_count(rule, value) else milliseconds(said)
    times = is_count(rule, value)
    floor = SHORTEST if value in INTERVALS and not times else 1
    if not floor <= amount <= (MOST_TIMES if times else LONGEST):
        raise ValueError(f"{said} is out of bounds")
    own = value_of(rule, value)
    assert own is not None  # the reading of the pack has seen to it
    if rule.basis is Basis.READ and _tightest(way, (own, amount)) != amount:
        raise NotTighter(spelled(rule, value, own))
    _possible(rule, value, amount)
    return amount


def _times(said: str) -> int:
    if not said.isascii() or not said.isdigit():
        raise ValueError(f"{said!r} is no number of times")
    return int(said)


def _possible(rule: Rule, value: str, amount: int) -> None:
    """A reminder lies within the time there is, the least interval below the most."""
    above = {"warn": "within", "least": "most"}.get(value)
    bound = None if above is None else value_of(rule, above)
    if bound is not None and amount > bound:
        raise ValueError(f"{value} would be longer than {above}")


def _tightest(way: Tightening, amounts: Iterable[int]) -> int:
    return min(amounts) if way.direction in {"shorter", "fewer"} else max(amounts)


def _with(rule: Rule, value: str, amount: int) -> Rule:
    changes: dict[str, Any] = {value: amount}
    if value in OF_RULE:
        return replace(rule, **changes)
    return replace(rule, trigger=replace(rule.trigger, **changes))


def laid(pack: Pack, type_: str, overrides: Iterable[Override], today: date) -> Pack:
    """The pack as it is in force in a facility of a type on a day. What is no longer possible since the pack has changed
    (a rule that has gone, a value that would relax the law) is left out. Its digest is that of the pack and of what was
    laid over it; nobody has signed it yet."""
    rules = {key: rule for key, rule in pack.rules.items() if type_ in rule.scope and rule.effective <= today}
    wanted: dict[tuple[str, str], list[int]] = {}
    for each in overrides:
        if each.since <= today and _holds(rules.get(each.rule), each):
            wanted.setdefault((each.rule, each.value), []).append(each.amount)
    taken = []
    for (key, value), amounts in sorted(wanted.items()):
        rule = rules[key]
        amount = _tightest(tightening(rule, value), amounts)
        rules[key] = _with(rule, value, amount)
        taken.append([key, value, amount])
    rules = {key: _fitted(pack.rules[key], rule) for key, rule in rules.items()}
    digest = b64(sha256(orjson.dumps([pack.digest, type_, sorted(rules), taken])))
    return replace(pack, rules=given(rules), digest=digest)


def _holds(rule: Rule | None, override: Override) -> bool:
    if rule is None:
        return False
    try:
        amount_of(rule, override.value, spelled(rule, override.value, override.amount))
    except (LookupError, ValueError):
        return False
    return True


def _fitted(own: Rule, rule: Rule) -> Rule:
    """Where the time there is, or the longest interval, was shortened below what hangs on it, that is shortened alike."""
    for value, above in (("warn", "within"), ("least", "most")):
        amount, bound = value_of(rule, value), value_of(rule, above)
        if amount is None or bound is None or amount <= bound:
            continue
        before, whole = value_of(own, value), value_of(own, above)
        assert before is not None and whole is not None
        rule = _with(rule, value, min(before, whole) * bound // whole)
    return rule


def given(rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """The rules with the numbers that some of them give others: where both have one, the shorter holds."""
    found = dict(rules)
    for rule in rules.values():
        if not isinstance(rule.trigger, Gives) or rule.trigger.to not in found:
            continue
        to = found[rule.trigger.to]
        numbers: dict[str, Any] = {}
        for name in OF_RULE:
            both = [number for number in (getattr(to, name), getattr(rule, name)) if number is not None]
            numbers[name] = min(both, default=None)
        if numbers["warn"] is not None and numbers["within"] is not None:
            numbers["warn"] = min(numbers["warn"], numbers["within"])
        found[to.id] = replace(to, **numbers)
    return found
