"""The kind ``talk``: one talk with one person, told whole by the officer who held it and signed. It lies in the person's
case compartment, which patrols and auxiliaries are not given. Visits of a lawyer are no talks, and nobody records them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema

from backend.domain.integrity import words_of
from backend.domain.posts import Post
from backend.domain.talks import ABNORMAL, EIGHT, MOODS, OCCASIONS, SHORTEST, SORTS, TOPICS
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
from backend.records.forms import choice, is_moment, listed, moment, named, reference, word


class TalkFields(Schema):
    """A talk. Its times are the device's. ``place`` null: it was not held in the facility. ``participants`` are the other
    officers; ``interpreter`` who interpreted; ``follow_up`` what is to be done next, ``follow_up_on`` by when he is to be
    talked to again: null where there is none."""

    person = reference()
    place = reference(allow_none=True)
    sort = choice(tuple(SORTS))
    occasion = choice(tuple(OCCASIONS))
    started_at = moment()
    ended_at = moment()
    participants = listed(reference(), 8)
    interpreter = word(80, allow_none=True)
    mood = choice(tuple(MOODS))
    topics = listed(choice(tuple(TOPICS)), len(TOPICS), 1)
    summary = word(4000)
    follow_up = word(500, allow_none=True)
    follow_up_on = moment(allow_none=True)


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    place = fields["place"]
    return Needs((fields["person"], place) if place else (fields["person"],))


def _record(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    for name in ("started_at", "ended_at"):
        if not is_moment(said[name]):
            return Problem("field.invalid", f"fields.{name}")
    started, ended = from_text(said["started_at"]), from_text(said["ended_at"])
    if ended < started:
        return Problem("field.invalid", "fields.ended_at")
    again = said["follow_up_on"]
    if again is not None and (not is_moment(again) or from_text(again) <= ended):
        return Problem("field.invalid", "fields.follow_up_on")
    person = known.record(said["person"])
    if person is None or person.kind != "person":
        return Problem("reference.unknown", "fields.person")
    place = known.record(said["place"]) if said["place"] else None
    if said["place"] and (place.kind != "place" if place else not known.forced()):
        return Problem("reference.unknown", "fields.place")
    marks = _of_times(deed, started, ended) + _of_person(person, place) + _of_words(said)
    return Ruling(said, f"person/{person.id}/{Compartment.CASE}", "recorded", said["place"], marks)


def _of_times(deed: Deed, started: int, ended: int) -> tuple[Mark, ...]:
    marks = late_since(deed, ended)
    if ended - started < SHORTEST:
        marks += (Mark("talk.short", "T02"),)
    return marks + ((Mark("talk.unended"),) if ended > deed.recorded_at else ())


def _of_person(person: Head, place: Head | None) -> tuple[Mark, ...]:
    marks = () if person.state == "held" else (Mark("person.not_held"),)
    if place is None:
        return marks
    if place.state == REMOVED:
        return (*marks, Mark("place.closed"))
    elsewhere = person.state == "held" and place.doc["type"] == "cell" and person.place != place.id
    return marks + ((Mark("person.elsewhere"),) if elsewhere else ())


def _of_words(said: Mapping[str, Any]) -> tuple[Mark, ...]:
    return (Mark("mood.abnormal", "T08"),) if _is_grave(said) else ()


def _is_grave(said: Mapping[str, Any]) -> bool:
    return "self_harm" in said["topics"] or said["mood"] in ABNORMAL


def _events(_before: Version | None, after: Version) -> Iterator[Event]:
    said = after.doc
    started, ended = from_text(said["started_at"]), from_text(said["ended_at"])
    at, whom, where = min(ended, after.observed_at), said["person"], said["place"]
    facts = {name: said[name] for name in ("occasion", "sort", "mood")}
    facts |= {
        "minutes": (ended - started) // 60_000,
        "eight": said["occasion"] in EIGHT,
        "words": words_of(said["summary"]),
    }
    yield Event("talk.recorded", at, whom, where, facts)
    if _is_grave(said):
        yield Event("mood.abnormal", at, whom, where)
    if said["follow_up_on"] is not None:
        yield Event("talk.follow_up", at, whom, where, {"on": said["follow_up_on"]})


TALK = Kind(
    name="talk",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.CASE,
    writers=frozenset({Post.DISC, Post.LEAD, Post.DIR}),
    verbs={
        "record": Verb(TalkFields, _record, Text("记录谈话", "record a talk"), creates=True, signoff=True, needs=_needs)
    },
    text=Text("谈话教育", "talk"),
    labels={
        "person": Text("谈话对象", "with whom"),
        "place": Text("谈话地点", "place"),
        "sort": Text("谈话类别", "sort"),
        **named("sort", SORTS),
        "occasion": Text("谈话事由", "occasion"),
        **named("occasion", OCCASIONS),
        "started_at": Text("开始时间", "began"),
        "ended_at": Text("结束时间", "ended"),
        "participants": Text("参加民警", "other officers"),
        "interpreter": Text("翻译", "interpreter"),
        "mood": Text("情绪", "mood"),
        **named("mood", MOODS),
        "topics": Text("谈话内容", "topics"),
        **named("topics", TOPICS),
        "summary": Text("谈话记录", "what was said"),
        "follow_up": Text("后续措施", "follow-up"),
        "follow_up_on": Text("回访期限", "to be talked to again by"),
    },
    marks={
        "talk.short": Text("谈话不足三分钟", "shorter than three minutes"),
        "talk.unended": Text("录入早于谈话结束时间", "entered before it had ended"),
        "person.not_held": Text("谈话对象已出所", "the person had been released"),
        "person.elsewhere": Text("谈话对象在册监室非此处", "by the register at receipt the person is not in that cell"),
        "place.closed": Text("该场所已撤销", "the place has been closed"),
        "mood.abnormal": Text("情绪异常或有轻生言语", "abnormal mood, or words of self-harm"),
    },
    raises={
        "talk.recorded": Text("谈话已记录", "a talk was recorded"),
        "mood.abnormal": Text("谈话中情绪异常或有轻生言语", "abnormal mood or words of self-harm in a talk"),
        "talk.follow_up": Text("谈话约定回访", "a talk named a day for another"),
    },
    events=_events,
)
