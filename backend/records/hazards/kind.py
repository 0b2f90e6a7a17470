"""The kind ``hazard``: found by whoever sees it, put right by whom a leader names, verified by another than put it right
(news2022, 隐患排查; 设备安全巡检制度). A hazard that was not put right goes back to whoever has it to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema

from backend.domain.dynamic_info import SEVERITIES
from backend.domain.posts import POLICE, POST_NAMES, Post
from backend.kernel.clock import from_text, to_text
from backend.kernel.events import Event, Version
from backend.kernel.kind import (
    REMOVED,
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
from backend.records.forms import choice, is_moment, listed, moment, named, reference, word, yes_no

WRITERS = frozenset(post.value for post in POLICE | {Post.AUX})
LEADERS = frozenset({Post.LEAD, Post.DIR})
SORTS: Mapping[str, Text] = {
    "structure": Text("墙体门窗", "walls, doors, windows"),
    "lock": Text("门锁", "locks"),
    "electric": Text("电气线路", "electricity"),
    "fire": Text("消防", "fire protection"),
    "video": Text("监控报警", "video and alarms"),
    "blind_spot": Text("监控盲区", "blind spot"),
    "hanging_point": Text("可悬挂点", "hanging point"),
    "tools": Text("工具及危险物品", "tools and dangerous things"),
    "hygiene": Text("卫生防疫", "hygiene"),
    "food": Text("食品", "food"),
    "procedure": Text("制度执行", "how rules are kept"),
    "other": Text("其他", "other"),
}


class Finding(Schema):
    """What was found at a place. ``rectify_by``: until when it is to be put right; null: a leader is to say."""

    place = reference()
    sort = choice(tuple(SORTS))
    severity = choice(tuple(SEVERITIES))
    text = word(1000)
    rectify_by = moment(allow_none=True)


class Task(Schema):
    """Who puts it right, and until when. ``officer`` null: any of the posts."""

    posts = listed(choice(tuple(sorted(WRITERS))), len(WRITERS), 1)
    officer = reference(allow_none=True)
    rectify_by = moment()


class Measures(Schema):
    """What was done."""

    measures = word(1000)


class Verification(Schema):
    """Whether it is right. ``note``: what is missing where it is not."""

    passed = yes_no()
    note = word(500, allow_none=True)


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["place"],))


def _find(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    place = known.record(said["place"])
    if place is None or place.kind != "place":
        return Problem("reference.unknown", "fields.place")
    if wrong := _bad_term(said["rectify_by"], deed):
        return wrong
    found = {"at": to_text(deed.observed_at), "officer": deed.officer}
    doc = {**said, "posts": [], "officer": None, "state": "found", "found": found}
    marks = lateness(deed) + ((Mark("place.closed"),) if place.state == REMOVED else ())
    alarm = said["severity"] == "urgent"
    return Ruling(doc, f"place/{place.id}/{Compartment.BASE}", "found", place.id, marks, alarm=alarm)


def _bad_term(until: str | None, deed: Deed) -> Problem | None:
    wrong = until is not None and (not is_moment(until) or from_text(until) < deed.observed_at)
    return Problem("field.invalid", "fields.rectify_by") if wrong else None


def _onward(deed: Deed, head: Head, state: str, marks: tuple[Mark, ...] = (), **changes: Any) -> Ruling:
    doc = {**head.doc, **changes, "state": state}
    return Ruling(doc, head.partition, state, head.place, lateness(deed) + marks)


def _barred(head: Head, *states: str) -> Problem | None:
    return None if head.state in states else Problem("record.state", state=head.state)


def _assign(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    if not known.posts() & LEADERS:
        return Problem("officer.unauthorised", "officer")
    wrong = _bad_term(deed.fields["rectify_by"], deed) or _barred(head, "found")
    return wrong or _onward(deed, head, "found", **deed.fields)


def _rectify(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    """By whoever did it: what has happened is recorded."""
    assert head is not None
    late = head.doc["rectify_by"] is not None and deed.observed_at > from_text(head.doc["rectify_by"])
    done = {"at": to_text(deed.observed_at), "officer": deed.officer, **deed.fields}
    marks = (Mark("hazard.late"),) if late else ()
    return _barred(head, "found") or _onward(deed, head, "rectified", marks, rectified=done)


def _verify(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """By a leader who has not put it right himself."""
    assert head is not None
    if barred := _barred(head, "rectified"):
        return barred
    if not known.posts() & LEADERS or head.doc["rectified"]["officer"] == deed.officer:
        return Problem("officer.unauthorised", "officer")
    if not deed.fields["passed"] and deed.fields["note"] is None:
        return Problem("field.missing", "fields.note")
    seen = {"at": to_text(deed.observed_at), "officer": deed.officer, **deed.fields}
    return _onward(deed, head, "verified" if deed.fields["passed"] else "found", verified=seen)


_EVENTS = {"rectified": "hazard.rectified", "verified": "hazard.verified", "found": "hazard.returned"}
"""The state that it came to → what has happened."""


def _events(before: Version | None, after: Version) -> Iterator[Event]:
    doc = after.doc
    facts = {name: doc[name] for name in ("sort", "severity", "rectify_by", "officer")} | {
        "posts": " ".join(doc["posts"])
    }
    if before is None:
        yield Event("hazard.found", from_text(doc["found"]["at"]), None, doc["place"], facts)
    if doc["posts"] and _task(doc) != (before and _task(before.doc)):
        yield Event("hazard.assigned", after.observed_at, None, doc["place"], facts)
    if doc["state"] != (before.doc["state"] if before else "found"):
        yield Event(_EVENTS[doc["state"]], after.observed_at, None, doc["place"], facts)


def _task(doc: Mapping[str, Any]) -> tuple[Any, ...]:
    return doc["posts"], doc["officer"], doc["rectify_by"]


_STATE = ("state",)

HAZARD = Kind(
    name="hazard",
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.BASE,
    writers=WRITERS,
    verbs={
        "find": Verb(Finding, _find, Text("登记隐患", "find"), creates=True, needs=_needs),
        "assign": Verb(Task, _assign, Text("责令整改", "have it put right"), watches=_STATE),
        "rectify": Verb(Measures, _rectify, Text("整改", "put right"), watches=_STATE, by_value=True),
        "verify": Verb(Verification, _verify, Text("复查", "verify"), signoff=True, watches=_STATE),
    },
    text=Text("安全隐患", "hazard"),
    labels={
        "place": Text("场所", "place"),
        "sort": Text("类别", "sort"),
        **named("sort", SORTS),
        "severity": Text("程度", "severity"),
        **named("severity", SEVERITIES),
        "text": Text("隐患情况", "what was found"),
        "rectify_by": Text("整改期限", "to be put right by"),
        "posts": Text("整改岗位", "posts"),
        **named("posts", {post: POST_NAMES[Post(post)] for post in sorted(WRITERS)}),
        "officer": Text("整改民警", "officer"),
        "measures": Text("整改措施", "what was done"),
        "passed": Text("复查合格", "it is right"),
        "note": Text("说明", "note"),
        "state": Text("状态", "state"),
        "state.found": Text("待整改", "found"),
        "state.rectified": Text("待复查", "put right"),
        "state.verified": Text("已销号", "verified"),
        "found": Text("发现", "finding"),
        "rectified": Text("整改情况", "putting right"),
        "verified": Text("复查情况", "verification"),
    },
    marks={
        "place.closed": Text("该场所已撤销", "the place has been closed"),
        "hazard.late": Text("逾期整改", "put right after its time"),
    },
    settlers=LEADERS,
    raises={
        "hazard.found": Text("发现隐患", "a hazard was found"),
        "hazard.assigned": Text("责令整改", "a hazard is to be put right"),
        "hazard.rectified": Text("隐患已整改", "a hazard was put right"),
        "hazard.returned": Text("复查不合格", "a hazard was not put right"),
        "hazard.verified": Text("隐患已销号", "a hazard is gone"),
    },
    events=_events,
)
