"""The kind ``hygiene_check``: how clean a cell, kitchen, yard or other place was found, thing by thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema
from marshmallow.fields import Nested

from backend.domain.posts import Post
from backend.kernel.events import Event, Version
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Mark, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.checks import checked, checked_event, needs_place
from backend.records.forms import choice, listed, moment, named, reference, word

AREAS: Mapping[str, Text] = {
    "cell": Text("监室", "cell"),
    "yard": Text("放风场", "yard"),
    "kitchen": Text("食堂", "kitchen"),
    "clinic": Text("医务室", "clinic"),
    "corridor": Text("走廊", "corridor"),
    "washroom": Text("浴室及卫生间", "washroom"),
    "workshop": Text("劳动场所", "workshop"),
    "other": Text("其他", "other"),
}
THINGS: Mapping[str, Text] = {
    "floor": Text("地面", "floor"),
    "bedding": Text("被褥铺面", "bedding"),
    "toilet": Text("厕所", "toilet"),
    "water": Text("饮水", "drinking water"),
    "food": Text("食品", "food"),
    "utensils": Text("餐具", "utensils"),
    "air": Text("通风异味", "air and smell"),
    "pests": Text("虫鼠", "pests"),
    "waste": Text("垃圾", "waste"),
    "persons": Text("人员个人卫生", "cleanliness of persons"),
    "disinfection": Text("消毒", "disinfection"),
}
GRADES: Mapping[str, Text] = {
    "good": Text("合格", "good"),
    "poor": Text("较差", "poor"),
    "bad": Text("不合格", "bad"),
}


class Looked(Schema):
    """One thing as it was found."""

    thing = choice(tuple(THINGS))
    grade = choice(tuple(GRADES))


class HygieneFields(Schema):
    """A check of a place. ``measures`` are what was ordered: needed where something is bad."""

    place = reference()
    area = choice(tuple(AREAS))
    checked_at = moment()
    things = listed(Nested(Looked), len(THINGS), 1)
    measures = word(1000, allow_none=True)


def _record(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    bad = any(each["grade"] == "bad" for each in deed.fields["things"])
    return checked(deed, known, _unfit(deed.fields), (bad, Mark("hygiene.bad")))


def _unfit(said: Mapping[str, Any]) -> Problem | None:
    things = [each["thing"] for each in said["things"]]
    if len(set(things)) < len(things):
        return Problem("field.invalid", "fields.things")
    bad = any(each["grade"] == "bad" for each in said["things"])
    return Problem("field.missing", "fields.measures") if bad and said["measures"] is None else None


def _events(_before: Version | None, after: Version) -> Iterator[Event]:
    said = after.doc
    grades = [each["grade"] for each in said["things"]]
    facts = {"area": said["area"], "poor": grades.count("poor"), "bad": grades.count("bad")}
    yield checked_event("hygiene.checked", after, facts)


HYGIENE = Kind(
    name="hygiene_check",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.BASE,
    writers=frozenset({Post.DISC, Post.MED, Post.PAT, Post.LEAD, Post.DIR}),
    verbs={"record": Verb(HygieneFields, _record, Text("记录检查", "record a check"), creates=True, needs=needs_place)},
    text=Text("卫生检查", "hygiene check"),
    labels={
        "place": Text("场所", "place"),
        "area": Text("场所类别", "sort of place"),
        **named("area", AREAS),
        "checked_at": Text("检查时间", "when"),
        "things": Text("检查项目", "what was looked at"),
        "things.thing": Text("项目", "thing"),
        **named("things.thing", THINGS),
        "things.grade": Text("结果", "grade"),
        **named("things.grade", GRADES),
        "measures": Text("整改措施", "what was ordered"),
    },
    marks={
        "place.closed": Text("该场所已撤销", "the place has been closed"),
        "hygiene.bad": Text("有不合格项目", "something is bad"),
    },
    raises={"hygiene.checked": Text("已检查卫生", "the hygiene of a place was checked")},
    events=_events,
)
