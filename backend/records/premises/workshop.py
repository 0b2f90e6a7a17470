"""The kind ``workshop_check``: a check of a workshop before, during or after work: who is there, whether all tools are, and
what was found. Tools are counted by whoever checks; a number that differs from what was handed out is marked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema

from backend.domain.posts import Post
from backend.kernel.events import Event, Version
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Mark, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.checks import checked, checked_event, needs_place
from backend.records.forms import choice, listed, moment, named, reference, whole, word

PHASES: Mapping[str, Text] = {
    "before": Text("出工前", "before work"),
    "during": Text("劳动中", "during work"),
    "after": Text("收工后", "after work"),
}
FINDINGS: Mapping[str, Text] = {
    "contraband": Text("违禁品", "contraband"),
    "unguarded_machine": Text("机器防护缺失", "a machine without its guard"),
    "blocked_exit": Text("通道堵塞", "a way out is blocked"),
    "fire_risk": Text("消防隐患", "risk of fire"),
    "no_protection": Text("未配劳动防护", "no protective gear"),
    "unsupervised": Text("无民警在场", "no police officer is there"),
    "overtime": Text("超时劳动", "work beyond its hours"),
    "outsider": Text("无关人员进入", "somebody is there who should not be"),
    "nothing": Text("未发现问题", "nothing was found"),
    "other": Text("其他", "other"),
}


class WorkshopFields(Schema):
    """A check. ``tools_out`` were handed out by the list, ``tools_seen`` were counted. ``findings`` say at least one thing:
    ``nothing`` is a word of its own and stands alone."""

    place = reference()
    phase = choice(tuple(PHASES))
    checked_at = moment()
    headcount = whole(0, 500)
    tools_out = whole(0, 5000)
    tools_seen = whole(0, 5000)
    findings = listed(choice(tuple(FINDINGS)), len(FINDINGS), 1)
    note = word(1000, allow_none=True)


def _record(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    return checked(deed, known, _unfit(said), (said["tools_seen"] != said["tools_out"], Mark("tools.differ")))


def _unfit(said: Mapping[str, Any]) -> Problem | None:
    findings = said["findings"]
    if len(set(findings)) < len(findings) or ("nothing" in findings and len(findings) > 1):
        return Problem("field.invalid", "fields.findings")
    unexplained = "other" in findings or said["tools_seen"] != said["tools_out"]
    return Problem("field.missing", "fields.note") if unexplained and said["note"] is None else None


def _events(_before: Version | None, after: Version) -> Iterator[Event]:
    said = after.doc
    findings = sum(each != "nothing" for each in said["findings"])
    tools = said["tools_seen"] == said["tools_out"]
    yield checked_event("workshop.checked", after, {"phase": said["phase"], "findings": findings, "tools": tools})


WORKSHOP = Kind(
    name="workshop_check",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.BASE,
    writers=frozenset({Post.PAT, Post.DISC, Post.LEAD, Post.DIR}),
    verbs={
        "record": Verb(WorkshopFields, _record, Text("记录检查", "record a check"), creates=True, needs=needs_place)
    },
    text=Text("劳动场所检查", "workshop check"),
    labels={
        "place": Text("劳动场所", "workshop"),
        "phase": Text("检查时段", "when in the work"),
        **named("phase", PHASES),
        "checked_at": Text("检查时间", "when"),
        "headcount": Text("劳动人数", "persons at work"),
        "tools_out": Text("发放工具数", "tools handed out"),
        "tools_seen": Text("清点工具数", "tools counted"),
        "findings": Text("检查发现", "findings"),
        **named("findings", FINDINGS),
        "note": Text("说明", "note"),
    },
    marks={
        "place.closed": Text("该场所已撤销", "the place has been closed"),
        "tools.differ": Text("工具清点数与发放数不符", "the tools counted are not those that were handed out"),
    },
    raises={"workshop.checked": Text("已检查劳动场所", "a workshop was checked")},
    events=_events,
)
