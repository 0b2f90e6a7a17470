"""The kind ``counselling``: a person is referred to a counsellor, who answers. Counsellors of a 看守所 are police with a
certificate, mostly cell officers; what they are told lies in the case compartment like a talk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema

from backend.domain.posts import Post
from backend.kernel.clock import from_text, to_text
from backend.kernel.events import Event, Version
from backend.kernel.kind import (
    Compartment,
    Deed,
    Head,
    Kind,
    Known,
    Mark,
    Needs,
    Policy,
    Ruling,
    Text,
    Verb,
    late_since,
    lateness,
)  # fmt: skip
from backend.kernel.problems import Problem
from backend.records.forms import choice, listed, moment, named, no_time, reference, referred, strangers, word

URGENCIES: Mapping[str, Text] = {
    "urgent": Text("紧急", "urgent"),
    "ordinary": Text("一般", "ordinary"),
}
GROUNDS: Mapping[str, Text] = {
    "self_harm": Text("轻生或自伤言行", "words or acts of self-harm"),
    "mood": Text("情绪异常", "abnormal mood"),
    "sleep": Text("睡眠障碍", "cannot sleep"),
    "family": Text("家庭变故", "a blow in the family"),
    "sentence": Text("判决或诉讼结果", "a judgment or another turn of the case"),
    "relations": Text("监室人际关系", "relations in the cell"),
    "adaptation": Text("羁押适应困难", "finds no way to live in custody"),
    "request": Text("本人要求", "the person asked for it"),
    "other": Text("其他", "other"),
}
RESULTS: Mapping[str, Text] = {
    "seen": Text("已疏导，无需继续", "seen; no more is needed"),
    "continued": Text("已疏导，继续跟进", "seen; it goes on"),
    "hospital": Text("建议专科诊治", "a specialist should see him"),
    "declined": Text("本人拒绝", "the person declined"),
    "not_needed": Text("无需疏导", "not needed"),
}
STATES: Mapping[str, Text] = {
    "referred": Text("待答复", "referred"),
    "answered": Text("已答复", "answered"),
}


class Referral(Schema):
    """Who is referred and why; ``cause`` is a record behind it (a talk, an assessment), if there is one."""

    person = reference()
    urgency = choice(tuple(URGENCIES))
    grounds = listed(choice(tuple(GROUNDS)), len(GROUNDS), 1)
    words = word(2000)
    cause = reference(allow_none=True)


class Answer(Schema):
    """What came of it. ``seen_at`` null: the counsellor did not see the person."""

    result = choice(tuple(RESULTS))
    seen_at = moment(allow_none=True)
    advice = word(2000)


_UNSEEN = frozenset({"declined", "not_needed"})
"""Results that there may be without the counsellor having seen the person."""


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["person"], fields["cause"]) if fields["cause"] else (fields["person"],))


def _refer(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    person = referred(known, said, "person", "person")
    if isinstance(person, Problem):
        return person
    if wrong := strangers(known, [said["cause"]] if said["cause"] else [], "cause"):
        return wrong
    marks = lateness(deed) + (() if person.state == "held" else (Mark("person.not_held"),))
    doc = {**said, "state": "referred", "referred": {"at": to_text(deed.observed_at), "officer": deed.officer}}
    return Ruling(doc, f"person/{person.id}/{Compartment.CASE}", "referred", None, marks)


def _answer(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    said = deed.fields
    if head.state != "referred":
        return Problem("record.state", state=head.state)
    if wrong := no_time(said, "seen_at"):
        return wrong
    if said["seen_at"] is None and said["result"] not in _UNSEEN:
        return Problem("field.missing", "fields.seen_at")
    answered = {"at": to_text(deed.observed_at), "officer": deed.officer, **said}
    seen = from_text(said["seen_at"]) if said["seen_at"] else deed.observed_at
    marks = late_since(deed, seen)
    return Ruling({**head.doc, "state": "answered", "answered": answered}, head.partition, "answered", None, marks)


def _events(before: Version | None, after: Version) -> Iterator[Event]:
    doc = after.doc
    if before is None:
        facts = {"urgency": doc["urgency"], "self_harm": "self_harm" in doc["grounds"]}
        yield Event("counselling.referred", after.observed_at, doc["person"], None, facts)
    elif before.state != after.state:
        facts = {"result": doc["answered"]["result"]}
        yield Event("counselling.answered", after.observed_at, doc["person"], None, facts)


COUNSELLING = Kind(
    name="counselling",
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.CASE,
    writers=frozenset({Post.DISC, Post.LEAD, Post.DIR}),
    verbs={
        "refer": Verb(Referral, _refer, Text("转介", "refer"), creates=True, needs=_needs),
        "answer": Verb(Answer, _answer, Text("答复", "answer"), signoff=True, watches=("state",)),
    },
    text=Text("心理咨询转介", "referral to counselling"),
    labels={
        "person": Text("转介对象", "who is referred"),
        "urgency": Text("紧急程度", "urgency"),
        **named("urgency", URGENCIES),
        "grounds": Text("转介原因", "why"),
        **named("grounds", GROUNDS),
        "words": Text("情况说明", "in words"),
        "cause": Text("起因记录", "record behind it"),
        "result": Text("咨询结果", "what came of it"),
        **named("result", RESULTS),
        "seen_at": Text("咨询时间", "seen at"),
        "advice": Text("意见建议", "advice"),
        "state": Text("状态", "state"),
        **named("state", STATES),
        "referred": Text("转介", "referral"),
        "answered": Text("答复", "answer"),
    },
    marks={"person.not_held": Text("转介对象已出所", "the person had been released")},
    raises={
        "counselling.referred": Text("已转介心理咨询", "a person was referred to counselling"),
        "counselling.answered": Text("心理咨询已答复", "a referral to counselling was answered"),
    },
    events=_events,
)
