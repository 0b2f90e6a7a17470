"""The kind ``dynamic_info``: reported by whoever saw it, acknowledged, deployed by a leader, handled, answered and closed
(mps2018, 三(一)1 and 岗位联动). The report's own words never change; what is thought of it afterwards does.

Its state says where the responsibility lies. That it was acknowledged, that somebody arrived or was sent, are steps beside
it: they are taken apart by several at once, and none of them takes anything from the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema

from backend.domain.dynamic_info import CATEGORIES, SEVERITIES, more_severe, usual
from backend.domain.posts import POLICE, POST_NAMES, Post
from backend.kernel.clock import from_text, to_text
from backend.kernel.events import Event, Version
from backend.kernel.kind import (
    REMOVED,
    Compartment,
    Deed,
    Head,
    Judge,
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
from backend.records.forms import choice, edits_of, is_moment, listed, moment, named, reference, word

WRITERS = frozenset(post.value for post in POLICE | {Post.AUX})
LEADERS = frozenset({Post.LEAD, Post.DIR})
STEPS: Mapping[str, Text] = {
    "acknowledged": Text("已签收", "acknowledged"),
    "deployed": Text("已部署", "deployed"),
    "arrived": Text("已到场", "arrived"),
    "handled": Text("已处置", "handled"),
    "answered": Text("已反馈", "answered"),
    "returned": Text("已退回", "returned for more"),
    "closed": Text("已办结", "closed"),
}
MOST_STEPS = 100


class Report(Schema):
    """What was seen, about a person or a place (or a person in a place); ``involved`` are other persons held."""

    category = choice(tuple(CATEGORIES))
    severity = choice(tuple(SEVERITIES))
    person = reference(allow_none=True)
    place = reference(allow_none=True)
    involved = listed(reference(), 20)
    text = word(2000)


class _Judged(Report):
    note = word(500, allow_none=True)


Amendment = edits_of(_Judged, "category", "severity", "note")


class Acknowledgement(Schema):
    """It was seen by one whom it concerns; there is nothing to add."""


class Deployment(Schema):
    """Whom a leader sends, by name or by post, with what to do and until when (null: until it is done)."""

    officers = listed(reference(), 20)
    posts = listed(choice(tuple(sorted(WRITERS))), len(WRITERS))
    instruction = word(1000)
    until = moment(allow_none=True)


class Arrival(Schema):
    """The officer has reached the person or the place."""


class Disposal(Schema):
    """What was done about it."""

    disposal = word(1000)


class Answer(Schema):
    """What came of it, for whoever reported it and whoever sent the officers (反馈)."""

    answer = word(1000)


class Return(Schema):
    """What is missing in what was done or answered (反馈不足退回)."""

    reason = word(500)


class Closing(Schema):
    """The leader's conclusion, if there is one to add."""

    conclusion = word(500, allow_none=True)


class Withdrawal(Schema):
    """Why it should not have been reported."""

    reason = word(500)


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs(tuple(each for each in (fields["person"], fields["place"], *fields["involved"]) if each))


