"""The kind ``education``: one class or broadcast at one place, with who attended and who did not, and why. It lies with the
place, since it is about many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema
from marshmallow.fields import Nested

from backend.domain.posts import Post
from backend.kernel.clock import from_text
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
    late_since,
)  # fmt: skip
from backend.kernel.problems import Problem
from backend.records.forms import choice, listed, moment, named, no_time, reference, referred, strangers, word

SORTS: Mapping[str, Text] = {
    "law": Text("法制教育", "law"),
    "morals": Text("道德教育", "morals"),
    "rules": Text("监规教育", "house rules"),
    "culture": Text("文化教育", "culture"),
    "skills": Text("技能教育", "skills"),
    "psychology": Text("心理健康教育", "mental health"),
    "safety": Text("安全教育", "safety"),
    "other": Text("其他", "other"),
}
WHY: Mapping[str, Text] = {
    "ill": Text("患病", "ill"),
    "court": Text("出庭", "in court"),
    "interrogation": Text("提讯", "interrogation"),
    "visit": Text("会见", "visit"),
    "hospital": Text("出所就医", "in hospital"),
    "refused": Text("拒绝参加", "refused"),
    "other": Text("其他", "other"),
}


class Absent(Schema):
    """Who did not attend."""

    person = reference()
    why = choice(tuple(WHY))


class EducationFields(Schema):
    """A class at a place (a cell, a ward, a room) from ``started_at`` to ``ended_at``."""

    place = reference()
    sort = choice(tuple(SORTS))
    topic = word(200)
    started_at = moment()
    ended_at = moment()
    present = listed(reference(), 100)
    absent = listed(Nested(Absent), 100)
    note = word(1000, allow_none=True)


def _persons(said: Mapping[str, Any]) -> list[str]:
    return [*said["present"], *(each["person"] for each in said["absent"])]


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["place"], *_persons(fields)))


def _record(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    if wrong := no_time(said, "started_at", "ended_at") or _unfit(said):
        return wrong
    place = referred(known, said, "place", "place")
    if isinstance(place, Problem):
        return place
    if wrong := _strangers(known, said):
        return wrong
    persons = [known.record(each) for each in _persons(said)]
    found = (
        (place.state == REMOVED, Mark("place.closed")),
        (any(person is not None and person.state != "held" for person in persons), Mark("person.not_held")),
    )
    marks = late_since(deed, from_text(said["ended_at"])) + tuple(mark for remarkable, mark in found if remarkable)
    return Ruling(said, f"place/{place.id}/{Compartment.BASE}", "recorded", place.id, marks)


def _strangers(known: Known, said: Mapping[str, Any]) -> Problem | None:
    found = strangers(known, said["present"], "present", "person")
    for number, each in enumerate(said["absent"]):
        found = found or strangers(known, [each["person"]], f"absent.{number}.person", "person")
    return found


def _unfit(said: Mapping[str, Any]) -> Problem | None:
    if said["ended_at"] < said["started_at"]:
        return Problem("field.invalid", "fields.ended_at")
    twice = len(set(_persons(said))) < len(_persons(said))
    if twice:
        return Problem("field.invalid", "fields.present")
    return None if _persons(said) else Problem("field.missing", "fields.present")


def _events(_before: Version | None, after: Version) -> Iterator[Event]:
    """The class as a whole, and each who attended."""
    said = after.doc
    started, ended = from_text(said["started_at"]), from_text(said["ended_at"])
    at, minutes = min(ended, after.observed_at), (ended - started) // 60_000
    facts = {"sort": said["sort"], "minutes": minutes}
    yield Event("education.held", at, None, said["place"], facts | {"attended": len(said["present"])})
    for person in said["present"]:
        yield Event("education.attended", at, person, said["place"], facts)


EDUCATION = Kind(
    name="education",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.BASE,
    writers=frozenset({Post.DISC, Post.LEAD, Post.DIR}),
    verbs={"record": Verb(EducationFields, _record, Text("记录教育", "record a class"), creates=True, needs=_needs)},
    text=Text("教育课堂", "education"),
    labels={
        "place": Text("地点", "place"),
        "sort": Text("教育类别", "sort"),
        **named("sort", SORTS),
        "topic": Text("主题", "topic"),
        "started_at": Text("开始时间", "began"),
        "ended_at": Text("结束时间", "ended"),
        "present": Text("参加人员", "who attended"),
        "absent": Text("未参加人员", "who did not attend"),
        "absent.person": Text("人员", "who"),
        "absent.why": Text("未参加原因", "why not"),
        **named("absent.why", WHY),
        "note": Text("备注", "note"),
    },
    marks={
        "place.closed": Text("该场所已撤销", "the place has been closed"),
        "person.not_held": Text("所列人员中有人已出所", "somebody on the list had been released"),
    },
    raises={
        "education.held": Text("已开展教育", "a class was held"),
        "education.attended": Text("参加教育", "a person attended a class"),
    },
    events=_events,
)
