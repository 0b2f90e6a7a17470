"""A roster: who serves which post on which pattern (班次模式), from which day on, with his area of responsibility (责任田)."""

from __future__ import annotations

from typing import Any

from backend.domain.shift_words import ROSTERED
from backend.imports.columns import Column, Reader, Row
from backend.imports.draft import Draft
from backend.imports.known import Known
from backend.imports.plan import Plan, rehearse
from backend.imports.rehearsal import Rehearsal
from backend.imports.table import Table
from backend.imports.words import choice, listed, number, whole_day
from backend.kernel.ids import uuid7
from backend.kernel.kind import Head
from backend.kernel.problems import Problem

COLUMNS = (
    Column("number", ("警号", "编号", "工号"), needed=True),
    Column("name", ("姓名",)),
    Column("post", ("岗位", "值班岗位"), choice(ROSTERED), needed=True),
    Column("pattern", ("班次模式", "班次", "排班模式"), needed=True),
    Column("day", ("周期第几天", "组别", "班组"), number),
    Column("places", ("责任区", "责任田", "责任监室"), listed),
    Column("since", ("第一天", "起始日期", "开始日期"), whole_day, needed=True),
    Column("until", ("最后一天", "截止日期", "结束日期"), whole_day),
)
_FIELDS = {"officer": "number", "offset": "day"}


def plan(reader: Reader, table: Table, known: Known, now: int) -> Plan:
    """The places on patterns of a table. The same officer, post, pattern and first day stand only once."""
    made, rehearsal, codes = Plan(), Rehearsal({**known.places, **known.roster}, now), known.by_code()
    there = {_key(head.doc) for head in known.roster.values() if head.kind == "shift.roster"}
    seen: dict[tuple[str, ...], int] = {}
    for row in reader.rows(table):
        fields = _fields(reader, row, known, codes)
        if fields is None or not _only_once(reader, row, _key(fields), there, seen):
            continue
        draft = Draft("shift.roster", "assign", uuid7(now), fields)
        if rehearse(reader, rehearsal, row, draft, _FIELDS):
            seen[_key(fields)] = row.number
            made.drafts.append(draft)
            made.made.append({"row": row.number, "id": draft.record, "number": row.said["number"]})
    return made


def _key(doc: Any) -> tuple[str, ...]:
    return doc["officer"], doc["post"], doc["pattern"], doc["since"]


def _only_once(
    reader: Reader, row: Row, key: tuple[str, ...], there: set[tuple[str, ...]], seen: dict[tuple[str, ...], int]
) -> bool:
    if key in there:
        reader.blame(row.number, "number", Problem("number.taken"), row.said["number"])
    elif key in seen:
        reader.blame(row.number, "number", Problem("row.repeated", row=seen[key]), row.said["number"])
    return key not in there and key not in seen


def _fields(reader: Reader, row: Row, known: Known, codes: dict[str, list[Head]]) -> dict[str, Any] | None:
    """The document of a row; None where an officer, pattern or place is not there or is not the only one."""
    said, officer = row.said, known.staff.get(row.said["number"])
    if officer is None:
        reader.blame(row.number, "number", Problem("reference.unknown"), said["number"])
    pattern = _one(reader, row, "pattern", said["pattern"], _patterns(known, said["pattern"]))
    places = [_one(reader, row, "places", code, codes.get(code, [])) for code in said.get("places", ())]
    if officer is None or pattern is None or None in places:
        return None
    if "name" in said and said["name"] != officer.name:
        reader.blame(row.number, "name", Problem("reference.unknown"), said["name"])
        return None
    if said["post"] not in officer.posts:
        reader.doubt(row.number, "post", Problem("post.not_held"), said["post"])
    return {
        "officer": officer.officer,
        "post": said["post"],
        "pattern": pattern,
        "offset": said.get("day", 1) - 1,
        "places": list(dict.fromkeys(places)),
        "since": said["since"],
        "until": said.get("until"),
    }


def _patterns(known: Known, name: str) -> list[Head]:
    return [head for head in known.roster.values() if head.kind == "shift.pattern" and head.doc["name"] == name]


def _one(reader: Reader, row: Row, key: str, value: str, found: list[Head]) -> str | None:
    if len(found) == 1:
        return found[0].id
    reader.blame(row.number, key, Problem("number.several" if found else "reference.unknown"), value)
    return None
