"""The kind ``rule.override``: a value of a rule as a facility wants it from a day on. A legal row is only tightened, never
relaxed; of several values for one the tightest holds (``backend.domain.rules.composing``)."""

from __future__ import annotations

from marshmallow import Schema

from backend.domain.rules.composing import NotTighter, amount_of
from backend.domain.rules.reading import OF_RULE, OF_TRIGGER, base
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import choice, day, is_day, named, word
from backend.records.rules.withdrawing import LEADERS, STANDS, STATES, Withdrawal, partition_of, withdraw

VALUES = {
    "within": Text("完成时限", "time there is"),
    "warn": Text("提醒时间", "when it is reminded"),
    "repeats": Text("重复间隔", "how often it is asked again"),
    "after": Text("持续多久后", "after how long"),
    "every": Text("间隔", "interval"),
    "lasts": Text("持续期间", "how long it lasts"),
    "lead": Text("提前量", "how long ahead"),
    "least": Text("最少", "the least"),
    "most": Text("最长间隔", "the longest interval"),
    "by": Text("核对时点", "when it is counted"),
    "at": Text("开始时点", "when it begins"),
    "spread": Text("随机范围", "range of chance"),
}
"""What may be changed of a rule; which of them, and which way is tighter, each rule says itself."""


class Change(Schema):
    """``amount``: a duration in ISO 8601 (``PT12H``, ``P2D``), or a number of times, as the rule has it. ``since``: the first
    day on which it holds. ``reason``: why, with the paper behind it."""

    rule = word(20)
    value = choice((*OF_RULE, *OF_TRIGGER))
    amount = word(20)
    since = day()
    reason = word(500)


def _lay(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    rule = base().rules.get(said["rule"])
    if rule is None or known.facility_type() not in rule.scope:
        return Problem("rule.unknown", "fields.rule")
    try:
        amount_of(rule, said["value"], said["amount"])
    except LookupError:
        return Problem("field.invalid", "fields.value")
    except NotTighter as fault:
        return Problem("rule.not_tighter", "fields.amount", rule=rule.id, value=said["value"], bound=fault.bound)
    except ValueError:
        return Problem("field.invalid", "fields.amount")
    if not is_day(said["since"]):
        return Problem("field.invalid", "fields.since")
    return Ruling({**said, "state": STANDS}, partition_of(deed), STANDS)


OVERRIDE = Kind(
    name="rule.override",
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.ROSTER,
    writers=LEADERS,
    verbs={
        "lay": Verb(Change, _lay, Text("调整", "change"), creates=True, signoff=True),
        "withdraw": Verb(Withdrawal, withdraw, Text("撤销", "withdraw"), signoff=True, watches=("state",)),
    },
    text=Text("规则调整", "change of a rule"),
    labels={
        "rule": Text("规则编号", "rule"),
        "value": Text("项目", "value"),
        **named("value", VALUES),
        "amount": Text("数值", "amount"),
        "since": Text("生效日期", "from"),
        "reason": Text("理由", "reason"),
        "state": Text("状态", "state"),
        **named("state", STATES),
        "withdrawn": Text("撤销情况", "withdrawal"),
    },
)
