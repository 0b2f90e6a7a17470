"""The kind ``patrol.round``: opened at the ward's door, closed with a sign-off that covers all of its stops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema

from backend.domain.posts import Post
from backend.kernel.clock import to_text
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
from backend.records.forms import choice, listed, reference, whole, word

RESULTS = ("completed", "interrupted")


class RoundOpened(Schema):
    """``area`` is the ward; ``companions`` are the other officers on the walk."""

    area = reference()
    companions = listed(reference(), 8)


class RoundClosed(Schema):
    """``visits``: how many stops the terminal recorded, so that one that never arrives is missed."""

    result = choice(RESULTS)
    reason = word(500, allow_none=True)
    visits = whole(0, 999)


def _needs_area(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs(records=(fields["area"],))


def _partition(area: str) -> str:
    return f"place/{area}/{Compartment.BASE}"


def _open(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    area = known.record(deed.fields["area"])
    if area is None or area.kind != "place" or area.state == REMOVED or area.doc["type"] != "ward":
        return Problem("reference.unknown", "fields.area")
    alone = known.posts() <= {Post.AUX} and not deed.fields["companions"]
    marks = (Mark("auxiliary.alone", "P07"),) if alone else ()
    doc = {**deed.fields, "opened_at": to_text(deed.observed_at), "result": None, "reason": None, "visits": None}
    return Ruling(doc, _partition(area.id), "open", area.id, lateness(deed) + marks)


def _close(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    if head.state != "open":
        return Problem("record.state", state=head.state)
    if (deed.fields["result"] == "interrupted") != (deed.fields["reason"] is not None):
        return Problem("field.invalid", "fields.reason")
    doc = {**head.doc, **deed.fields}
    return Ruling(doc, head.partition, "closed", head.place, lateness(deed))


def _events(before: Version | None, after: Version) -> Iterator[Event]:
    ward = after.doc.get("area")
    if before is None and ward:
        yield Event(
            "patrol.opened", after.observed_at, place=ward, facts={"officers": 1 + len(after.doc["companions"])}
        )
    elif before is not None and before.state == "open" and after.state == "closed":
        yield Event("patrol.closed", after.observed_at, place=ward, facts={"result": after.doc["result"]})


ROUND = Kind(
    name="patrol.round",
    version=1,
    policy=Policy.OWNED,
    compartment=Compartment.BASE,
    writers=frozenset({Post.PAT, Post.DISC, Post.AUX, Post.LEAD, Post.DIR, Post.MED}),
    verbs={
        "open": Verb(RoundOpened, _open, Text("开始巡视", "begin a round"), creates=True, needs=_needs_area),
        "close": Verb(RoundClosed, _close, Text("结束巡视", "end a round"), signoff=True),
    },
    text=Text("巡视", "patrol round"),
    labels={
        "area": Text("监区", "ward"),
        "companions": Text("同行人员", "companions"),
        "result": Text("结果", "result"),
        "result.completed": Text("走完", "completed"),
        "result.interrupted": Text("中断", "interrupted"),
        "reason": Text("中断原因", "reason of the interruption"),
        "visits": Text("停留点数", "number of stops"),
        "opened_at": Text("开始时间", "begun"),
        "state.open": Text("进行中", "open"),
        "state.closed": Text("已结束", "closed"),
    },
    marks={
        "auxiliary.alone": Text("仅辅警巡视，须民警补签", "by an auxiliary alone; a police officer must co-sign"),
    },
    raises={
        "patrol.opened": Text("开始巡视", "a round was begun"),
        "patrol.closed": Text("结束巡视", "a round was ended"),
    },
    events=_events,
)
