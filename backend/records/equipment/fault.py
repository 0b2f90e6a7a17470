"""The kind ``equipment_fault``: something that does not work, until it does again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema

from backend.domain.equipment import ITEMS, SEVERITIES
from backend.domain.posts import Post
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
    late_since,
    lateness,
)  # fmt: skip
from backend.kernel.problems import Problem
from backend.records.forms import choice, edits_of, moment, named, no_time, reference, referred, strangers, word, yes_no

RESULTS: Mapping[str, Text] = {
    "repaired": Text("已修复", "repaired"),
    "replaced": Text("已更换", "replaced"),
    "removed": Text("已拆除停用", "taken out of use"),
}
STATES: Mapping[str, Text] = {
    "faulty": Text("待修复", "faulty"),
    "repaired": Text("已修复", "repaired"),
}


class Report(Schema):
    """What does not work, where, since when; ``round`` is the equipment round that found it, if one did; ``deliberate``:
    somebody seems to have damaged it; ``meanwhile`` what keeps custody safe until it is repaired."""

    place = reference()
    item = choice(tuple(ITEMS))
    severity = choice(tuple(SEVERITIES))
    deliberate = yes_no()
    found_at = moment()
    round = reference(allow_none=True)
    words = word(1000)
    meanwhile = word(500, allow_none=True)


Amendment = edits_of(Report, "severity", "deliberate", "meanwhile")


class Repair(Schema):
    """How it works again; ``tested`` says that whoever signs has tried it."""

    result = choice(tuple(RESULTS))
    repaired_at = moment()
    tested = yes_no()
    words = word(1000)


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["place"], fields["round"]) if fields["round"] else (fields["place"],))


def _report(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    if wrong := no_time(said, "found_at"):
        return wrong
    place = referred(known, said, "place", "place")
    if isinstance(place, Problem):
        return place
    if wrong := strangers(known, [said["round"]] if said["round"] else [], "round", "equipment_round"):
        return wrong
    if said["severity"] == "critical" and said["meanwhile"] is None:
        return Problem("field.missing", "fields.meanwhile")
    marks = late_since(deed, from_text(said["found_at"]))
    marks += (Mark("place.closed"),) if place.state == REMOVED else ()
    return Ruling({**said, "state": "faulty"}, f"place/{place.id}/{Compartment.BASE}", "faulty", place.id, marks)


def _amend(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    if head.state != "faulty":
        return Problem("record.state", state=head.state)
    doc = {**head.doc, **deed.fields}
    if doc["severity"] == "critical" and doc["meanwhile"] is None:
        return Problem("field.missing", "fields.meanwhile")
    return Ruling(doc, head.partition, head.state, head.place, lateness(deed))


def _repair(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    said = deed.fields
    if head.state != "faulty":
        return Problem("record.state", state=head.state)
    if wrong := no_time(said, "repaired_at"):
        return wrong
    if said["repaired_at"] < head.doc["found_at"]:
        return Problem("field.invalid", "fields.repaired_at")
    marks = late_since(deed, from_text(said["repaired_at"])) + (() if said["tested"] else (Mark("repair.untested"),))
    repair = {"at": to_text(deed.observed_at), "officer": deed.officer, **said}
    doc = {**head.doc, "state": "repaired", "repair": repair}
    return Ruling(doc, head.partition, "repaired", head.place, marks)


def _events(before: Version | None, after: Version) -> Iterator[Event]:
    doc, seen = after.doc, after.observed_at
    facts = {"item": doc["item"], "severity": doc["severity"], "deliberate": doc["deliberate"]}
    if before is None:
        yield Event("equipment.faulted", min(from_text(doc["found_at"]), seen), None, doc["place"], facts)
    elif before.state != after.state:
        at = min(from_text(doc["repair"]["repaired_at"]), seen)
        yield Event("equipment.repaired", at, None, doc["place"], facts)


FAULT = Kind(
    name="equipment_fault",
    version=1,
    policy=Policy.SHARED,
    compartment=Compartment.BASE,
    writers=frozenset({Post.PAT, Post.AUX, Post.DISC, Post.LEAD, Post.DIR}),
    verbs={
        "report": Verb(Report, _report, Text("上报故障", "report"), creates=True, needs=_needs),
        "amend": Verb(Amendment, _amend, Text("修订", "amend"), edits=True),
        "repair": Verb(Repair, _repair, Text("确认修复", "confirm the repair"), signoff=True, watches=("state",)),
    },
    text=Text("设备故障", "equipment fault"),
    labels={
        "place": Text("场所", "place"),
        "item": Text("设备", "equipment"),
        **named("item", ITEMS),
        "severity": Text("程度", "severity"),
        **named("severity", SEVERITIES),
        "deliberate": Text("疑似人为损坏", "seems to have been damaged"),
        "found_at": Text("发现时间", "found"),
        "round": Text("设备巡检记录", "equipment round"),
        "words": Text("情况说明", "in words"),
        "meanwhile": Text("修复前的防范措施", "what keeps it safe meanwhile"),
        "result": Text("修复方式", "how"),
        **named("result", RESULTS),
        "repaired_at": Text("修复时间", "repaired"),
        "tested": Text("已测试正常", "tried and works"),
        "state": Text("状态", "state"),
        **named("state", STATES),
        "repair": Text("修复情况", "repair"),
    },
    marks={
        "place.closed": Text("该场所已撤销", "the place has been closed"),
        "repair.untested": Text("修复后未经测试", "not tried after the repair"),
    },
    strict=frozenset({"severity"}),
    settlers=frozenset({Post.LEAD, Post.DIR}),
    raises={
        "equipment.faulted": Text("设备故障", "something does not work"),
        "equipment.repaired": Text("设备已修复", "something works again"),
    },
    events=_events,
)
