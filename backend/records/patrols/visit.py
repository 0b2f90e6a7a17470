"""The kind ``patrol.visit``: one stop. Walking past is not looking: a cell wants a head count, the strongest response
of those in it, and what was seen. Nothing has a default and there is no bulk "all normal" (news2022, row 89)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema, fields

from backend.domain.integrity import words_of
from backend.domain.posts import Post
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
from backend.records.forms import choice, reference, whole, word

MEDIA = ("nfc", "qr", "typed")
RESPONSES = ("spoke", "moving", "breathing", "none")
OBSERVATIONS = ("asleep", "calm", "talking", "low_mood", "agitated", "dispute", "unwell", "damage", "other")


class TagRead(Schema):
    """What the tag said. ``counter`` is the tag's own count of reads, where it has one."""

    uid = word(32)
    medium = choice(MEDIA)
    counter = whole(0, 2**24 - 1, allow_none=True)


class CellLooked(Schema):
    """What was seen in a cell."""

    headcount = whole(0, 200)
    response = choice(RESPONSES)
    observation = choice(OBSERVATIONS)


class VisitFields(Schema):
    """A stop. ``tag`` null: there was none to read, and ``note`` says why. ``cell`` null: it is a checkpoint."""

    round = reference()
    place = reference()
    tag = fields.Nested(TagRead, required=True, allow_none=True)
    cell = fields.Nested(CellLooked, required=True, allow_none=True)
    note = word(500, allow_none=True)


def _needs(fields_: Mapping[str, Any], _head: Head | None) -> Needs:
    looked = fields_["cell"] is not None
    return Needs((fields_["round"], fields_["place"]), (fields_["place"],) if looked else ())


def _record(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    round_, place = known.record(said["round"]), known.record(said["place"])
    if (round_ is None and not known.forced()) or (round_ is not None and round_.kind != "patrol.round"):
        return Problem("reference.unknown", "fields.round")
    if place is None or place.kind != "place":
        return Problem("reference.unknown", "fields.place")
    unexplained = said["tag"] is None or (said["cell"] is not None and said["cell"]["observation"] == "other")
    if unexplained and said["note"] is None:
        return Problem("field.missing", "fields.note")
    marks = lateness(deed) + _of_round(deed, round_, place)
    if place.state == REMOVED:
        marks += (Mark("place.closed"),)
    else:
        marks += _of_tag(said["tag"], place) + _of_cell(said["cell"], place, known)
    return Ruling(said, f"place/{place.id}/{Compartment.BASE}", "recorded", place.id, marks)


def _of_round(deed: Deed, round_: Head | None, place: Head) -> tuple[Mark, ...]:
    if round_ is None:
        return (Mark("round.unknown"),)
    marks = []
    if place.id != round_.place and place.place != round_.place:
        marks.append(Mark("place.outside_round"))
    if round_.state != "open" or round_.terminal != deed.terminal:
        marks.append(Mark("round.not_open"))
    return tuple(marks)


def _of_tag(tag: Mapping[str, Any] | None, place: Head) -> tuple[Mark, ...]:
    if tag is None:
        return (Mark("tag.none"),)
    marks = [] if tag["uid"] in place.doc["tags"] else [Mark("tag.foreign")]
    if tag["medium"] == "typed":
        marks.append(Mark("tag.typed"))
    return tuple(marks)


def _of_cell(cell: Mapping[str, Any] | None, place: Head, known: Known) -> tuple[Mark, ...]:
    if place.doc["type"] != "cell":
        return () if cell is None else (Mark("cell.unexpected"),)
    if cell is None:
        return (Mark("cell.not_looked"),)
    marks = []
    if cell["headcount"] != known.headcount(place.id):
        marks.append(Mark("headcount.differs", "I06"))
    if cell["response"] == "none" and cell["headcount"] > 0:
        marks.append(Mark("response.none"))
    return tuple(marks)


def _events(_before: Version | None, after: Version) -> Iterator[Event]:
    """``cell``: it was looked into. Nothing else raises this event, so nothing else counts as a patrol. ``words``: a digest
    by which notes are compared."""
    said = after.doc
    if said:
        cell = said["cell"]
        facts = {
            "cell": cell is not None, "headcount": cell and cell["headcount"], "words": words_of(said["note"]),
        }  # fmt: skip
        yield Event("patrol.visited", after.observed_at, place=said["place"], facts=facts)


VISIT = Kind(
    name="patrol.visit",
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.BASE,
    writers=frozenset({Post.PAT, Post.DISC, Post.AUX, Post.LEAD, Post.DIR, Post.MED}),
    verbs={"record": Verb(VisitFields, _record, Text("记录一处", "record a stop"), creates=True, needs=_needs)},
    text=Text("巡视点", "stop on a round"),
    labels={
        "round": Text("巡视", "round"),
        "place": Text("场所", "place"),
        "tag": Text("电子标签", "tag"),
        "tag.uid": Text("标签号", "tag id"),
        "tag.medium": Text("读取方式", "how it was read"),
        "tag.medium.nfc": Text("感应", "NFC"),
        "tag.medium.qr": Text("二维码", "QR code"),
        "tag.medium.typed": Text("手工输入", "typed"),
        "tag.counter": Text("标签计数", "tag's counter"),
        "cell": Text("监室情况", "the cell"),
        "cell.headcount": Text("人数", "head count"),
        "cell.response": Text("反应", "response"),
        "cell.response.spoke": Text("有应答", "spoke"),
        "cell.response.moving": Text("有动作", "moving"),
        "cell.response.breathing": Text("有呼吸", "breathing"),
        "cell.response.none": Text("无反应", "none"),
        "cell.observation": Text("所见", "observation"),
        "cell.observation.asleep": Text("就寝", "asleep"),
        "cell.observation.calm": Text("平静", "calm"),
        "cell.observation.talking": Text("交谈", "talking"),
        "cell.observation.low_mood": Text("情绪低落", "low mood"),
        "cell.observation.agitated": Text("情绪激动", "agitated"),
        "cell.observation.dispute": Text("争执", "dispute"),
        "cell.observation.unwell": Text("身体不适", "unwell"),
        "cell.observation.damage": Text("设施损坏", "damage"),
        "cell.observation.other": Text("其他", "other"),
        "note": Text("说明", "note"),
    },
    marks={
        "place.outside_round": Text("该处不在本次巡视监区内", "not in the ward of this round"),
        "place.closed": Text("该场所已撤销", "the place has been closed"),
        "round.unknown": Text("所属巡视记录逾期未到", "the round it belongs to did not come in time"),
        "round.not_open": Text("巡视已结束或由另一终端开始", "the round was over, or another terminal's"),
        "tag.none": Text("未读到标签", "no tag was read"),
        "tag.foreign": Text("标签不属于该处", "the tag does not belong to this place"),
        "tag.typed": Text("标签号为手工输入", "the tag's id was typed"),
        "cell.not_looked": Text("未查看监室", "the cell was not looked into"),
        "cell.unexpected": Text("该处不是监室，却填写了监室情况", "says what a cell holds, but the place is no cell"),
        "headcount.differs": Text(
            "人数与当时的在册人数不符", "the head count differs from the register of that moment"
        ),
        "response.none": Text("监室内无任何反应", "no response from the cell"),
    },
    raises={"patrol.visited": Text("巡视一处", "a stop on a round")},
    events=_events,
)
