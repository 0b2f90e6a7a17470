"""The kind ``duty``: asked of a post by a rule or a leader, and done, missed, handed on or called off. Every step stands in
the document with its time and officer: one that was missed and then done late shows both (rule pack, "MISSED is never
deleted"). The times are of the device; ``received_at`` of each version is the server's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema

from backend.domain.posts import Post
from backend.kernel.clock import from_text, to_text
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
    lateness,
)  # fmt: skip
from backend.kernel.problems import Problem
from backend.records.forms import choice, is_moment, listed, moment, named, reference, word

POSTS: Mapping[str, Text] = {
    Post.INT.value: Text("接待收押提讯岗", "desk"),
    Post.PAT.value: Text("巡控岗", "patrol"),
    Post.DISC.value: Text("管教岗", "cell officer"),
    Post.MED.value: Text("医务岗", "medic"),
    Post.AUX.value: Text("辅警", "auxiliary"),
    Post.LEAD.value: Text("值班领导", "leader on duty"),
    Post.DIR.value: Text("所长", "director"),
    Post.CITY.value: Text("市局值班", "city duty"),
    Post.CASE.value: Text("办案单位", "case organ"),
}
"""Posts that may be asked."""
WRITERS = frozenset(POSTS) - {Post.CITY, Post.CASE}
LEADERS = frozenset({Post.LEAD, Post.DIR})
STATES: Mapping[str, Text] = {
    "issued": Text("已下达", "issued"),
    "acknowledged": Text("已签收", "acknowledged"),
    "completed": Text("已完成", "completed"),
    "missed": Text("逾期未完成", "missed"),
    "cancelled": Text("已取消", "cancelled"),
}
STEPS = {
    **STATES,
    "delegated": Text("已转派", "handed on"),
    "explained": Text("已说明原因", "explained"),
}
WHY: Mapping[str, Text] = {
    "lockdown": Text("封闭管理", "lockdown"),
    "medical": Text("医疗", "medical"),
    "court": Text("开庭", "court"),
    "transport": Text("押解", "transport"),
    "staff_shortage": Text("警力不足", "staff shortage"),
    "other": Text("其他", "other"),
}
OPEN = frozenset({"issued", "acknowledged"})
MOST_STEPS = 100


class Issue(Schema):
    """What is asked. ``rule`` is a row of the duty rules, ``directive`` a leader's words: one of them at least; ``source``
    the article or practice behind it; ``cause`` the record that gave rise to it; ``officer`` null: any of the posts."""

    rule = word(20, allow_none=True)
    directive = word(500, allow_none=True)
    source = word(200, allow_none=True)
    cause = reference(allow_none=True)
    posts = listed(choice(tuple(POSTS)), len(POSTS), 1)
    officer = reference(allow_none=True)
    person = reference(allow_none=True)
    place = reference(allow_none=True)
    opens_at = moment()
    due_at = moment()


class Acknowledgement(Schema):
    """It was seen; there is nothing to add."""


class Completion(Schema):
    """What was done, and the record that tells of it (a talk, a round), if there is one."""

    result = word(1000)
    record = reference(allow_none=True)


class Missed(Schema):
    """It was not done in time; ``explain`` says why."""


class Explanation(Schema):
    """Why it was missed: a leader's word, which blames nobody."""

    why = choice(tuple(WHY))
    note = word(500, allow_none=True)


class Delegation(Schema):
    """To whom it is handed on."""

    posts = listed(choice(tuple(POSTS)), len(POSTS), 1)
    officer = reference(allow_none=True)
    reason = word(500)


class Cancellation(Schema):
    """Why nobody need do it."""

    reason = word(500)


def _needs_subject(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs(tuple(each for each in (fields["person"], fields["place"], fields["cause"]) if each))


def _needs_record(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["record"],) if fields["record"] else ())


