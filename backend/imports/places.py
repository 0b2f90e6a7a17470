"""Places: wards, and what stands in them by the ward's code. Wards may stand anywhere in the file."""

from __future__ import annotations

from collections import Counter
from typing import Any

from backend.imports.columns import Column, Reader, Row
from backend.imports.draft import Draft
from backend.imports.known import Known
from backend.imports.plan import Plan, place, rehearse, unique
from backend.imports.rehearsal import Rehearsal
from backend.imports.table import Table, Value
from backend.imports.words import choice, lines, listed, number
from backend.kernel.ids import uuid7
from backend.kernel.kind import Text
from backend.records.places.kind import PLACE

_TYPES: dict[str, Text] = {
    name.partition(".")[2]: text for name, text in PLACE.labels.items() if name.startswith("type.")
}


def _tags(value: Value) -> Any:
    """Ids of tags as readers show them: ``04:f4:b9…`` is ``04F4B9…``."""
    return ["".join(tag.upper().replace(":", " ").replace("-", " ").split()) for tag in listed(value)]


COLUMNS = (
    Column("type", ("类型", "类别"), choice(_TYPES), needed=True),
    Column("code", ("编号", "编码", "代码", "监室号"), needed=True),
    Column("name", ("名称",), needed=True),
    Column("parent", ("所属监区", "上级", "监区")),
    Column("position", ("巡视顺序", "顺序", "序号"), number),
    Column("tags", ("电子标签", "标签", "标签号"), _tags),
    Column("capacity", ("设计容量", "容量", "床位数"), number),
    Column("note", ("说明", "备注"), lines),
)


def plan(reader: Reader, table: Table, known: Known, now: int) -> Plan:
    """The places of a table, wards first."""
    made, rehearsal, positions = Plan(), Rehearsal(known.places, now), Counter[str | None]()
    codes = known.by_code()
    for row in sorted(unique(reader, reader.rows(table), "code", codes), key=lambda row: row.said["type"] != "ward"):
        parent = place(reader, row, "parent", row.said["parent"], codes, "ward") if "parent" in row.said else None
        if "parent" in row.said and parent is None:
            continue
        positions[parent] += 1
        draft = Draft("place", "create", uuid7(now), _fields(row, parent, positions[parent]))
        if rehearse(reader, rehearsal, row, draft):
            head = rehearsal.record(draft.record)
            assert head is not None
            codes[row.said["code"]].append(head)
            made.drafts.append(draft)
            made.made.append({"row": row.number, "id": draft.record, "number": row.said["code"]})
    return made


def _fields(row: Row, parent: str | None, position: int) -> dict[str, Any]:
    """The document of a place. Where no order is told, it is that of the file."""
    said = {"position": position, "tags": []} | dict(row.said)
    return said | {"parent": parent}
