"""The kind ``patrol.video`` (视频巡查; news2022, row 92): what an officer saw of a place on a screen. It is a kind of its own,
since a look by video never stands for a look into the cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema

from backend.domain import standing
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
)  # fmt: skip
from backend.kernel.problems import Problem
from backend.records.forms import choice, moment, named, reference, whole, word

SORTS: Mapping[str, Text] = {
    "live": Text("实时巡查", "live"),
    "replay": Text("录像回看", "recording"),
    "dispatched": Text("上级调度巡查", "asked for by a higher level"),
}
OBSERVATIONS: Mapping[str, Text] = {
    "asleep": Text("就寝", "asleep"),
    "calm": Text("平静", "calm"),
    "empty": Text("无人", "nobody there"),
    "dispute": Text("争执", "dispute"),
    "unwell": Text("身体不适", "unwell"),
    "breach": Text("违反监规", "breach of house rules"),
    "danger": Text("危险动作或区域", "dangerous act or area"),
    "watch_missing": Text("值班人员不足", "too few on the cell watch"),
    "no_picture": Text("无图像或图像不清", "no picture, or not clear"),
    "other": Text("其他", "other"),
}
_UNCLEAR = frozenset({"no_picture", "other"})


class VideoFields(Schema):
    """A look at one place. ``camera`` as it is named on the wall, null where there is one alone; ``headcount`` null: they
    could not be counted; ``note`` is needed where there was no picture, or something other."""

    place = reference()
    sort = choice(tuple(SORTS))
    camera = word(80, allow_none=True)
    began_at = moment()
    ended_at = moment()
    headcount = whole(0, 200, allow_none=True)
    observation = choice(tuple(OBSERVATIONS))
    note = word(500, allow_none=True)


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    counted = fields["headcount"] is not None
    return Needs((fields["place"],), (fields["place"],) if counted else ())


def _record(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    span = standing.span(said, "began_at", "ended_at")
    if isinstance(span, Problem):
        return span
    if said["observation"] in _UNCLEAR and said["note"] is None:
        return Problem("field.missing", "fields.note")
    place = standing.place(known, said["place"])
    if place is None:
        return Problem("reference.unknown", "fields.place")
    marks = standing.late(deed, span[1]) + standing.closed(place) + _counted(said, place, known)
    return Ruling(said, f"place/{place.id}/{Compartment.BASE}", "recorded", place.id, marks)


def _counted(said: Mapping[str, Any], place: Head, known: Known) -> tuple[Mark, ...]:
    live = said["sort"] != "replay" and said["headcount"] is not None
    cell = place.state != REMOVED and place.doc["type"] == "cell"
    differs = live and cell and said["headcount"] != known.headcount(place.id)
    return (Mark("headcount.differs"),) if differs else ()


def _events(_before: Version | None, after: Version) -> Iterator[Event]:
    said = after.doc
    if said:
        facts = {"sort": said["sort"], "observation": said["observation"]}
        yield Event("video.patrolled", from_text(said["ended_at"]), place=said["place"], facts=facts)


VIDEO = Kind(
    name="patrol.video",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.BASE,
    writers=frozenset({Post.PAT, Post.DISC, Post.AUX, Post.LEAD, Post.DIR}),
    verbs={"record": Verb(VideoFields, _record, Text("记录视频巡查", "record a look"), creates=True, needs=_needs)},
    text=Text("视频巡查", "video patrol"),
    labels={
        "place": Text("场所", "place"),
        "sort": Text("巡查方式", "sort"),
        **named("sort", SORTS),
        "camera": Text("摄像机", "camera"),
        "began_at": Text("开始时间", "began"),
        "ended_at": Text("结束时间", "ended"),
        "headcount": Text("画面人数", "persons in the picture"),
        "observation": Text("所见", "observation"),
        **named("observation", OBSERVATIONS),
        "note": Text("说明", "note"),
    },
    marks={
        "place.closed": Text("该场所已撤销", "the place has been closed"),
        "headcount.differs": Text("画面人数与在册人数不符", "the picture shows another number than the register"),
    },
    raises={"video.patrolled": Text("视频巡查一处", "a place was looked at by video")},
    events=_events,
)
