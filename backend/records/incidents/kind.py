"""The kind ``incident``: an emergency from its alarm to its report. Who has which part in it, what of the plan is done, what
happened when, and whether everybody is there after an evacuation (mps2018, 突发事件处置; news2022, 应急预案 疏散).

Several officers enter what they see at once, on line or off: notes, ticks and counts never collide. Command does: two
leaders who give one part apart to different officers are told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema

from backend.domain.dynamic_info import SEVERITIES, more_severe
from backend.domain.plans import ITEMS, ROLES, TYPES, checklist
from backend.domain.posts import POLICE, Post
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
from backend.records.forms import choice, edits_of, listed, named, reference, whole, word

LEADERS = frozenset({Post.LEAD, Post.DIR})
MOST_ENTRIES = 300
MOST_CELLS = 100
ENTRIES: Mapping[str, Text] = {
    "opened": Text("接警", "alarm taken"),
    "note": Text("情况", "note"),
    "retyped": Text("更改类型", "type changed"),
    "assigned": Text("分工", "part given"),
    "done": Text("预案步骤完成", "step of the plan done"),
    "evacuated": Text("下令疏散", "evacuation ordered"),
    "counted": Text("清点", "counted"),
    "closed": Text("处置结束", "closed"),
}


class Opening(Schema):
    """The alarm: a person, a place or both. ``cause``: the record that gave rise to it, such as a roll call or a report."""

    type = choice(tuple(TYPES))
    severity = choice(tuple(SEVERITIES))
    person = reference(allow_none=True)
    place = reference(allow_none=True)
    cause = reference(allow_none=True)
    text = word(2000)


class _Judged(Opening):
    summary = word(500, allow_none=True)


Amendment = edits_of(_Judged, "severity", "summary")


class Type(Schema):
    """What it has turned out to be."""

    type = choice(tuple(TYPES))


class Part(Schema):
    """Who has one part in it; nobody: it is taken back."""

    role = choice(tuple(ROLES))
    officers = listed(reference(), 20)


class Done(Schema):
    """A step of the plan is done."""

    item = choice(tuple(ITEMS))
    note = word(500, allow_none=True)


class Note(Schema):
    """What happens, for the timeline."""

    text = word(1000)


class Evacuation(Schema):
    """The cells that are to be emptied."""

    cells = listed(reference(), MOST_CELLS, 1)


class Count(Schema):
    """How many of those who were lodged in a cell stand at the assembly point; ``elsewhere``: known to be out, in hospital,
    at court or interrogated."""

    cell = reference()
    counted = whole(0, 200)
    elsewhere = whole(0, 200)
    note = word(500, allow_none=True)


class Closing(Schema):
    """The report. ``undone``: why steps of the plan were left out, null only where none was."""

    report = word(4000)
    undone = word(1000, allow_none=True)


def _needs_subject(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs(tuple(each for each in (fields["person"], fields["place"], fields["cause"]) if each))


def _needs_cells(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs(tuple(fields["cells"]), tuple(fields["cells"]))


def _needs_cell(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["cell"],), (fields["cell"],))


def _open(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    if said["person"] is None and said["place"] is None:
        return Problem("field.missing", "fields.place")
    about = "person" if said["person"] else "place"
    for name in ("person", "place"):
        if said[name] and _wrong(known.record(said[name]), name, known, needed=name == about):
            return Problem("reference.unknown", f"fields.{name}")
    if said["cause"] and known.record(said["cause"]) is None and not known.forced():
        return Problem("reference.unknown", "fields.cause")
    doc = {
        **said, "state": "open", "opened": {"at": to_text(deed.observed_at), "officer": deed.officer},
        "plan": dict.fromkeys(checklist(said["type"])), "roles": {}, "cells": {}, "timeline": [_entry("opened", deed, {})],
    }  # fmt: skip
    partition = f"{about}/{said[about]}/{Compartment.BASE}"
    return Ruling(doc, partition, "open", said["place"], lateness(deed), alarm=said["severity"] == "urgent")


def _wrong(head: Head | None, kind: str, known: Known, *, needed: bool) -> bool:
    return head.kind != kind if head else needed or not known.forced()


def _entry(what: str, deed: Deed, said: Mapping[str, Any]) -> dict[str, Any]:
    return {"what": what, "at": to_text(deed.observed_at), "officer": deed.officer, **said}


def _with(deed: Deed, head: Head, what: str, marks: tuple[Mark, ...] = (), **changes: Any) -> Ruling | Problem:
    """The incident with one entry more, also when it was closed meanwhile: what happened stands in the timeline."""
    if len(head.doc["timeline"]) >= MOST_ENTRIES:
        return Problem("record.state", state=head.state)
    timeline = [*head.doc["timeline"], _entry(what, deed, deed.fields)]
    doc = {**head.doc, **changes, "timeline": timeline}
    return Ruling(doc, head.partition, doc["state"], head.place, lateness(deed) + marks)


def _leads(head: Head, known: Known) -> Problem | None:
    """What only a leader does, and only while it lasts."""
    if not known.posts() & LEADERS:
        return Problem("officer.unauthorised", "officer")
    return None if head.doc["state"] == "open" else Problem("record.state", state=head.doc["state"])


def _amend(deed: Deed, head: Head | None, _known: Known) -> Ruling:
    assert head is not None
    doc = {**head.doc, **deed.fields}
    risen = doc["severity"] == "urgent" != head.doc["severity"]
    return Ruling(doc, head.partition, doc["state"], head.place, lateness(deed), alarm=risen)


def _retype(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """Another type brings its own plan; what was done already stays done."""
    assert head is not None
    type_ = deed.fields["type"]
    plan = dict.fromkeys(checklist(type_)) | {item: how for item, how in head.doc["plan"].items() if how}
    return _leads(head, known) or _with(deed, head, "retyped", type=type_, plan=plan)


def _assign(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    roles = {**head.doc["roles"], deed.fields["role"]: deed.fields["officers"]}
    return _leads(head, known) or _with(deed, head, "assigned", roles=roles)


def _do(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    """A step that the plan does not have is done all the same; the first who did it stands in the plan."""
    assert head is not None
    item, plan = deed.fields["item"], head.doc["plan"]
    marks = () if item in plan else (Mark("plan.beside"),)
    done = plan.get(item) or {"at": to_text(deed.observed_at), "officer": deed.officer}
    return _with(deed, head, "done", marks, plan={**plan, item: done})


def _note(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    return _with(deed, head, "note")


def _evacuate(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    said = deed.fields["cells"]
    for at, cell in enumerate(said):
        if not _is_cell(known.record(cell)):
            return Problem("reference.unknown", f"fields.cells.{at}")
    cells = {cell: {"lodged": known.headcount(cell), "counted": None, "elsewhere": None} for cell in said}
    if len(cells | head.doc["cells"]) > MOST_CELLS:
        return Problem("field.invalid", "fields.cells")
    return _leads(head, known) or _with(deed, head, "evacuated", cells=cells | head.doc["cells"])


def _is_cell(head: Head | None) -> bool:
    return head is not None and head.kind == "place" and head.state != REMOVED and head.doc["type"] == "cell"


def _count(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    said = deed.fields
    if not _is_cell(known.record(said["cell"])):
        return Problem("reference.unknown", "fields.cell")
    lodged = known.headcount(said["cell"])
    counted = {"lodged": lodged, "counted": said["counted"], "elsewhere": said["elsewhere"]}
    marks = () if _agrees(counted) else (Mark("headcount.differs", "I06"),)
    return _with(deed, head, "counted", marks, cells={**head.doc["cells"], said["cell"]: counted})


def _agrees(cell: Mapping[str, Any]) -> bool:
    return bool(cell["counted"] is not None and cell["counted"] + cell["elsewhere"] == cell["lodged"])


def _close(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    if wrong := _leads(head, known):
        return wrong
    if deed.fields["undone"] is None and not all(head.doc["plan"].values()):
        return Problem("field.missing", "fields.undone")
    marks = () if all(map(_agrees, head.doc["cells"].values())) else (Mark("evacuation.open", "I06"),)
    closed = {"at": to_text(deed.observed_at), "officer": deed.officer, **deed.fields}
    doc = {
        **head.doc,
        "state": "closed",
        "closed": closed,
        "timeline": [*head.doc["timeline"], _entry("closed", deed, {})],
    }
    return Ruling(doc, head.partition, "closed", head.place, lateness(deed) + marks)


def _events(before: Version | None, after: Version) -> Iterator[Event]:
    doc = after.doc
    subject = (doc["person"], doc["place"])
    facts = {"type": doc["type"], "severity": doc["severity"]}
    if before is None:
        yield Event("incident.opened", from_text(doc["opened"]["at"]), *subject, facts)
    elif more_severe(doc["severity"], before.doc["severity"]):
        yield Event("incident.escalated", after.observed_at, *subject, facts)
    for entry in doc["timeline"][len(before.doc["timeline"]) if before else 0 :]:
        yield from _of_entry(entry, subject, facts)
    if _counted(doc) and (before is None or doc["cells"] != before.doc["cells"]):
        complete = all(map(_agrees, doc["cells"].values()))
        yield Event("incident.evacuated", after.observed_at, *subject, facts | {"complete": complete})
    if doc["state"] == "closed" and (before is None or before.doc["state"] != "closed"):
        yield Event("incident.closed", from_text(doc["closed"]["at"]), *subject, facts)


def _of_entry(
    entry: Mapping[str, Any], subject: tuple[str | None, str | None], facts: Mapping[str, str]
) -> Iterator[Event]:
    at = from_text(entry["at"])
    if entry["what"] == "assigned":
        yield Event("incident.assigned", at, *subject, {**facts, "role": entry["role"]})
        for officer in entry["officers"]:
            yield Event("incident.part", at, *subject, {**facts, "role": entry["role"], "officer": officer})
    elif entry["what"] in {"done", "note", "counted"}:
        yield Event("incident.worked", at, *subject, {**facts, "what": entry["what"], "officer": entry["officer"]})


def _counted(doc: Mapping[str, Any]) -> bool:
    """Whether every cell that was to be emptied has been counted."""
    return bool(doc["cells"]) and all(cell["counted"] is not None for cell in doc["cells"].values())


INCIDENT = Kind(
    name="incident",
    version=1,
    policy=Policy.SHARED,
    compartment=Compartment.BASE,
    writers=frozenset(post.value for post in POLICE | {Post.AUX, Post.SYS}),
    verbs={
        "open": Verb(Opening, _open, Text("立案处置", "open"), creates=True, needs=_needs_subject),
        "amend": Verb(Amendment, _amend, Text("修订", "amend"), edits=True),
        "retype": Verb(Type, _retype, Text("更改类型", "change the type"), watches=("type",)),
        "assign": Verb(Part, _assign, Text("分工", "give a part"), watches=("roles",)),
        "do": Verb(Done, _do, Text("完成预案步骤", "do a step"), by_value=True),
        "note": Verb(Note, _note, Text("记录情况", "note"), by_value=True),
        "evacuate": Verb(Evacuation, _evacuate, Text("下令疏散", "evacuate"), needs=_needs_cells, by_value=True),
        "count": Verb(Count, _count, Text("清点", "count"), needs=_needs_cell, by_value=True),
        "close": Verb(Closing, _close, Text("结束处置", "close"), signoff=True, watches=("state",)),
    },
    text=Text("突发事件", "incident"),
    labels={
        "type": Text("类型", "type"),
        **named("type", TYPES),
        "severity": Text("程度", "severity"),
        **named("severity", SEVERITIES),
        "person": Text("被监管人员", "person"),
        "place": Text("场所", "place"),
        "cause": Text("起因记录", "what gave rise to it"),
        "text": Text("情况", "what happens"),
        "summary": Text("摘要", "summary"),
        "role": Text("职责", "part"),
        **named("role", ROLES),
        "officers": Text("民警", "officers"),
        "item": Text("预案步骤", "step of the plan"),
        **named("item", ITEMS),
        "note": Text("说明", "note"),
        "cells": Text("疏散监室", "cells that are evacuated"),
        "cell": Text("监室", "cell"),
        "counted": Text("清点人数", "counted"),
        "elsewhere": Text("因故在外人数", "known to be elsewhere"),
        "report": Text("处置报告", "report"),
        "undone": Text("未完成步骤的原因", "why steps were left out"),
        "state": Text("状态", "state"),
        "state.open": Text("处置中", "open"),
        "state.closed": Text("已结束", "closed"),
        "opened": Text("接警", "alarm taken"),
        "closed": Text("结束", "closing"),
        "plan": Text("预案", "plan"),
        "roles": Text("分工", "parts"),
        "timeline": Text("经过", "timeline"),
        **named("timeline.what", ENTRIES),
    },
    marks={
        "plan.beside": Text("预案中没有该步骤", "the plan does not have this step"),
        "headcount.differs": Text("清点人数与在册不符", "the count is not that of the register"),
        "evacuation.open": Text("疏散人数尚未核清", "the evacuated are not all accounted for"),
    },
    strict=frozenset({"severity"}),
    settlers=LEADERS,
    raises={
        "incident.opened": Text("突发事件立案", "an incident was opened"),
        "incident.escalated": Text("突发事件升级", "an incident became more severe"),
        "incident.assigned": Text("突发事件分工", "a part in an incident was given"),
        "incident.part": Text("民警受领职责", "an officer was given a part in an incident"),
        "incident.worked": Text("突发事件处置动作", "somebody did, noted or counted something in an incident"),
        "incident.evacuated": Text("疏散清点完毕", "the evacuated were counted"),
        "incident.closed": Text("突发事件结束", "an incident was closed"),
    },
    events=_events,
)
