"""The kind ``person`` (被监管人员). Each person is a partition of his own; scopes follow the cell he is in.

A document holds what was said of a person: a key that nobody has written is absent, and null means that somebody said
"none" or "unknown". Risk is a grade that officers agreed on; nothing here counts points.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from marshmallow import Schema, validate
from marshmallow.fields import String

from backend.domain.custody import GROUNDS, RISKS, STAGES
from backend.domain.posts import Post
from backend.kernel.kind import REMOVED, Compartment, Deed, Head, Kind, Known, Mark, Needs, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import choice, edits_of, is_moment, listed, moment, named, reference, word

SEXES = ("m", "f")
STATES = ("held", "released")
_DAY = r"(19|20)[0-9]{2}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?\Z"


class PersonFields(Schema):
    """A person as a whole. ``number`` is kept as text; ``name`` is null while he is unidentified; ``cell`` is null after
    release; ``birth`` is a year, month or day, as far as it is known."""

    number = word(32)
    name = word(80, allow_none=True)
    aliases = listed(word(80), 8, required=False)
    sex = choice(SEXES)
    birth = String(validate=validate.Regexp(_DAY), allow_none=True)
    language = word(40, required=False, allow_none=True)
    admitted_at = moment(required=False, allow_none=True)
    cell = reference(allow_none=True)
    bed = word(16, required=False, allow_none=True)
    state = choice(STATES)
    risk = choice(tuple(RISKS), required=False, allow_none=True)
    stage = choice(tuple(STAGES), required=False, allow_none=True)
    organ = word(80, required=False, allow_none=True)
    remarks = word(500, required=False, allow_none=True)


PersonChange = edits_of(
    PersonFields, "number", "name", "aliases", "birth", "language", "admitted_at", "cell", "bed", "state", "risk", "stage",
    "organ", "remarks",
)  # fmt: skip


class Release(Schema):
    """``document``: number of the document of release, without which nobody leaves (看守所条例39)."""

    ground = choice(tuple(GROUNDS))
    document = word(80)
    released_at = moment()
    note = word(500, allow_none=True)


def _needs_cell(fields: Mapping[str, Any], head: Head | None) -> Needs:
    standing = head.doc["cell"] if head and head.state != REMOVED else None
    cell = fields.get("cell", standing)
    return Needs(records=(cell,) if cell else ())


def _register(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    doc = {**(head.doc if head else {}), **deed.fields}
    if doc["state"] == "held":
        doc.pop("release", None)
    return _wrong(doc, known) or _ruling(deed, doc)


def _wrong(doc: Mapping[str, Any], known: Known) -> Problem | None:
    cell = doc["cell"]
    if (doc["state"] == "held") != (cell is not None):
        return Problem("field.invalid", "fields.cell")
    if cell is not None:
        place = known.record(cell)
        if place is None or place.kind != "place" or place.state == REMOVED or place.doc["type"] != "cell":
            return Problem("reference.unknown", "fields.cell")
    if not _is_day(doc.get("birth")):
        return Problem("field.invalid", "fields.birth")
    admitted = doc.get("admitted_at")
    if admitted is not None and not is_moment(admitted):
        return Problem("field.invalid", "fields.admitted_at")
    if doc["name"] is None and not doc.get("aliases") and doc.get("remarks") is None:
        return Problem("field.missing", "fields.remarks")
    return None


def _is_day(text: str | None) -> bool:
    if text is None or len(text) < len("1990-01-01"):
        return True
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _release(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    if head.state != "held":
        return Problem("record.state", state=head.state)
    if not is_moment(deed.fields["released_at"]):
        return Problem("field.invalid", "fields.released_at")
    return _ruling(deed, {**head.doc, "cell": None, "state": "released", "release": deed.fields})


def _ruling(deed: Deed, doc: Mapping[str, Any]) -> Ruling:
    marks = (Mark("person.unidentified"),) if doc["name"] is None else ()
    return Ruling(doc, f"person/{deed.record}/{Compartment.BASE}", doc["state"], doc["cell"], marks)


PERSON = Kind(
    name="person",
    version=1,
    policy=Policy.SHARED,
    compartment=Compartment.BASE,
    writers=frozenset({Post.INT}),
    verbs={
        "create": Verb(PersonFields, _register, Text("登记人员", "register a person"), creates=True, needs=_needs_cell),
        "change": Verb(PersonChange, _register, Text("修改人员", "change a person"), needs=_needs_cell, edits=True),
        "release": Verb(
            Release, _release, Text("出所", "release"), signoff=True, watches=("state", "cell"), confirm=True
        ),
    },
    text=Text("被监管人员", "person held"),
    labels={
        "number": Text("编号", "number"),
        "name": Text("姓名", "name"),
        "aliases": Text("别名、化名、自报名", "other names"),
        "sex": Text("性别", "sex"),
        "sex.m": Text("男", "male"),
        "sex.f": Text("女", "female"),
        "birth": Text("出生日期", "born"),
        "language": Text("使用语言", "language"),
        "admitted_at": Text("入所时间", "admitted"),
        "cell": Text("监室", "cell"),
        "bed": Text("床位", "bed"),
        "state": Text("状态", "state"),
        "state.held": Text("在押", "held"),
        "state.released": Text("已出所", "released"),
        "risk": Text("风险等级", "risk"),
        **named("risk", RISKS),
        "stage": Text("诉讼阶段", "stage of proceedings"),
        **named("stage", STAGES),
        "organ": Text("办案单位", "case organ"),
        "remarks": Text("备注", "remarks"),
        "ground": Text("出所原因", "ground of release"),
        **named("ground", GROUNDS),
        "document": Text("释放凭证编号", "number of the document of release"),
        "released_at": Text("出所时间", "released"),
        "note": Text("说明", "note"),
        "release": Text("出所登记", "release"),
    },
    marks={"person.unidentified": Text("身份不明", "not identified")},
    strict=frozenset({"cell", "state", "risk"}),
    settlers=frozenset({Post.INT, Post.LEAD, Post.DIR}),
)
