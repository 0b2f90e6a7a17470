"""The kind ``cell_watch`` (监室值班表): who of those in a cell keeps watch when. The guidance of 2018 has at least two of them
at any hour (rule P13); a roster that names fewer is recorded, and marked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema, fields

from backend.domain import standing
from backend.domain.posts import Post
from backend.domain.watches import LEAST, Turn, fewest
from backend.kernel.events import Event, Version
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Mark, Needs, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import choice, edits_of, listed, moment, named, reference, word

LONGEST = 32 * 24 * 3_600_000
WHY: Mapping[str, Text] = {
    "routine": Text("例行排班", "as usual"),
    "moved": Text("人员变动", "somebody has come or gone"),
    "ill": Text("身体原因", "somebody is ill"),
    "unfit": Text("不适宜值班", "somebody is not fit for it"),
    "other": Text("其他", "other"),
}


class WatchTurn(Schema):
    """Who keeps watch from when until when."""

    since = moment()
    until = moment()
    persons = listed(reference(), 8)


class WatchFields(Schema):
    """The roster of one cell, for a month at most. ``why``: what it is drawn up for."""

    cell = reference()
    since = moment()
    until = moment()
    turns = listed(fields.Nested(WatchTurn), 200)
    why = choice(tuple(WHY))
    note = word(500, allow_none=True)


WatchChange = edits_of(WatchFields, "turns", "why", "note")


def _needs(said: Mapping[str, Any], head: Head | None) -> Needs:
    """Its cell, as far as there is one: the record that an edit names may be missing, or of another kind."""
    cell = said.get("cell") or (head.doc.get("cell") if head else None)
    return Needs((cell,), residents=(cell,)) if cell else Needs()


def _set(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    doc = {**(head.doc if head else {}), **deed.fields}
    span = standing.span(doc, "since", "until")
    if isinstance(span, Problem):
        return span
    if not 0 < span[1] - span[0] <= LONGEST:
        return Problem("field.invalid", "fields.until")
    turns = _turns(doc)
    if isinstance(turns, Problem):
        return turns
    cell = standing.place(known, doc["cell"], "cell")
    if cell is None:
        return Problem("reference.unknown", "fields.cell")
    least = fewest(turns, *span)
    marks = standing.closed(cell) + _of_persons(doc, known)
    if least < LEAST:
        marks += (Mark("watch.short", "P13"),)
    doc = {**doc, "least": least}
    return Ruling(doc, f"place/{cell.id}/{Compartment.BASE}", "open", cell.id, marks)


def _turns(doc: Mapping[str, Any]) -> list[Turn] | Problem:
    found = []
    for index, each in enumerate(doc["turns"]):
        span = standing.span(each, "since", "until")
        if isinstance(span, Problem):
            return Problem("field.invalid", f"fields.turns.{index}.{(span.field or '').rpartition('.')[2]}")
        found.append((*span, len(set(each["persons"]))))
    return found


def _of_persons(doc: Mapping[str, Any], known: Known) -> tuple[Mark, ...]:
    here = {head.id for head in known.residents(doc["cell"])}
    strangers = any(person not in here for each in doc["turns"] for person in each["persons"])
    return (Mark("person.elsewhere"),) if strangers else ()


def _events(before: Version | None, after: Version) -> Iterator[Event]:
    if not after.doc:
        return
    at, cell, least = after.observed_at, after.doc["cell"], after.doc["least"]
    yield Event("cell_watch.set", at, place=cell, facts={"least": least})
    if least < LEAST:
        yield Event("cell_watch.short", at, place=cell, facts={"count": least})
    elif before is not None and before.doc and before.doc["least"] < LEAST:
        yield Event("cell_watch.enough", at, place=cell, facts={"count": least})


CELL_WATCH = Kind(
    name="cell_watch",
    version=1,
    policy=Policy.SHARED,
    compartment=Compartment.BASE,
    writers=frozenset({Post.DISC, Post.LEAD, Post.DIR}),
    verbs={
        "set": Verb(WatchFields, _set, Text("排定值班", "draw up the watch"), creates=True, needs=_needs),
        "change": Verb(WatchChange, _set, Text("调整值班", "change the watch"), needs=_needs, edits=True),
    },
    text=Text("监室值班表", "cell watch roster"),
    labels={
        "cell": Text("监室", "cell"),
        "since": Text("开始时间", "from"),
        "until": Text("结束时间", "until"),
        "turns": Text("值班时段", "turns"),
        "turns.since": Text("开始时间", "from"),
        "turns.until": Text("结束时间", "until"),
        "turns.persons": Text("值班人员", "who keeps watch"),
        "why": Text("排班事由", "why"),
        **named("why", WHY),
        "note": Text("说明", "note"),
        "least": Text("同时值班最少人数", "fewest at any moment"),
        "state.open": Text("有效", "in force"),
    },
    marks={
        "watch.short": Text("有时段值班少于两人", "fewer than two keep watch at some time"),
        "person.elsewhere": Text("值班人员不在该监室", "somebody on the watch is not lodged in that cell"),
        "place.closed": Text("该场所已撤销", "the place has been closed"),
    },
    raises={
        "cell_watch.set": Text("值班表排定", "a watch was drawn up"),
        "cell_watch.short": Text("监室值班不足两人", "fewer than two keep watch"),
        "cell_watch.enough": Text("监室值班已足两人", "two or more keep watch again"),
    },
    events=_events,
    settlers=frozenset({Post.DISC, Post.LEAD, Post.DIR}),
)
