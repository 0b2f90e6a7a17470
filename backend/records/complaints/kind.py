"""The kind ``complaint``: taken, forwarded, answered. Each is a matter of its own (``matter/<itself>/base``) that is given to
the desk, leaders, the procuratorate and auditors, but never to an officer who is complained of: neither the record, nor a duty
that comes of it; and he neither takes it nor does anything to it (rule V02; 看守所条例46)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema

from backend.domain.complaints import BY, FORWARD_MS, ORGANS, SORTS, clock_rule
from backend.domain.posts import Post
from backend.domain.rules.citing import forbids
from backend.kernel.clock import from_text
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
from backend.records.forms import choice, listed, moment, named, no_time, reference, referred, word, yes_no
from backend.records.steps import step_of

RESULTS: Mapping[str, Text] = {
    "upheld": Text("成立", "upheld"),
    "partly": Text("部分成立", "upheld in part"),
    "unfounded": Text("不成立", "unfounded"),
    "taken_over": Text("由受理机关立案办理", "taken over by the organ"),
    "withdrawn": Text("本人撤回", "withdrawn by who had complained"),
}
STATES: Mapping[str, Text] = {
    "received": Text("已接收", "received"),
    "forwarded": Text("已转送", "forwarded"),
    "answered": Text("已答复", "answered"),
    "closed": Text("已办结", "closed"),
}
STEPS = {**STATES, "named": Text("补充被投诉民警", "an officer was named")}
LEADERS = frozenset({Post.LEAD, Post.DIR})
MOST_AGAINST = 8


class Receipt(Schema):
    """What was handed in. ``person`` null: it is about nobody who is held here. ``sealed``: a letter that nobody opened; then
    there are no ``words``. ``against`` are officers who are complained of, as far as they are known."""

    person = reference(allow_none=True)
    by = choice(tuple(BY))
    sort = choice(tuple(SORTS))
    addressed_to = choice(tuple(ORGANS))
    sealed = yes_no()
    words = word(4000, allow_none=True)
    against = listed(reference(), MOST_AGAINST)
    received_at = moment()


class Naming(Schema):
    """Officers of whom it is learnt later that they are complained of."""

    against = listed(reference(), MOST_AGAINST, 1)


class Forwarding(Schema):
    """To whom it went; ``document`` the number of the covering letter; ``unopened``: as it had been handed in."""

    to = choice(tuple(ORGANS))
    forwarded_at = moment()
    document = word(80, allow_none=True)
    unopened = yes_no()


class Answer(Schema):
    """What came back. ``told_at`` null: who had complained has not been told yet."""

    organ = choice(tuple(ORGANS))
    result = choice(tuple(RESULTS))
    answered_at = moment()
    told_at = moment(allow_none=True)
    answer = word(4000)


class Closing(Schema):
    """It is done with: whoever complained has been told."""

    note = word(1000, allow_none=True)


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["person"],) if fields["person"] else ())


def _receive(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    if wrong := no_time(said, "received_at"):
        return wrong
    if said["sealed"] != (said["words"] is None):
        return Problem("field.invalid" if said["sealed"] else "field.missing", "fields.words")
    if said["person"] and isinstance(found := referred(known, said, "person", "person"), Problem):
        return found
    if deed.officer in said["against"]:
        return forbids("V02", "fields.against")
    doc = {**said, "state": "received", "steps": [step_of("received", deed, {})]}
    marks = late_since(deed, from_text(said["received_at"]))
    return Ruling(doc, f"matter/{deed.record}/{Compartment.BASE}", "received", None, marks, excluded=_left_out(doc))


def _left_out(doc: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(doc["against"])


def _on(deed: Deed, head: Head, step: str, state: str, marks: tuple[Mark, ...], **changes: Any) -> Ruling:
    """The complaint one step further; what the step says stands in it."""
    steps = [*head.doc["steps"], step_of(step, deed, deed.fields)]
    doc = {**head.doc, **changes, "state": state, "steps": steps}
    return Ruling(doc, head.partition, state, None, marks, excluded=_left_out(doc))


def _barred(deed: Deed, head: Head, *states: str) -> Problem | None:
    if deed.officer in head.doc["against"]:
        return forbids("V02", "officer")
    return None if head.state in states else Problem("record.state", state=head.state)


def _name(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    if barred := _barred(deed, head, "received", "forwarded", "answered"):
        return barred
    if deed.officer in deed.fields["against"]:
        return forbids("V02", "fields.against")
    against = list(dict.fromkeys([*head.doc["against"], *deed.fields["against"]]))
    if len(against) > MOST_AGAINST:
        return Problem("field.invalid", "fields.against")
    return _on(deed, head, "named", head.state, lateness(deed), against=against)


def _forward(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    said = deed.fields
    if barred := _barred(deed, head, "received", "forwarded") or no_time(said, "forwarded_at"):
        return barred
    if said["forwarded_at"] < head.doc["received_at"]:
        return Problem("field.invalid", "fields.forwarded_at")
    sent = from_text(said["forwarded_at"])
    marks = late_since(deed, sent)
    rule = clock_rule(head.doc["sort"], known.facility_type())
    if rule and head.state == "received" and sent - from_text(head.doc["received_at"]) > FORWARD_MS:
        marks += (Mark("complaint.late", rule),)
    if head.doc["sealed"] and not said["unopened"]:
        marks += (Mark("complaint.opened", "V02"),)
    return _on(deed, head, "forwarded", "forwarded", marks)


def _answer(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    said = deed.fields
    if barred := _barred(deed, head, "received", "forwarded") or no_time(said, "answered_at", "told_at"):
        return barred
    return _on(deed, head, "answered", "answered", late_since(deed, from_text(said["answered_at"])))


def _close(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    if not known.posts() & LEADERS:
        return Problem("officer.unauthorised", "officer")
    return _barred(deed, head, "answered") or _on(deed, head, "closed", "closed", lateness(deed))


def _events(before: Version | None, after: Version) -> Iterator[Event]:
    doc, seen = after.doc, after.observed_at
    facts = {"sort": doc["sort"]}
    step, said = doc["steps"][-1]["step"], doc["steps"][-1]
    if before is None:
        at = min(from_text(doc["received_at"]), seen)
        yield Event("complaint.received", at, doc["person"], None, facts | {"by": doc["by"], "to": doc["addressed_to"]})
    elif step == "forwarded":
        at = min(from_text(said["forwarded_at"]), seen)
        yield Event("complaint.forwarded", at, doc["person"], None, facts | {"to": said["to"]})
    elif step == "answered":
        at = min(from_text(said["answered_at"]), seen)
        yield Event("complaint.answered", at, doc["person"], None, facts | {"result": said["result"]})


_STATE = ("state",)

COMPLAINT = Kind(
    name="complaint",
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.BASE,
    writers=frozenset({Post.INT, Post.LEAD, Post.DIR}),
    verbs={
        "receive": Verb(Receipt, _receive, Text("接收", "receive"), creates=True, needs=_needs),
        "name": Verb(Naming, _name, Text("补充被投诉民警", "name officers"), watches=_STATE),
        "forward": Verb(Forwarding, _forward, Text("转送", "forward"), signoff=True, watches=_STATE),
        "answer": Verb(Answer, _answer, Text("登记答复", "enter the answer"), watches=_STATE),
        "close": Verb(Closing, _close, Text("办结", "close"), watches=_STATE),
    },
    text=Text("投诉申诉", "complaint or appeal"),
    labels={
        "person": Text("在押人员", "person held"),
        "by": Text("提出人", "who complains"),
        **named("by", BY),
        "sort": Text("类别", "sort"),
        **named("sort", SORTS),
        "addressed_to": Text("致送机关", "addressed to"),
        **named("addressed_to", ORGANS),
        "sealed": Text("密封信件", "a sealed letter"),
        "words": Text("内容", "in words"),
        "against": Text("被投诉民警", "officers complained of"),
        "received_at": Text("接收时间", "received"),
        "to": Text("转送机关", "forwarded to"),
        **named("to", ORGANS),
        "forwarded_at": Text("转送时间", "forwarded"),
        "document": Text("转送文书编号", "number of the covering letter"),
        "unopened": Text("未拆封", "unopened"),
        "organ": Text("答复机关", "who answered"),
        **named("organ", ORGANS),
        "result": Text("处理结果", "result"),
        **named("result", RESULTS),
        "answered_at": Text("答复时间", "answered"),
        "told_at": Text("告知提出人时间", "who had complained was told"),
        "answer": Text("答复内容", "answer"),
        "note": Text("说明", "note"),
        "state": Text("状态", "state"),
        **named("state", STATES),
        "steps": Text("办理过程", "steps"),
        **named("steps.step", STEPS),
    },
    marks={
        "complaint.late": Text("超过二十四小时转送", "forwarded after more than 24 hours"),
        "complaint.opened": Text("密封信件转送前已拆封", "a sealed letter was opened before it was forwarded"),
    },
    settlers=LEADERS,
    raises={
        "complaint.received": Text("接收投诉申诉", "a complaint was received"),
        "complaint.forwarded": Text("投诉申诉已转送", "a complaint was forwarded"),
        "complaint.answered": Text("投诉申诉已答复", "a complaint was answered"),
    },
    events=_events,
)
