"""A register of persons held, each with the papers that are told of him."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backend.domain import resident_id
from backend.domain.custody import RISKS, STAGES
from backend.imports.columns import Column, Reader, Row
from backend.imports.draft import Draft
from backend.imports.known import Known
from backend.imports.plan import Plan, place, rehearse, unique
from backend.imports.rehearsal import Rehearsal
from backend.imports.table import Table
from backend.imports.words import choice, digits, lines, listed, moment, part_of_date, truth, whole_day
from backend.kernel.ids import uuid7
from backend.kernel.kind import Text
from backend.kernel.problems import Problem
from backend.records.papers.kind import TYPES

_SEXES = {"m": Text("男", "male"), "f": Text("女", "female")}
COLUMNS = (
    Column("number", ("编号", "人员编号", "被监管人员编号"), needed=True),
    Column("name", ("姓名",)),
    Column("aliases", ("别名", "化名", "曾用名", "自报名"), listed),
    Column("sex", ("性别",), choice(_SEXES), needed=True),
    Column("birth", ("出生日期", "出生", "生日"), part_of_date),
    Column("language", ("使用语言", "语言")),
    Column("admitted_at", ("入所时间", "入所日期"), moment),
    Column("cell", ("监室", "监室号"), needed=True),
    Column("bed", ("床位", "床位号")),
    Column("risk", ("风险等级", "风险"), choice(RISKS)),
    Column("stage", ("诉讼阶段", "阶段"), choice(STAGES)),
    Column("organ", ("办案单位", "办案机关")),
    Column("case", ("案件编号", "案号")),
    Column("remarks", ("备注",), lines),
    Column("unidentified", ("身份不明",), truth),
    Column("resident_id", ("身份证号", "身份证号码", "公民身份号码", "身份证"), digits),
    Column("papers_type", ("证件类型",), choice(TYPES)),
    Column("papers_number", ("证件号码", "证件号")),
    Column("papers_valid_until", ("有效期至", "证件有效期"), whole_day),
)
_OF_PERSON = frozenset(
    {"number", "aliases", "birth", "language", "admitted_at", "bed", "risk", "stage", "organ", "case", "remarks", "sex"}
)
_OF_CARD = {"type": "resident_id", "number": "resident_id", "name": "name", "valid_until": "papers_valid_until"}
_OF_PAPERS = {"type": "papers_type", "number": "papers_number", "name": "name", "valid_until": "papers_valid_until"}


def plan(reader: Reader, table: Table, known: Known, now: int) -> Plan:
    """The persons of a table, each followed by his papers."""
    made, rehearsal, codes = Plan(), Rehearsal({**known.places, **known.lodged}, now, known.type), known.by_code()
    cards: dict[str, int] = {}
    for row in unique(reader, reader.rows(table), "number", known.persons):
        cell = place(reader, row, "cell", row.said["cell"], codes, "cell")
        person = uuid7(now)
        fields = _fields(reader, row, cell)
        if fields is None or not rehearse(reader, rehearsal, row, Draft("person", "create", person, fields)):
            continue
        _compare(reader, row, cards)
        made.drafts.append(Draft("person", "create", person, fields))
        for paper, names in _papers(reader, row, person, fields["name"]):
            draft = Draft("papers", "create", uuid7(now), paper)
            if rehearse(reader, rehearsal, row, draft, names):
                made.drafts.append(draft)
        made.made.append({"row": row.number, "id": person, "number": row.said["number"]})
    return made


def _fields(reader: Reader, row: Row, cell: str | None) -> dict[str, Any] | None:
    """The document of a person. He is nameless only where the file says that nobody knows who he is."""
    said, unknown = row.said, row.said.get("unidentified", False)
    if unknown and "name" in said:
        reader.blame(row.number, "unidentified", Problem("field.invalid"), said["name"])
        return None
    if not unknown and "name" not in said:
        reader.blame(row.number, "name", Problem("field.missing"))
        return None
    if cell is None:
        return None
    own = {name: value for name, value in said.items() if name in _OF_PERSON}
    return own | {"name": said.get("name"), "cell": cell, "state": "held"}


def _papers(reader: Reader, row: Row, person: str, name: str | None) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """The documents of his papers, with the columns that their fields come from."""
    said, until = row.said, row.said.get("papers_valid_until")
    of_card = "papers_number" not in said
    if "resident_id" in said:
        card = {"type": "resident_id", "number": said["resident_id"], "valid_until": until if of_card else None}
        yield {"person": person, "name": name, **card}, _OF_CARD
    if "papers_number" in said and "papers_type" in said:
        paper = {"type": said["papers_type"], "number": said["papers_number"], "valid_until": until}
        yield {"person": person, "name": name, **paper}, _OF_PAPERS
    elif "papers_number" in said or "papers_type" in said:
        reader.blame(row.number, "papers_type" if of_card is False else "papers_number", Problem("field.missing"))
    elif "papers_valid_until" in said and "resident_id" not in said:
        reader.blame(row.number, "papers_number", Problem("field.missing"))


def _compare(reader: Reader, row: Row, cards: dict[str, int]) -> None:
    """What an identity number says against what else is told. Neither is put right by the other."""
    said = row.said
    number = said.get("resident_id")
    if number is None:
        return
    if number in cards:
        reader.doubt(row.number, "resident_id", Problem("resident_id.repeated", row=cards[number]), number)
    cards.setdefault(number, row.number)
    try:
        told = resident_id.read(number)
    except ValueError:
        return  # the record's own mark says so
    if told.sex != said["sex"]:
        reader.doubt(row.number, "sex", Problem("resident_id.sex"), said["sex"])
    if "birth" in said and not told.birth.startswith(said["birth"]):
        reader.doubt(row.number, "birth", Problem("resident_id.birth"), said["birth"])
