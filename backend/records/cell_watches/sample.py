"""The kind ``cell_watch.sample``: what an officer saw of the watch in a cell, by video or on foot (rules P13, P14)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema

from backend.domain import standing
from backend.domain.posts import Post
from backend.domain.watches import LEAST
from backend.kernel.clock import from_text
from backend.kernel.events import Event, Version
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Mark, Needs, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import choice, is_moment, moment, named, reference, whole, word

MEANS: Mapping[str, Text] = {
    "video": Text("视频", "video"),
    "on_foot": Text("现场", "on foot"),
}
CONDUCT: Mapping[str, Text] = {
    "attentive": Text("认真值守", "attentive"),
    "sitting": Text("坐卧值守", "sitting or lying"),
    "asleep": Text("睡岗", "asleep"),
    "away": Text("脱岗", "away"),
    "other": Text("其他", "other"),
}


class SampleFields(Schema):
    """What was seen at a moment: ``watching`` is how many kept watch; ``note`` is needed with ``other``."""

    cell = reference()
    means = choice(tuple(MEANS))
    seen_at = moment()
    watching = whole(0, 20)
    conduct = choice(tuple(CONDUCT))
    note = word(500, allow_none=True)


def _needs(said: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((said["cell"],))


def _record(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    if not is_moment(said["seen_at"]):
        return Problem("field.invalid", "fields.seen_at")
    if said["conduct"] == "other" and said["note"] is None:
        return Problem("field.missing", "fields.note")
    cell = standing.place(known, said["cell"], "cell")
    if cell is None:
        return Problem("reference.unknown", "fields.cell")
    marks = standing.late(deed, from_text(said["seen_at"])) + standing.closed(cell)
    if said["watching"] < LEAST:
        marks += (Mark("watch.short", "P13"),)
    return Ruling(said, f"place/{cell.id}/{Compartment.BASE}", "recorded", cell.id, marks)


def _events(_before: Version | None, after: Version) -> Iterator[Event]:
    said = after.doc
    if not said:
        return
    at, cell, count = from_text(said["seen_at"]), said["cell"], said["watching"]
    yield Event("cell_watch.sampled", at, place=cell, facts={"means": said["means"], "watching": count})
    name = "cell_watch.short" if count < LEAST else "cell_watch.enough"
    yield Event(name, at, place=cell, facts={"count": count})


SAMPLE = Kind(
    name="cell_watch.sample",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.BASE,
    writers=frozenset({Post.DISC, Post.PAT, Post.AUX, Post.LEAD, Post.DIR}),
    verbs={"record": Verb(SampleFields, _record, Text("记录抽查", "record a sample"), creates=True, needs=_needs)},
    text=Text("值班抽查", "sample of the cell watch"),
    labels={
        "cell": Text("监室", "cell"),
        "means": Text("抽查方式", "by what means"),
        **named("means", MEANS),
        "seen_at": Text("所见时间", "seen at"),
        "watching": Text("在岗人数", "how many kept watch"),
        "conduct": Text("值守情况", "how they did"),
        **named("conduct", CONDUCT),
        "note": Text("说明", "note"),
    },
    marks={
        "watch.short": Text("值班少于两人", "fewer than two kept watch"),
        "place.closed": Text("该场所已撤销", "the place has been closed"),
    },
    raises={
        "cell_watch.sampled": Text("抽查监室值班", "the cell watch was looked at"),
        "cell_watch.short": Text("监室值班不足两人", "fewer than two keep watch"),
        "cell_watch.enough": Text("监室值班已足两人", "two or more keep watch again"),
    },
    events=_events,
)
