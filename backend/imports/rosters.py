"""A roster: who serves which post on which pattern (班次模式), with his area of responsibility (责任田).

Either each row has a first and last day, or the file is a table of days (排班表): a column for each day, with the shift of
each officer in it. Such rows are read as places on the pattern, as few as say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from unicodedata import normalize

from backend.domain.shift_words import ROSTERED, pattern_of
from backend.domain.shifts import FREE, Pattern, Worked
from backend.imports.columns import Column, Reader, Row
from backend.imports.draft import Draft
from backend.imports.known import Known
from backend.imports.plan import Plan, rehearse
from backend.imports.rehearsal import Rehearsal
from backend.imports.rotation import Run, runs
from backend.imports.table import Table
from backend.imports.words import choice, listed, number, whole_day
from backend.kernel.ids import uuid7
from backend.kernel.kind import Head
from backend.kernel.problems import Problem

MOST_OFFICERS = 500
_OF_BOTH = (
    Column("number", ("警号", "编号", "工号"), needed=True),
    Column("name", ("姓名",)),
    Column("post", ("岗位", "值班岗位"), choice(ROSTERED), needed=True),
    Column("pattern", ("班次模式", "排班模式"), needed=True),
    Column("places", ("责任区", "责任田", "责任监室"), listed),
)
COLUMNS = (
    *_OF_BOTH,
    Column("day", ("周期第几天", "组别", "班组"), number),
    Column("since", ("第一天", "起始日期", "开始日期"), whole_day, needed=True),
    Column("until", ("最后一天", "截止日期", "结束日期"), whole_day),
)
_FIELDS = {"officer": "number", "offset": "day"}
_REST = frozenset({FREE, "休", "休息", "轮休", "/", "—", "–", "×"})


def plan(reader: Reader, table: Table, known: Known, now: int) -> Plan:
    """The places on patterns of a table. The same officer, post, pattern and first day stand only once."""
    days = {title: day for title in table.titles if isinstance(day := whole_day(title), str)}
    if days:
        reader.columns = (*_OF_BOTH, *(Column(day, (title,)) for title, day in days.items()))
    names = dict.fromkeys(("offset", "since", "until"), "pattern") if days else {}
    made, rehearsal, codes = Plan(), Rehearsal({**known.places, **known.roster}, now), known.by_code()
    there = {_key(head.doc) for head in known.roster.values() if head.kind == "shift.roster"}
    seen: dict[tuple[str, ...], int] = {}
    for row in reader.rows(table):
        for fields in _documents(reader, row, known, codes, sorted(days.values())):
            draft = Draft("shift.roster", "assign", uuid7(now), fields)
            once = _only_once(reader, row, _key(fields), there, seen)
            if once and rehearse(reader, rehearsal, row, draft, _FIELDS | names):
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


def _documents(
    reader: Reader, row: Row, known: Known, codes: dict[str, list[Head]], days: list[str]
) -> Iterator[dict[str, Any]]:
    """The documents of a row; none where an officer, pattern or place is not there or is not the only one."""
    said, officer = row.said, known.staff.get(row.said["number"])
    if officer is None:
        reader.blame(row.number, "number", Problem("reference.unknown"), said["number"])
    pattern = _one(reader, row, "pattern", said["pattern"], _patterns(known, said["pattern"]))
    places = [_one(reader, row, "places", code, codes.get(code, [])) for code in said.get("places", ())]
    if officer is None or pattern is None or None in places:
        return
    if "name" in said and said["name"] != officer.name:
        reader.blame(row.number, "name", Problem("reference.unknown"), said["name"])
        return
    if said["post"] not in officer.posts:
        reader.doubt(row.number, "post", Problem("post.not_held"), said["post"])
    whole = {
        "officer": officer.officer,
        "post": said["post"],
        "pattern": pattern,
        "places": list(dict.fromkeys(places)),
    }
    if not days:
        yield whole | {"offset": said.get("day", 1) - 1, "since": said["since"], "until": said.get("until")}
        return
    of = pattern_of(pattern, known.roster[pattern].doc)
    for run in _runs(reader, row, of, days):
        yield whole | {"offset": run.offset, "since": run.first, "until": run.last}


def _runs(reader: Reader, row: Row, pattern: Pattern, days: Iterable[str]) -> list[Run]:
    """A row of a table of days as places on its pattern; none, and errors, where a cell is no shift of it."""
    if pattern.worked is not Worked.ALL:
        reader.blame(row.number, "pattern", Problem("field.invalid"), row.said["pattern"])
        return []
    words = {_plain(word): span.code for span in pattern.spans.values() for word in (span.name, span.code)}
    words |= dict.fromkeys(map(_plain, _REST), FREE)
    found = {day: words.get(_plain(row.said.get(day, FREE)), "") for day in days}
    wrong = [day for day, code in found.items() if code != FREE and code not in pattern.cycle]
    for day in wrong:
        reader.blame(row.number, day, Problem("cell.word"), row.said[day])
    return [] if wrong else runs(pattern, found)


def _plain(word: str) -> str:
    return normalize("NFKC", word).casefold()


def _patterns(known: Known, name: str) -> list[Head]:
    return [head for head in known.roster.values() if head.kind == "shift.pattern" and head.doc["name"] == name]


def _one(reader: Reader, row: Row, key: str, value: str, found: list[Head]) -> str | None:
    if len(found) == 1:
        return found[0].id
    reader.blame(row.number, key, Problem("number.several" if found else "reference.unknown"), value)
    return None
