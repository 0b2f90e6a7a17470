"""The kind ``cell_check`` (两下监室): the cell officer goes into a cell, looks at the bodies of those in it and searches it;
twice a day by practice (rule P11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema, fields

from backend.domain import standing
from backend.domain.posts import Post
from backend.kernel.clock import from_text
from backend.kernel.events import Event, Version
from backend.kernel.kind import REMOVED, Compartment, Deed, Head, Kind, Known, Mark, Needs, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import choice, listed, moment, named, reference, whole, word

HALVES: Mapping[str, Text] = {
    "morning": Text("上午", "morning"),
    "evening": Text("晚间", "evening"),
    "extra": Text("临时", "at another time"),
}
FINDINGS: Mapping[str, Text] = {
    "bruise": Text("瘀伤", "bruise"),
    "wound": Text("伤口", "wound"),
    "ligature": Text("勒痕", "ligature mark"),
    "rash": Text("皮疹", "rash"),
    "swelling": Text("肿胀", "swelling"),
    "tattoo": Text("新增文身", "fresh tattoo"),
    "other": Text("其他", "other"),
}
ITEMS: Mapping[str, Text] = {
    "blade": Text("刀具、刀片或利器", "knife, blade or sharp thing"),
    "metal": Text("金属物品", "metal"),
    "rope": Text("绳带", "rope or strap"),
    "glass": Text("玻璃、陶瓷", "glass or china"),
    "lighter": Text("火种", "lighter or matches"),
    "tobacco": Text("烟酒", "tobacco or alcohol"),
    "medicine": Text("未服药品", "hoarded medicine"),
    "drug": Text("毒品", "drugs"),
    "phone": Text("通讯工具", "phone or the like"),
    "money": Text("现金", "cash"),
    "note": Text("字条", "written notes"),
    "other": Text("其他", "other"),
}
"""No source lists what is searched for: local defaults, not law."""


class BodyFound(Schema):
    """What was seen on somebody's body; ``note`` is needed with ``other``."""

    person = reference()
    finding = choice(tuple(FINDINGS))
    note = word(200, allow_none=True)


class ItemFound(Schema):
    """What was found in the cell. ``person`` null: nobody knows whose; ``note`` is needed with ``other``."""

    item = choice(tuple(ITEMS))
    count = whole(1, 999)
    person = reference(allow_none=True)
    note = word(200, allow_none=True)


class CheckFields(Schema):
    """A check. ``persons``: how many were looked at; ``companions``: the other officers; ``damage``: what is broken, null
    where nothing is."""

    cell = reference()
    half = choice(tuple(HALVES))
    began_at = moment()
    ended_at = moment()
    companions = listed(reference(), 8)
    persons = whole(0, 200)
    body = listed(fields.Nested(BodyFound), 100)
    contraband = listed(fields.Nested(ItemFound), 100)
    damage = word(500, allow_none=True)
    note = word(500, allow_none=True)


def _needs(said: Mapping[str, Any], _head: Head | None) -> Needs:
    persons = {each["person"] for each in (*said["body"], *said["contraband"]) if each["person"]}
    return Needs((said["cell"], *sorted(persons)), (said["cell"],))


def _record(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    span = standing.span(said, "began_at", "ended_at")
    if isinstance(span, Problem):
        return span
    if wrong := _unsaid(said):
        return wrong
    cell = standing.place(known, said["cell"], "cell")
    if cell is None:
        return Problem("reference.unknown", "fields.cell")
    marks = standing.late(deed, span[1]) + standing.closed(cell) + _of_persons(said, cell, known)
    return Ruling(said, f"place/{cell.id}/{Compartment.BASE}", "recorded", cell.id, marks)


def _unsaid(said: Mapping[str, Any]) -> Problem | None:
    for name, what in (("body", "finding"), ("contraband", "item")):
        for index, each in enumerate(said[name]):
            if each[what] == "other" and each["note"] is None:
                return Problem("field.missing", f"fields.{name}.{index}.note")
    return None


def _of_persons(said: Mapping[str, Any], cell: Head, known: Known) -> tuple[Mark, ...]:
    found = []
    if cell.state != REMOVED and said["persons"] < known.headcount(cell.id):
        found.append(Mark("check.partial", "P11"))
    named_ = {each["person"] for each in (*said["body"], *said["contraband"]) if each["person"]}
    heads = [known.record(each) for each in named_]
    if any(head is None or head.kind != "person" or head.place != cell.id for head in heads):
        found.append(Mark("person.elsewhere"))
    if said["body"]:
        found.append(Mark("injury.found"))
    if said["contraband"]:
        found.append(Mark("contraband.found"))
    return tuple(found)


def _events(_before: Version | None, after: Version) -> Iterator[Event]:
    said = after.doc
    if said:
        facts = {
            "half": said["half"], "persons": said["persons"], "injuries": len(said["body"]),
            "contraband": len(said["contraband"]),
        }  # fmt: skip
        yield Event("cell.checked", from_text(said["ended_at"]), place=said["cell"], facts=facts)


CELL_CHECK = Kind(
    name="cell_check",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.BASE,
    writers=frozenset({Post.DISC, Post.LEAD, Post.DIR}),
    verbs={
        "record": Verb(
            CheckFields, _record, Text("记录检查", "record a check"), creates=True, signoff=True, needs=_needs
        )
    },
    text=Text("下监室检查", "cell check"),
    labels={
        "cell": Text("监室", "cell"),
        "half": Text("时段", "which of the day's two"),
        **named("half", HALVES),
        "began_at": Text("开始时间", "began"),
        "ended_at": Text("结束时间", "ended"),
        "companions": Text("同行民警", "other officers"),
        "persons": Text("检查人数", "persons looked at"),
        "body": Text("体表检查所见", "seen on bodies"),
        "body.person": Text("人员", "person"),
        "body.finding": Text("所见", "what was seen"),
        **named("body.finding", FINDINGS),
        "body.note": Text("说明", "note"),
        "contraband": Text("违禁物品", "contraband"),
        "contraband.item": Text("物品", "item"),
        **named("contraband.item", ITEMS),
        "contraband.count": Text("数量", "how many"),
        "contraband.person": Text("持有人", "whose"),
        "contraband.note": Text("说明", "note"),
        "damage": Text("设施损坏", "what is broken"),
        "note": Text("说明", "note"),
    },
    marks={
        "check.partial": Text("检查人数少于在册人数", "fewer were looked at than the register has"),
        "person.elsewhere": Text("所列人员不在该监室", "somebody who is named is not lodged in that cell"),
        "injury.found": Text("体表检查发现异常", "something was seen on a body"),
        "contraband.found": Text("查获违禁物品", "contraband was found"),
        "place.closed": Text("该场所已撤销", "the place has been closed"),
    },
    raises={"cell.checked": Text("下监室检查完成", "a cell was checked")},
    events=_events,
)
