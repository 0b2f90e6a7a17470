"""The kind ``headcount`` (点名): how many were counted in the cells of a ward, held against the register of that moment. Who
is at court, in hospital or with the case organ stands in the list of those out, with the document or movement that says
so; without one he counts as not found. A mismatch is counted again (rule I06), and each count is a record of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema, fields

from backend.domain import standing
from backend.domain.posts import Post
from backend.kernel.events import Event, Version
from backend.kernel.kind import (
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
from backend.records.forms import choice, listed, named, reference, whole, word

SORTS: Mapping[str, Text] = {
    "morning": Text("早点名", "morning"),
    "bedtime": Text("就寝前点名", "before lights out"),
    "shift": Text("交接班点名", "change of shift"),
    "recount": Text("复点", "recount"),
    "evacuation": Text("疏散清点", "evacuation"),
    "extra": Text("临时点名", "at another time"),
}
REASONS: Mapping[str, Text] = {
    "court": Text("出庭", "court"),
    "hospital": Text("出所就医", "hospital"),
    "interrogation": Text("提讯", "interrogation"),
    "visit": Text("会见", "visit"),
    "transfer": Text("押解途中", "in transit"),
    "leave": Text("请假出所", "on leave"),
    "inside": Text("所内其他场所", "elsewhere in the facility"),
    "other": Text("其他", "other"),
}
"""Why somebody is not in his cell: a local default, not law."""
WHOLE = frozenset({"morning", "bedtime", "shift"})
"""Sorts that are of all cells of a ward, the empty ones too."""
MATCHED, MISMATCH = "matched", "mismatch"


class CellCounted(Schema):
    """How many were counted in a cell."""

    cell = reference()
    counted = whole(0, 200)


class PersonOut(Schema):
    """Somebody who is lodged in one of the cells and is not there: ``document`` is the number of the paper, ``movement``
    the record, that says so. Without either he is not accounted for."""

    person = reference()
    reason = choice(tuple(REASONS))
    document = word(80, allow_none=True)
    movement = reference(allow_none=True)


class CountFields(Schema):
    """A count. ``of``: the count, or return from the yard, that this one repeats; a recount repeats one always."""

    sort = choice(tuple(SORTS))
    place = reference()
    of = reference(allow_none=True)
    cells = listed(fields.Nested(CellCounted), 100, 1)
    out = listed(fields.Nested(PersonOut), 200)
    note = word(500, allow_none=True)


def _needs(said: Mapping[str, Any], _head: Head | None) -> Needs:
    cells = tuple(each["cell"] for each in said["cells"])
    out = [record for each in said["out"] for record in (each["person"], each["movement"]) if record]
    return Needs((said["place"], *([said["of"]] if said["of"] else []), *cells, *out), cells, (said["place"],))


def _record(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    place = standing.place(known, said["place"])
    if place is None:
        return Problem("reference.unknown", "fields.place")
    if wrong := _of_another(said, known) or _twice(said):
        return wrong
    out, marks = _out(said, known)
    cells = [{**each, "expected": known.headcount(each["cell"]) - out[each["cell"]]} for each in said["cells"]]
    state = MATCHED if all(each["counted"] == each["expected"] for each in cells) else MISMATCH
    totals = {name: sum(each[name] for each in cells) for name in ("counted", "expected")}
    whole = {head.id for head in known.places(place.id) if head.doc["type"] == "cell"} <= {
        each["cell"] for each in cells
    }
    marks = lateness(deed) + standing.closed(place) + _unknown_cells(said, known) + marks
    if not whole and said["sort"] in WHOLE:
        marks += (Mark("count.partial"),)
    if state == MISMATCH:
        marks += (Mark("headcount.differs", "I06"),)
    doc = {**said, "cells": cells, **totals, "whole": whole, "about": _about(said, known), "state": state}
    partition = f"place/{place.id}/{Compartment.BASE}"
    return Ruling(doc, partition, state, place.id, marks, alarm=state == MISMATCH)


def _of_another(said: Mapping[str, Any], known: Known) -> Problem | None:
    if said["of"] is None:
        return Problem("field.missing", "fields.of") if said["sort"] == "recount" else None
    first = known.record(said["of"])
    right = first.kind in {"headcount", "yard"} if first else known.forced()
    return None if right else Problem("reference.unknown", "fields.of")


def _about(said: Mapping[str, Any], known: Known) -> str:
    """Where the first of the counts was that this one repeats."""
    first = known.record(said["of"]) if said["of"] else None
    return str(said["place"] if first is None else first.doc.get("about") or first.place)


def _twice(said: Mapping[str, Any]) -> Problem | None:
    """A cell or a person that stands there twice would be counted twice."""
    for name, key in (("cells", "cell"), ("out", "person")):
        if len({each[key] for each in said[name]}) < len(said[name]):
            return Problem("field.invalid", f"fields.{name}")
    return None


def _unknown_cells(said: Mapping[str, Any], known: Known) -> tuple[Mark, ...]:
    wrong = any(standing.place(known, each["cell"], "cell") is None for each in said["cells"])
    return (Mark("cell.unknown"),) if wrong else ()


def _out(said: Mapping[str, Any], known: Known) -> tuple[Counter[str], tuple[Mark, ...]]:
    """How many of each cell are out with something to show for it, and what is remarkable about those who are listed."""
    cells, found, marks = {each["cell"] for each in said["cells"]}, Counter[str](), []
    for each in said["out"]:
        person = known.record(each["person"])
        if person is None or person.kind != "person" or person.state != "held" or person.place not in cells:
            marks.append(Mark("out.elsewhere"))
        elif not _shown(each, known):
            marks.append(Mark("out.undocumented"))
        else:
            found[person.place or ""] += 1
    return found, tuple(dict.fromkeys(marks))


def _shown(each: Mapping[str, Any], known: Known) -> bool:
    """Whether a paper says it, or a movement of that person; one that has not come yet is believed."""
    if each["movement"] is None:
        return each["document"] is not None
    movement = known.record(each["movement"])
    return movement is None or (movement.kind == "movement" and movement.doc.get("person") == each["person"])


def _events(_before: Version | None, after: Version) -> Iterator[Event]:
    """A mismatch is where the first count was, however often it is counted again."""
    said = after.doc
    if not said:
        return
    at, matched = after.observed_at, said["state"] == MATCHED
    counts = {"counted": said["counted"], "expected": said["expected"]}
    facts = {"sort": said["sort"], "matched": matched, "whole": said["whole"], **counts}
    yield Event("rollcall.closed", at, place=said["place"], facts=facts)
    if not matched:
        yield Event("headcount.mismatch", at, place=said["about"], facts={"sort": said["sort"], **counts})
    elif said["of"] is not None:
        yield Event("headcount.solved", at, place=said["about"], facts=counts)


HEADCOUNT = Kind(
    name="headcount",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.BASE,
    writers=frozenset({Post.PAT, Post.DISC, Post.AUX, Post.LEAD, Post.DIR}),
    verbs={
        "record": Verb(
            CountFields, _record, Text("记录点名", "record a count"), creates=True, signoff=True, needs=_needs
        )
    },
    text=Text("点名", "roll call"),
    labels={
        "sort": Text("点名类别", "sort"),
        **named("sort", SORTS),
        "place": Text("监区或场所", "ward or place"),
        "of": Text("复点对象", "the count that is repeated"),
        "cells": Text("各室人数", "cells"),
        "cells.cell": Text("监室", "cell"),
        "cells.counted": Text("实点人数", "counted"),
        "cells.expected": Text("应到人数", "to be there"),
        "out": Text("外出人员", "those out"),
        "out.person": Text("人员", "person"),
        "out.reason": Text("外出事由", "why he is out"),
        **named("out.reason", REASONS),
        "out.document": Text("凭证编号", "number of the paper"),
        "out.movement": Text("外出记录", "record of the movement"),
        "note": Text("说明", "note"),
        "counted": Text("实点合计", "counted in all"),
        "expected": Text("应到合计", "to be there in all"),
        "whole": Text("是否点遍各室", "whether all cells were counted"),
        "about": Text("首次清点场所", "place of the first count"),
        "state": Text("结果", "result"),
        "state.matched": Text("相符", "matched"),
        "state.mismatch": Text("不符", "mismatch"),
    },
    marks={
        "headcount.differs": Text("实点人数与在册及外出人数不符", "the count is not that of register and those out"),
        "out.undocumented": Text(
            "外出无凭证或外出记录，未计入外出", "listed as out with nothing to show for it: not taken as out"
        ),
        "out.elsewhere": Text("所列外出人员不在所点监室", "somebody listed as out is lodged in none of these cells"),
        "count.partial": Text("未点遍该监区各室", "not all cells of the ward were counted"),
        "cell.unknown": Text("所列监室不存在", "a cell that is listed is none"),
        "place.closed": Text("该场所已撤销", "the place has been closed"),
    },
    raises={
        "rollcall.closed": Text("点名完成", "a roll call was done"),
        "headcount.mismatch": Text("人数不符", "the head count does not match"),
        "headcount.solved": Text("复点相符", "counted again, and it matches"),
    },
    events=_events,
)
