"""The kind ``calendar.day``: what a day is in this facility, whatever is announced for the country. What is said last of a
day stands."""

from __future__ import annotations

from marshmallow import Schema

from backend.domain.posts import Post
from backend.domain.shift_words import OF_A_DAY
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import choice, day, is_day, named, word


class DayFields(Schema):
    """A day. ``sort`` announced: what was said of it before is taken back; ``name``: of the holiday, or why it is so."""

    day = day()
    sort = choice(tuple(OF_A_DAY))
    name = word(80, allow_none=True)


def _set(deed: Deed, _head: Head | None, _known: Known) -> Ruling | Problem:
    if not is_day(deed.fields["day"]):
        return Problem("field.invalid", "fields.day")
    return Ruling(deed.fields, f"facility/{deed.facility}/{Compartment.ROSTER}", "said")


DAY = Kind(
    name="calendar.day",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.ROSTER,
    writers=frozenset({Post.LEAD, Post.DIR}),
    verbs={"set": Verb(DayFields, _set, Text("设定日期", "say what a day is"), creates=True)},
    text=Text("工作日历", "calendar day"),
    labels={
        "day": Text("日期", "day"),
        "sort": Text("性质", "what it is"),
        **named("sort", OF_A_DAY),
        "name": Text("名称或说明", "name or note"),
    },
)
