"""The kind ``yard`` (放风): a cell's exercise in the open air, told when they go out and when they are back. Persons held are
to have an hour a day, in a short-custody facility two (看守所条例25, 拘留所条例21; rule P15)."""

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
    lateness,
)  # fmt: skip
from backend.kernel.problems import Problem
from backend.records.forms import is_moment, listed, moment, reference, whole, word

MINUTE = 60_000


class WentOut(Schema):
    """They went out. ``yard`` null: it is not on the list of places; ``persons``: how many went; ``stayed``: who did not."""

    cell = reference()
    yard = reference(allow_none=True)
    out_at = moment()
    persons = whole(0, 200)
    stayed = listed(reference(), 200)
    note = word(500, allow_none=True)


class CameBack(Schema):
    """They are back, so many."""

    back_at = moment()
    returned = whole(0, 200)
    remark = word(500, allow_none=True)


def _needs(said: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((said["cell"], *([said["yard"]] if said["yard"] else [])), (said["cell"],))


def _out(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    if not is_moment(said["out_at"]):
        return Problem("field.invalid", "fields.out_at")
    cell = standing.place(known, said["cell"], "cell")
    if cell is None:
        return Problem("reference.unknown", "fields.cell")
    if said["yard"] and standing.place(known, said["yard"], "yard", "room") is None:
        return Problem("reference.unknown", "fields.yard")
    marks = standing.late(deed, from_text(said["out_at"])) + standing.closed(cell)
    counted = said["persons"] + len(set(said["stayed"]))
    if cell.state != REMOVED and counted != known.headcount(cell.id):
        marks += (Mark("headcount.differs"),)
    doc = {**said, "state": "out", "back_at": None, "returned": None, "remark": None}
    return Ruling(doc, f"place/{cell.id}/{Compartment.BASE}", "out", cell.id, marks)


def _back(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    said = deed.fields
    if head.state != "out":
        return Problem("record.state", state=head.state)
    if not is_moment(said["back_at"]) or said["back_at"] < head.doc["out_at"]:
        return Problem("field.invalid", "fields.back_at")
    lost = said["returned"] != head.doc["persons"]
    marks = lateness(deed) + ((Mark("headcount.differs", "I06"),) if lost else ())
    return Ruling({**head.doc, **said, "state": "back"}, head.partition, "back", head.place, marks, alarm=lost)


def _events(before: Version | None, after: Version) -> Iterator[Event]:
    said = after.doc
    if before is None or not said or before.state == after.state:
        return
    back, cell = from_text(said["back_at"]), said["cell"]
    minutes = (back - from_text(said["out_at"])) // MINUTE
    yield Event("yard.exercised", back, place=cell, facts={"minutes": minutes, "persons": said["persons"]})
    if said["returned"] != said["persons"]:
        facts = {"counted": said["returned"], "expected": said["persons"], "sort": "yard"}
        yield Event("headcount.mismatch", back, place=cell, facts=facts)


YARD = Kind(
    name="yard",
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.BASE,
    writers=frozenset({Post.DISC, Post.PAT, Post.AUX, Post.LEAD, Post.DIR}),
    verbs={
        "out": Verb(WentOut, _out, Text("放风开始", "they go out"), creates=True, needs=_needs),
        "back": Verb(CameBack, _back, Text("放风结束", "they are back"), watches=("state",)),
    },
    text=Text("放风", "yard exercise"),
    labels={
        "cell": Text("监室", "cell"),
        "yard": Text("放风场", "yard"),
        "out_at": Text("开始时间", "out"),
        "persons": Text("放风人数", "how many went"),
        "stayed": Text("未参加人员", "who stayed"),
        "note": Text("说明", "note"),
        "back_at": Text("结束时间", "back"),
        "returned": Text("返回人数", "how many came back"),
        "remark": Text("返回说明", "remark on the return"),
        "state": Text("状态", "state"),
        "state.out": Text("放风中", "out"),
        "state.back": Text("已返回", "back"),
    },
    marks={
        "headcount.differs": Text("人数不符", "the number is not what it should be"),
        "place.closed": Text("该场所已撤销", "the place has been closed"),
    },
    settlers=frozenset({Post.DISC, Post.LEAD, Post.DIR}),
    raises={
        "yard.exercised": Text("放风完成", "they have been in the yard"),
        "headcount.mismatch": Text("人数不符", "the head count does not match"),
    },
    events=_events,
)
