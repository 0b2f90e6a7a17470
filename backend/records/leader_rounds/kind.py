"""The kind ``leader_round`` (领导巡查): a leader walks through wards unannounced, by day and by night (rule P16). It is the
facility's as a whole: those who are looked at are not given it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema, fields

from backend.domain import standing
from backend.domain.calendars import minute_of
from backend.domain.posts import Post
from backend.kernel.clock import from_text
from backend.kernel.events import Event, Version
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Mark, Needs, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import choice, listed, moment, named, reference, word

NIGHT_FROM, NIGHT_UNTIL = 22 * 60, 6 * 60
"""Minutes after midnight: a local default, not law."""
TOLD: Mapping[str, Text] = {
    "unannounced": Text("未提前通知", "nobody was told"),
    "announced": Text("已提前通知", "it was announced"),
}
FINDINGS: Mapping[str, Text] = {
    "absent": Text("脱岗", "an officer was away"),
    "asleep": Text("睡岗", "an officer was asleep"),
    "distracted": Text("做与工作无关的事", "an officer did other things"),
    "understaffed": Text("警力不足", "too few officers"),
    "patrol": Text("巡视不到位", "patrols not as they should be"),
    "records": Text("记录不实或缺失", "records wrong or missing"),
    "equipment": Text("设备故障", "equipment that fails"),
    "hygiene": Text("卫生问题", "hygiene"),
    "conduct": Text("被监管人员违规", "a breach by persons held"),
    "good": Text("值得肯定", "something done well"),
    "other": Text("其他", "other"),
}


class Finding(Schema):
    """What was found, and where; ``note`` says what it was."""

    place = reference(allow_none=True)
    finding = choice(tuple(FINDINGS))
    note = word(500)


class RoundFields(Schema):
    """A round through ``areas`` (wards). ``told``: whether anybody was told beforehand."""

    areas = listed(reference(), 50, 1)
    began_at = moment()
    ended_at = moment()
    told = choice(tuple(TOLD))
    companions = listed(reference(), 8)
    findings = listed(fields.Nested(Finding), 100)
    note = word(1000, allow_none=True)


def _needs(said: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs(tuple(said["areas"]))


def _record(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    span = standing.span(said, "began_at", "ended_at")
    if isinstance(span, Problem):
        return span
    if any(standing.place(known, each, "ward") is None for each in said["areas"]):
        return Problem("reference.unknown", "fields.areas")
    marks = standing.late(deed, span[1])
    if said["told"] == "announced":
        marks += (Mark("round.announced", "P16"),)
    return Ruling(said, f"facility/{deed.facility}/{Compartment.BASE}", "recorded", None, marks)


def at_night(at: int) -> bool:
    """Whether a moment lies in the night by Beijing's clocks."""
    minute = minute_of(at)
    return minute >= NIGHT_FROM or minute < NIGHT_UNTIL


def _events(_before: Version | None, after: Version) -> Iterator[Event]:
    said = after.doc
    if said:
        began = from_text(said["began_at"])
        facts = {
            "night": at_night(began), "unannounced": said["told"] == "unannounced", "areas": len(said["areas"]),
            "findings": len(said["findings"]),
        }  # fmt: skip
        yield Event("leader.rounded", began, facts=facts)


LEADER_ROUND = Kind(
    name="leader_round",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.BASE,
    writers=frozenset({Post.LEAD, Post.DIR}),
    verbs={
        "record": Verb(
            RoundFields, _record, Text("记录巡查", "record a round"), creates=True, signoff=True, needs=_needs
        )
    },
    text=Text("领导巡查", "leader's round"),
    labels={
        "areas": Text("巡查监区", "wards"),
        "began_at": Text("开始时间", "began"),
        "ended_at": Text("结束时间", "ended"),
        "told": Text("是否提前通知", "whether it was announced"),
        **named("told", TOLD),
        "companions": Text("同行人员", "companions"),
        "findings": Text("发现情况", "what was found"),
        "findings.place": Text("场所", "where"),
        "findings.finding": Text("情况", "what"),
        **named("findings.finding", FINDINGS),
        "findings.note": Text("说明", "note"),
        "note": Text("说明", "note"),
    },
    marks={"round.announced": Text("巡查已提前通知", "the round had been announced")},
    raises={"leader.rounded": Text("领导巡查完成", "a leader has made a round")},
    events=_events,
)
