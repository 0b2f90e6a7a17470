"""The kind ``duty``: asked of a post by a rule or a leader, and done, missed, handed on or called off. Every step stands in
the document with its time and officer: one that was missed and then done late shows both (rule pack, "MISSED is never
deleted"). The times are of the device; ``received_at`` of each version is the server's."""

from __future__ import annotations

from collections.abc import Iterator

from backend.domain.posts import Post
from backend.kernel.events import Event, Version
from backend.kernel.kind import Compartment, Kind, Policy, Text, Verb
from backend.records.duties import judging, serving
from backend.records.duties.words import (
    POSTS,
    SILENT,
    STATES,
    STEPS,
    WHY,
    Cancellation,
    Completion,
    Delegation,
    Delivery,
    Escalation,
    Explanation,
    Fulfilment,
    Issue,
    Nothing,
    Snooze,
)
from backend.records.forms import named

ABOUT_MISSES = "Y07"
"""The rule that asks for the reason of a miss. That its own duty was missed is no event: it would ask for ever."""
_WHOSE = ("posts", "officer")
_AS_IT_STOOD = ("state", *_WHOSE)


def _events(before: Version | None, after: Version) -> Iterator[Event]:
    """``duty.missed`` and ``duty.explained``, with the duty's rule."""
    if after.doc["rule"] == ABOUT_MISSES:
        return
    known = len(before.doc["steps"]) if before is not None else 0
    for step in after.doc["steps"][known:]:
        if step["step"] in {"missed", "explained"}:
            facts = {"rule": after.doc["rule"]}
            name = f"duty.{step['step']}"
            yield Event(name, after.observed_at, after.doc["person"], after.doc["place"], facts)


DUTY = Kind(
    name="duty",
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.BASE,
    writers=(frozenset(POSTS) - SILENT) | {Post.SYS},
    verbs={
        "issue": Verb(Issue, judging.issue, Text("下达", "issue"), creates=True, needs=judging.needs_subject),
        "acknowledge": Verb(Nothing, judging.acknowledge, Text("签收", "acknowledge"), watches=_WHOSE, by_value=True),
        "complete": Verb(
            Completion, judging.complete, Text("完成", "complete"), needs=judging.needs_record, by_value=True
        ),
        "snooze": Verb(Snooze, judging.snooze, Text("暂缓提醒", "snooze"), by_value=True),
        "miss": Verb(Nothing, judging.miss, Text("认定逾期", "call it missed"), by_value=True),
        "explain": Verb(Explanation, judging.explain, Text("说明逾期原因", "say why it was missed"), by_value=True),
        "delegate": Verb(Delegation, judging.delegate, Text("转派", "hand on"), watches=_AS_IT_STOOD, by_value=True),
        "cancel": Verb(Cancellation, judging.cancel, Text("取消", "cancel"), watches=_AS_IT_STOOD, by_value=True),
        "deliver": Verb(Delivery, serving.deliver, Text("送达回执", "note its delivery"), by_value=True, served=True),
        "remind": Verb(Nothing, serving.remind, Text("提醒", "remind"), by_value=True, served=True),
        "escalate": Verb(Escalation, serving.escalate, Text("上报", "escalate"), by_value=True, served=True),
        "unconfirm": Verb(
            Nothing, serving.unconfirm, Text("认定未确认", "call it unconfirmed"), by_value=True, served=True
        ),
        "fulfil": Verb(
            Fulfilment,
            serving.fulfil,
            Text("由记录完成", "done by a record"),
            needs=judging.needs_record,
            by_value=True,
            served=True,
        ),
    },
    text=Text("勤务", "duty"),
    labels={
        "rule": Text("规则编号", "rule"),
        "directive": Text("指令", "directive"),
        "asks": Text("规则要求", "what the rule asks"),
        "asks.zh": Text("中文", "in Chinese"),
        "asks.en": Text("英文", "in English"),
        "source": Text("依据", "source"),
        "cause": Text("起因记录", "what gave rise to it"),
        "posts": Text("责任岗位", "posts"),
        **named("posts", POSTS),
        "officer": Text("责任民警", "officer"),
        "person": Text("被监管人员", "person"),
        "place": Text("场所", "place"),
        "opens_at": Text("开始时间", "opens"),
        "due_at": Text("截止时间", "due"),
        "loud": Text("响铃提醒", "rings"),
        "warn_at": Text("提前提醒时间", "reminded at"),
        "chain": Text("逾期上报", "who is told when nobody has done it"),
        "chain.at": Text("上报时间", "told at"),
        "chain.posts": Text("上报岗位", "posts that are told"),
        **named("chain.posts", POSTS),
        "result": Text("完成情况", "what was done"),
        "record": Text("佐证记录", "record of it"),
        "reason": Text("理由", "reason"),
        "why": Text("逾期原因", "why it was missed"),
        **named("why", WHY),
        "note": Text("说明", "note"),
        "until": Text("暂缓至", "until"),
        "snoozed_until": Text("暂缓提醒至", "snoozed until"),
        "terminal": Text("终端", "terminal"),
        "level": Text("上报层级", "how far up the chain"),
        "raised": Text("已上报岗位", "posts that were told"),
        "state": Text("状态", "state"),
        **named("state", STATES),
        "steps": Text("办理过程", "steps"),
        **named("steps.step", STEPS),
    },
    marks={
        "duty.late": Text("逾期完成", "done after it was due"),
        "duty.early": Text("早于规定时段", "done before its window"),
        "duty.by_another": Text("非责任岗位或民警完成", "done by another than was asked"),
        "duty.again": Text("此前已有人完成", "was done before by somebody"),
        "duty.called_off": Text("已取消后仍完成", "done though it had been called off"),
        "auxiliary.alone": Text("仅辅警完成，须民警补签", "by an auxiliary alone; a police officer must co-sign"),
    },
    settlers=judging.LEADERS,
    raises={
        "duty.missed": Text("勤务逾期", "a duty was missed"),
        "duty.explained": Text("勤务逾期已说明原因", "it was said why a duty was missed"),
    },
    events=_events,
)