def _report(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    if said["person"] is None and said["place"] is None:
        return Problem("field.missing", "fields.place")
    about = "person" if said["person"] else "place"
    if wrong := _unknown(said, about, known):
        return Problem("reference.unknown", f"fields.{wrong}")
    place = known.record(said["place"]) if said["place"] else None
    marks = lateness(deed)
    if not usual(said["category"], known.posts()):
        marks += (Mark("category.unusual"),)
    if place is not None and place.state == REMOVED:
        marks += (Mark("place.closed"),)
    reported = {
        "at": to_text(deed.observed_at), "officer": deed.officer, "posts": sorted(known.posts()),
        "area": _area(said, place, known),
    }  # fmt: skip
    doc = {**said, "state": "open", "reported": reported, "steps": []}
    partition = f"{about}/{said[about]}/{Compartment.BASE}"
    return Ruling(doc, partition, "open", said["place"], marks, alarm=said["severity"] == "urgent")


def _unknown(said: Mapping[str, Any], about: str, known: Known) -> str | None:
    """The first field that names something else than it should. What it is about must be there always; the rest need
    not, once custody has waited for it long enough."""
    for name, ids in (("person", [said["person"]]), ("place", [said["place"]]), ("involved", said["involved"])):
        kind = "place" if name == "place" else "person"
        for head in (known.record(each) for each in ids if each):
            if head.kind != kind if head else name == about or not known.forced():
                return name
    return None


def _area(said: Mapping[str, Any], place: Head | None, known: Known) -> str | None:
    """The type of the place where it was seen; a person who is lodged somewhere is in his cell."""
    if place is not None:
        return str(place.doc["type"]) if place.doc else None
    person = known.record(said["person"]) if said["person"] else None
    return "cell" if person is not None and person.place is not None else None


def _steps(doc: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The steps that were taken; of a document without them its handling, if it was handled."""
    handled = doc.get("handled")
    bare = [{"step": "handled", "at": handled["at"], "officer": handled["officer"]}] if handled else []
    return list(doc.get("steps") or bare)


def _step(name: str, deed: Deed, head: Head) -> dict[str, Any]:
    return {
        "steps": [
            *_steps(head.doc),
            {"step": name, "at": to_text(deed.observed_at), "officer": deed.officer},
        ]
    }


def _barred(head: Head, *states: str) -> Problem | None:
    """Unless it stands in one of these states, and its steps can still be read on a handheld."""
    fits = head.doc["state"] in states and len(_steps(head.doc)) < MOST_STEPS
    return None if fits else Problem("record.state", state=head.doc["state"])


def _beside(name: str) -> Judge:
    """A step that several take, each for himself, whatever has become of it meanwhile. Once is enough."""

    def judge(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
        assert head is not None
        steps = _steps(head.doc)
        last = max((at for at, each in enumerate(steps) if each["step"] == "returned"), default=-1)
        again = any(each["step"] == name and each["officer"] == deed.officer for each in steps[last + 1 :])
        changes = {} if again or len(steps) >= MOST_STEPS else _step(name, deed, head)
        return Ruling({**head.doc, **changes}, head.partition, head.doc["state"], head.place, lateness(deed))

    return judge


def _onward(deed: Deed, head: Head, name: str, state: str) -> Ruling:
    """One step further, its words with its time and officer under its own name."""
    words = {"at": to_text(deed.observed_at), "officer": deed.officer, **deed.fields}
    doc = {**head.doc, "state": state, name: words, **_step(name, deed, head)}
    return Ruling(doc, head.partition, state, head.place, lateness(deed))


def _deploy(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    said = deed.fields
    if not known.posts() & LEADERS:
        return Problem("officer.unauthorised", "officer")
    if not said["officers"] and not said["posts"]:
        return Problem("field.missing", "fields.officers")
    if said["until"] is not None and (not is_moment(said["until"]) or from_text(said["until"]) < deed.observed_at):
        return Problem("field.invalid", "fields.until")
    return _barred(head, "open") or _onward(deed, head, "deployed", "open")


def _amend(deed: Deed, head: Head | None, _known: Known) -> Ruling:
    assert head is not None
    doc = {**head.doc, **deed.fields}
    risen = doc["severity"] == "urgent" != head.doc["severity"]
    return Ruling(doc, head.partition, doc["state"], head.place, lateness(deed), alarm=risen)


def _handle(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    return _barred(head, "open") or _onward(deed, head, "handled", "handled")


def _answer(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    return _barred(head, "handled") or _onward(deed, head, "answered", "answered")


def _asks(head: Head, known: Known) -> bool:
    """Whether an officer stands for those who reported it, or leads."""
    return bool(known.posts() & {*LEADERS, *head.doc["reported"]["posts"]})


def _return(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    if not _asks(head, known):
        return Problem("officer.unauthorised", "officer")
    return _barred(head, "handled", "answered") or _onward(deed, head, "returned", "open")


def _close(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """By a leader; what is ordinary also by the post that reported it."""
    assert head is not None
    if not (_asks(head, known) if head.doc["severity"] == "ordinary" else known.posts() & LEADERS):
        return Problem("officer.unauthorised", "officer")
    return _barred(head, "answered") or _onward(deed, head, "closed", "closed")


def _withdraw(_deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """By the post that reported it; by a leader alone once he has sent somebody; once handled it stays."""
    assert head is not None
    if not (known.posts() & LEADERS if head.doc.get("deployed") else _asks(head, known)):
        return Problem("officer.unauthorised", "officer")
    if head.doc["state"] != "open":
        return Problem("record.state", state=head.doc["state"])
    return Ruling(head.doc, head.partition, REMOVED, head.place)


def _events(before: Version | None, after: Version) -> Iterator[Event]:
    """Each step at its own time, with who took it; a change of what it is taken for at the time of that edit. Of a report
    that is met as it stands, all its steps."""
    doc = after.doc or (before.doc if before else {})
    subject, facts = (doc.get("person"), doc.get("place")), _facts(doc)
    if after.state == REMOVED:
        yield from () if before is None else (Event("dynamic.withdrawn", after.observed_at, *subject, facts),)
        return
    if before is None:
        yield Event("dynamic.reported", from_text(doc["reported"]["at"]), *subject, facts)
    for step in _steps(doc)[len(_steps(before.doc)) if before else 0 :]:
        at = from_text(step["at"])
        yield Event(f"dynamic.{step['step']}", at, *subject, facts | {"officer": step["officer"]})
        if step["step"] == "deployed":
            for whom in _sent(doc["deployed"]):
                yield Event("dynamic.sent", at, *subject, facts | whom)
    if before is None:
        return
    if more_severe(doc["severity"], before.doc["severity"]):
        yield Event("dynamic.escalated", after.observed_at, *subject, facts | {"before": before.doc["severity"]})
    elif doc["category"] != before.doc["category"]:
        yield Event("dynamic.reclassified", after.observed_at, *subject, facts | {"before": before.doc["category"]})


def _sent(deployed: Mapping[str, Any]) -> list[dict[str, str | None]]:
    """Each officer and post that a leader sent."""
    named_ = [{"officer": officer, "post": None} for officer in deployed["officers"]]
    posted = [{"officer": None, "post": post} for post in deployed["posts"]]
    return [each | {"until": deployed["until"]} for each in (*named_, *posted)]


def _facts(doc: Mapping[str, Any]) -> dict[str, str | None]:
    return {"category": doc["category"], "severity": doc["severity"], "area": doc["reported"].get("area")}


_STATE = ("state",)

DYNAMIC_INFO = Kind(
    name="dynamic_info",
    version=1,
    policy=Policy.SHARED,
    compartment=Compartment.BASE,
    writers=WRITERS,
    verbs={
        "report": Verb(Report, _report, Text("上报", "report"), creates=True, needs=_needs),
        "amend": Verb(Amendment, _amend, Text("修订", "amend"), edits=True),
        "acknowledge": Verb(Acknowledgement, _beside("acknowledged"), Text("签收", "acknowledge"), by_value=True),
        "deploy": Verb(Deployment, _deploy, Text("部署", "deploy"), watches=("deployed",)),
        "arrive": Verb(Arrival, _beside("arrived"), Text("到场", "arrive"), by_value=True),
        "handle": Verb(Disposal, _handle, Text("处置", "handle"), watches=_STATE),
        "answer": Verb(Answer, _answer, Text("反馈", "answer"), watches=_STATE),
        "return": Verb(Return, _return, Text("退回", "return for more"), watches=_STATE),
        "close": Verb(Closing, _close, Text("办结", "close"), watches=_STATE),
        "withdraw": Verb(Withdrawal, _withdraw, Text("撤回", "withdraw"), watches=_STATE, removes=True),
    },
    text=Text("监管动态信息", "dynamic information"),
    labels={
        "category": Text("种类", "kind"),
        **named("category", CATEGORIES),
        "severity": Text("程度", "severity"),
        **named("severity", SEVERITIES),
        "person": Text("被监管人员", "person"),
        "place": Text("场所", "place"),
        "involved": Text("涉及人员", "persons involved"),
        "text": Text("内容", "what was seen"),
        "note": Text("批注", "note"),
        "officers": Text("所派民警", "officers who are sent"),
        "posts": Text("所派岗位", "posts that are sent"),
        **named("posts", {post: POST_NAMES[post] for post in sorted(WRITERS)}),
        "instruction": Text("指令", "instruction"),
        "until": Text("完成时限", "until"),
        "disposal": Text("处置情况", "what was done"),
        "answer": Text("反馈情况", "what came of it"),
        "conclusion": Text("结论", "conclusion"),
        "reason": Text("原因", "reason"),
        "state": Text("状态", "state"),
        "state.open": Text("待处置", "open"),
        "state.handled": Text("已处置", "handled"),
        "state.answered": Text("已反馈", "answered"),
        "state.closed": Text("已办结", "closed"),
        "state.removed": Text("已撤回", "withdrawn"),
        "reported": Text("上报", "report"),
        "deployed": Text("部署", "deployment"),
        "handled": Text("处置", "handling"),
        "answered": Text("反馈", "feedback"),
        "returned": Text("退回", "return"),
        "closed": Text("办结", "closing"),
        "steps": Text("办理过程", "steps"),
        **named("steps.step", STEPS),
    },
    marks={
        "category.unusual": Text("该种类通常由其他岗位采集", "another post usually captures this kind"),
        "place.closed": Text("该场所已撤销", "the place has been closed"),
    },
    strict=frozenset({"severity"}),
    settlers=frozenset({Post.DISC, Post.LEAD, Post.DIR}),
    raises={
        "dynamic.reported": Text("动态信息上报", "dynamic information was reported"),
        "dynamic.acknowledged": Text("动态信息签收", "somebody acknowledged it"),
        "dynamic.deployed": Text("动态信息部署", "a leader sent somebody"),
        "dynamic.sent": Text("派出民警或岗位", "an officer or a post was sent"),
        "dynamic.arrived": Text("到达现场", "somebody arrived"),
        "dynamic.handled": Text("动态信息处置", "it was handled"),
        "dynamic.answered": Text("动态信息反馈", "it was answered"),
        "dynamic.returned": Text("反馈不足退回", "it was returned for more"),
        "dynamic.closed": Text("动态信息办结", "it was closed"),
        "dynamic.withdrawn": Text("动态信息撤回", "it was withdrawn"),
        "dynamic.escalated": Text("程度上调", "it was taken for more severe"),
        "dynamic.reclassified": Text("种类更改", "it was taken for another kind"),
    },
    events=_events,
)