def _issue(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    if not known.posts() & LEADERS:
        return Problem("officer.unauthorised", "officer")
    if wrong := _wrong(said, known):
        return wrong
    about = "person" if said["person"] else "place"
    doc = {**said, "state": "issued", "steps": [_step("issued", deed, {})]}
    return Ruling(doc, f"{about}/{said[about]}/{Compartment.BASE}", "issued", said["place"], lateness(deed))


def _wrong(said: Mapping[str, Any], known: Known) -> Problem | None:
    if said["rule"] is None and said["directive"] is None:
        return Problem("field.missing", "fields.directive")
    if said["person"] is None and said["place"] is None:
        return Problem("field.missing", "fields.place")
    for name in ("opens_at", "due_at"):
        if not is_moment(said[name]):
            return Problem("field.invalid", f"fields.{name}")
    if said["due_at"] < said["opens_at"]:
        return Problem("field.invalid", "fields.due_at")
    for name in ("person", "place"):
        if said[name]:
            head = known.record(said[name])
            if head is None or head.kind != name:
                return Problem("reference.unknown", f"fields.{name}")
    return _unknown(said["cause"], "cause", known)


def _unknown(record: str | None, name: str, known: Known) -> Problem | None:
    """A record that is named must be there, unless custody has waited for it long enough."""
    absent = record is not None and known.record(record) is None and not known.forced()
    return Problem("reference.unknown", f"fields.{name}") if absent else None


def _step(word_: str, deed: Deed, said: Mapping[str, Any]) -> dict[str, Any]:
    return {"step": word_, "at": to_text(deed.observed_at), "by": deed.officer, **said}


def _on(deed: Deed, head: Head, state: str, step: str, marks: tuple[Mark, ...] = (), **changes: Any) -> Ruling:
    """The duty one step further; what the step says stands in it."""
    steps = [*head.doc["steps"], _step(step, deed, deed.fields)]
    doc = {**head.doc, **changes, "state": state, "steps": steps}
    return Ruling(doc, head.partition, state, head.place, lateness(deed) + marks)


def _barred(head: Head, states: frozenset[str], *, allowed: bool = True) -> Problem | None:
    if head.state not in states or len(head.doc["steps"]) >= MOST_STEPS:
        return Problem("record.state", state=head.state)
    return None if allowed else Problem("officer.unauthorised", "officer")


def _asked(deed: Deed, head: Head, known: Known) -> bool:
    """Whether it is this officer who is asked."""
    return head.doc["officer"] == deed.officer or (
        head.doc["officer"] is None and bool(known.posts() & set(head.doc["posts"]))
    )


def _leads(known: Known) -> bool:
    return bool(known.posts() & LEADERS)


def _acknowledge(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    barred = _barred(head, frozenset({"issued"}), allowed=_asked(deed, head, known))
    return barred or _on(deed, head, "acknowledged", "acknowledged")


def _complete(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """By whoever did it: what has happened is recorded, and marked where it was not as asked."""
    assert head is not None
    wrong = _barred(head, OPEN | {"missed"}) or _unknown(deed.fields["record"], "record", known)
    if wrong:
        return wrong
    found = (
        (deed.observed_at > from_text(head.doc["due_at"]), Mark("duty.late", "Y04")),
        (deed.observed_at < from_text(head.doc["opens_at"]), Mark("duty.early")),
        (not _asked(deed, head, known), Mark("duty.by_another")),
        (known.posts() <= {Post.AUX}, Mark("auxiliary.alone")),
    )
    return _on(deed, head, "completed", "completed", tuple(mark for remarkable, mark in found if remarkable))


def _miss(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    if barred := _barred(head, OPEN, allowed=_leads(known)):
        return barred
    if deed.observed_at <= from_text(head.doc["due_at"]):
        return Problem("field.invalid", "observed_at")
    return _on(deed, head, "missed", "missed")


def _explain(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """Beside the miss, never over it; also when it was done late."""
    assert head is not None
    missed = any(step["step"] == "missed" for step in head.doc["steps"])
    if barred := _barred(head, frozenset({head.state} if missed else ()), allowed=_leads(known)):
        return barred
    if deed.fields["why"] == "other" and deed.fields["note"] is None:
        return Problem("field.missing", "fields.note")
    return _on(deed, head, head.state, "explained")


def _delegate(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    barred = _barred(head, OPEN, allowed=_leads(known) or _asked(deed, head, known))
    to = {name: deed.fields[name] for name in ("posts", "officer")}
    return barred or _on(deed, head, "issued", "delegated", **to)


def _cancel(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    return _barred(head, OPEN, allowed=_leads(known)) or _on(deed, head, "cancelled", "cancelled")


_STATE = ("state",)

DUTY = Kind(
    name="duty",
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.BASE,
    writers=WRITERS,
    verbs={
        "issue": Verb(Issue, _issue, Text("下达", "issue"), creates=True, needs=_needs_subject),
        "acknowledge": Verb(Acknowledgement, _acknowledge, Text("签收", "acknowledge"), watches=_STATE),
        "complete": Verb(Completion, _complete, Text("完成", "complete"), needs=_needs_record, watches=_STATE),
        "miss": Verb(Missed, _miss, Text("认定逾期", "call it missed"), watches=_STATE),
        "explain": Verb(Explanation, _explain, Text("说明逾期原因", "say why it was missed"), watches=_STATE),
        "delegate": Verb(Delegation, _delegate, Text("转派", "hand on"), watches=_STATE),
        "cancel": Verb(Cancellation, _cancel, Text("取消", "cancel"), watches=_STATE),
    },
    text=Text("勤务", "duty"),
    labels={
        "rule": Text("规则编号", "rule"),
        "directive": Text("指令", "directive"),
        "source": Text("依据", "source"),
        "cause": Text("起因记录", "what gave rise to it"),
        "posts": Text("责任岗位", "posts"),
        **named("posts", POSTS),
        "officer": Text("责任民警", "officer"),
        "person": Text("被监管人员", "person"),
        "place": Text("场所", "place"),
        "opens_at": Text("开始时间", "opens"),
        "due_at": Text("截止时间", "due"),
        "result": Text("完成情况", "what was done"),
        "record": Text("佐证记录", "record of it"),
        "reason": Text("理由", "reason"),
        "why": Text("逾期原因", "why it was missed"),
        **named("why", WHY),
        "note": Text("说明", "note"),
        "state": Text("状态", "state"),
        **named("state", STATES),
        "steps": Text("办理过程", "steps"),
        **named("steps.step", STEPS),
    },
    marks={
        "duty.late": Text("逾期完成", "done after it was due"),
        "duty.early": Text("早于规定时段", "done before its window"),
        "duty.by_another": Text("非责任岗位或民警完成", "done by another than was asked"),
        "auxiliary.alone": Text("仅辅警完成，须民警补签", "by an auxiliary alone; a police officer must co-sign"),
    },
    settlers=LEADERS,
)
