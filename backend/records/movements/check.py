"""The kind ``movement.check``: what the escort tells on the way, every half hour (H09). A fact of its own: two of the escort
may tell at the same time, without signal, and neither outdates the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import Schema

from backend.domain.approvals import PLAN
from backend.domain.movements import KIND
from backend.domain.posts import Post
from backend.kernel.events import Event, Version
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Mark, Needs, Policy, Ruling, Text, Verb, lateness
from backend.kernel.problems import Problem
from backend.records.forms import choice, named, reference, word, yes_no

CONDITIONS: Mapping[str, Text] = {
    "steady": Text("情况稳定", "steady"),
    "restless": Text("情绪或行为异常", "restless"),
    "worse": Text("病情加重", "worse"),
    "missing": Text("脱离视线", "out of sight"),
}


class Check(Schema):
    """``awake``: one of the escort is awake beside him; ``note``: needed where he is not steady."""

    movement = reference()
    awake = yes_no()
    condition = choice(tuple(CONDITIONS))
    note = word(500, allow_none=True)


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["movement"],))


def _record(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    head = known.record(said["movement"])
    if head is None or head.kind != KIND:
        return Problem("reference.unknown", "fields.movement")
    if said["condition"] != "steady" and said["note"] is None:
        return Problem("field.missing", "fields.note")
    found = (
        (not said["awake"], Mark("escort.asleep", "H09")),
        (head.state not in {"away", "returned"}, Mark("escort.not_away")),
    )
    marks = tuple(mark for remarkable, mark in found if remarkable)
    plan = head.doc[PLAN]
    doc = {**said, "person": plan["person"], "sort": plan["sort"]}
    alarm = said["condition"] in {"worse", "missing"}
    return Ruling(doc, head.partition, "recorded", marks=lateness(deed) + marks, alarm=alarm)


def _events(_before: Version | None, after: Version) -> Iterable[Event]:
    yield Event("movement.checked_in", after.observed_at, after.doc["person"], facts={"sort": after.doc["sort"]})


CHECK = Kind(
    name="movement.check",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.BASE,
    writers=frozenset({Post.INT, Post.PAT, Post.DISC, Post.MED, Post.LEAD, Post.DIR}),
    verbs={"record": Verb(Check, _record, Text("押解报告", "report"), creates=True, needs=_needs)},
    text=Text("押解报告", "report of an escort"),
    labels={
        "movement": Text("押解记录", "movement"),
        "awake": Text("有民警清醒看护", "one of the escort is awake"),
        "condition": Text("被押解人员情况", "how he is"),
        **named("condition", CONDITIONS),
        "note": Text("说明", "note"),
        "person": Text("被押解人员", "person"),
        "sort": Text("押解事由", "sort"),
    },
    marks={
        "escort.asleep": Text("无民警清醒看护", "nobody of the escort was awake"),
        "escort.not_away": Text("收到时该押解未出所", "at receipt the person had not left"),
    },
    raises={"movement.checked_in": Text("押解报告", "an escort has reported")},
    events=_events,
)
