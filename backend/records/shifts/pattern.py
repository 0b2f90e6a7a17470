"""The kind ``shift.pattern``: which shifts there are and in what order they follow. It is never edited, since who was on
duty last month follows from it: another pattern is another record."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from backend.domain.shift_words import span_of
from backend.domain.shifts import FREE, WORKED, Worked, covers_a_day
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Policy, Ruling, Text, Verb, lateness
from backend.kernel.problems import Problem
from backend.records.forms import choice, day, is_day, listed, named, time_of_day, word
from backend.records.shifts.steps import LEADERS, STATE, barred, partition

MOST_SHIFTS, MOST_DAYS = 8, 56


class ShiftFields(Schema):
    """A shift. One that ends at the time at which it began lasts 24 hours; one that ends earlier, until the next day."""

    code = word(4)
    name = word(20)
    starts = time_of_day()
    ends = time_of_day()


class PatternFields(Schema):
    """A pattern. ``cycle``: for each of its days the code of a shift, or ``-``; its first day is ``anchor``, for a weekly one
    a Monday. ``main_from``: the day from which on its changes of shift are the facility's, null: they are not."""

    name = word(40)
    shifts = listed(fields.Nested(ShiftFields, required=True), MOST_SHIFTS, 1)
    cycle = listed(word(4), MOST_DAYS, 1)
    worked = choice(tuple(WORKED))
    anchor = day()
    main_from = day(allow_none=True)


class PatternClosed(Schema):
    """Why nobody is put on it any more. Who is on it stays."""

    reason = word(500)


def _create(deed: Deed, _head: Head | None, _known: Known) -> Ruling | Problem:
    said = deed.fields
    wrong = _wrong(said)
    return Problem("field.invalid", f"fields.{wrong}") if wrong else Ruling(said, partition(deed), "open")


def _wrong(said: Any) -> str | None:
    """The field that cannot be. A facility's shifts follow each other round the day, and are worked every day."""
    codes = [each["code"] for each in said["shifts"]]
    if len(set(codes)) < len(codes) or FREE in codes:
        return "shifts"
    if not set(said["cycle"]) <= {*codes, FREE} or set(said["cycle"]) == {FREE}:
        return "cycle"
    if not is_day(said["anchor"]):
        return "anchor"
    if said["main_from"] is None:
        return None
    if not is_day(said["main_from"]):
        return "main_from"
    whole = said["worked"] == Worked.ALL and covers_a_day(map(span_of, said["shifts"]))
    return None if whole else "main_from"


def _close(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    return barred(head, "open") or Ruling(head.doc, head.partition, "closed", marks=lateness(deed))


PATTERN = Kind(
    name="shift.pattern",
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.ROSTER,
    writers=LEADERS,
    verbs={
        "create": Verb(PatternFields, _create, Text("新建班次模式", "new pattern"), creates=True),
        "close": Verb(PatternClosed, _close, Text("停用班次模式", "close a pattern"), watches=STATE),
    },
    text=Text("班次模式", "shift pattern"),
    labels={
        "name": Text("名称", "name"),
        "shifts": Text("班次", "shifts"),
        "shifts.code": Text("代号", "code"),
        "shifts.name": Text("班次名称", "name of the shift"),
        "shifts.starts": Text("上班时间", "begins"),
        "shifts.ends": Text("下班时间（早于上班时间为次日）", "ends (earlier than it begins: on the next day)"),
        "cycle": Text("轮班周期（每天一个代号，休息为 -）", "cycle (a code for each day, - for none)"),
        "worked": Text("适用日期", "days on which it is worked"),
        **named("worked", WORKED),
        "anchor": Text("周期起始日", "first day of the cycle"),
        "main_from": Text("自何日起作为本所交接班时间", "day from which its changes of shift are the facility's"),
        "reason": Text("停用原因", "reason"),
        "state.open": Text("在用", "in use"),
        "state.closed": Text("已停用", "closed"),
    },
)
