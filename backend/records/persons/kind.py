"""The kind ``person`` (被监管人员). Each person is a partition of his own; scopes follow the cell he is in.

A document holds what was said of a person: a key that nobody has written is absent, and null means that somebody said
"none" or "unknown". Risk is a grade that officers agreed on; nothing here counts points.

Whoever is admitted or moved to another cell is lodged by rule A08 (men and women, minors and adults, co-defendants apart):
another cell is refused, unless an emergency overrides it with a reason and a second officer. One who has been lodged so for
longer, or of whom something is learnt afterwards, is recorded, and marked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from marshmallow import Schema, validate
from marshmallow.fields import Nested, String

from backend.domain.calendars import day_of
from backend.domain.custody import GROUNDS, RISKS, STAGES
from backend.domain.lodging import GATED_FACILITIES, clashes
from backend.domain.posts import Post
from backend.domain.rules.citing import forbids
from backend.kernel.clock import from_text
from backend.kernel.events import Event, Version
from backend.kernel.kind import REMOVED, Compartment, Deed, Head, Kind, Known, Mark, Needs, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import choice, edits_of, is_moment, listed, moment, named, reference, word

SEXES = ("m", "f")
STATES = ("held", "released")
ADMISSION_MS = 24 * 3_600_000
"""Whoever came longer ago than this when he was registered is not being admitted: he was here already."""
_LODGING = frozenset({"cell", "birth", "case"})
"""Fields on which it depends whether a cell fits."""
_DAY = r"(19|20)[0-9]{2}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?\Z"


class Override(Schema):
    """An emergency that goes before rule A08: why, and the second officer who agreed."""

    reason = word(500)
    second = reference()


class PersonFields(Schema):
    """A person as a whole. ``number`` is kept as text; ``name`` is null while he is unidentified; ``cell`` is null after
    release; ``birth`` is a year, month or day, as far as it is known; ``case`` is the number by which co-defendants are
    told; ``override`` comes with the cell that it is about, and stays as long as he is there."""

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
    case = word(64, required=False, allow_none=True)
    override = Nested(Override, required=False, allow_none=True)
    remarks = word(500, required=False, allow_none=True)


PersonChange = edits_of(
    PersonFields, "number", "name", "aliases", "birth", "language", "admitted_at", "cell", "bed", "state", "risk", "stage",
    "organ", "case", "override", "remarks",
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
    if not cell:
        return Needs()
    return Needs(records=(cell,), residents=(cell,) if _LODGING & fields.keys() else ())


def _register(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    doc = {**(head.doc if head else {}), **deed.fields}
    if doc["state"] == "held":
        doc.pop("release", None)
    if "cell" in deed.fields and "override" not in deed.fields:
        doc.pop("override", None)
    if wrong := _wrong(doc, known):
        return wrong
    lodged = _lodging(deed, doc, head, known)
    return lodged if isinstance(lodged, Problem) else _ruling(deed, doc, lodged)


def _lodging(deed: Deed, doc: Mapping[str, Any], head: Head | None, known: Known) -> Problem | tuple[Mark, ...]:
    """What rule A08 says of the cell: a problem where it is being chosen, a mark where it is so already."""
    override, cell = doc.get("override"), doc["cell"]
    if override is not None and override["second"] == deed.officer:
        return Problem("field.invalid", "fields.override.second")
    if cell is None or known.facility_type() not in GATED_FACILITIES or not _LODGING & deed.fields.keys():
        return ()
    others = (other.doc for other in known.residents(cell) if other.id != deed.record)
    if not clashes(doc, others, day_of(deed.observed_at)):
        return ()
    chosen = _admitted_now(doc, deed.observed_at) if head is None else head.place != cell
    if chosen and override is None:
        return forbids("A08", "fields.cell")
    return (Mark("cell.mixed", "A08"),)


def _admitted_now(doc: Mapping[str, Any], seen: int) -> bool:
    """Whether a registration tells of an admission, and not of one who had been here before it."""
    admitted = doc.get("admitted_at")
    return admitted is None or from_text(admitted) >= seen - ADMISSION_MS


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


def _ruling(deed: Deed, doc: Mapping[str, Any], lodged: tuple[Mark, ...] = ()) -> Ruling:
    marks = (Mark("person.unidentified"),) if doc["name"] is None else ()
    return Ruling(doc, f"person/{deed.record}/{Compartment.BASE}", doc["state"], doc["cell"], marks + lodged)


def _events(before: Version | None, after: Version) -> Iterator[Event]:
    """What has become of a person between two versions, in the order in which rules of duty want to hear of it."""
    was, is_ = (before.doc if before else {}), after.doc
    if is_["state"] == "held":
        if was.get("state") != "held":
            yield _arrival(was, after)
            was = {}
        elif was["cell"] != is_["cell"]:
            yield _event(after, "cell.moved", {"from": was["cell"], "to": is_["cell"]})
        if is_.get("risk") != was.get("risk"):
            yield _event(after, "risk.changed", {"risk": is_.get("risk"), "before": was.get("risk")})
        if was and is_.get("stage") != was.get("stage"):
            yield _event(after, "stage.changed", {"stage": is_.get("stage"), "before": was.get("stage")})
    elif was.get("state") == "held":
        release = is_.get("release", {})
        at = from_text(release["released_at"]) if release else after.observed_at
        left = min(at, after.observed_at)
        yield Event("person.released", left, after.id, was["cell"], {"ground": release.get("ground")})


def _arrival(was: Mapping[str, Any], after: Version) -> Event:
    """An admission within a day of its registration; or the registration of one who was here already."""
    doc, seen = after.doc, after.observed_at
    told = doc.get("admitted_at") if doc.get("admitted_at") != was.get("admitted_at") else None
    if not _admitted_now({"admitted_at": told}, seen):
        facts = {"cell": doc["cell"], "risk": doc.get("risk"), "stage": doc.get("stage")}
        return _event(after, "person.registered", facts)
    at = seen if told is None else min(from_text(told), seen)
    return Event("admission.accepted", at, after.id, doc["cell"], {"cell": doc["cell"], "sex": doc["sex"]})


def _event(after: Version, name: str, facts: Mapping[str, Any]) -> Event:
    return Event(name, after.observed_at, after.id, after.doc["cell"], facts)


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
        "case": Text("案件编号", "number of the case"),
        "override": Text("紧急情况先行安排", "emergency before the rule"),
        "override.reason": Text("紧急原因", "why"),
        "override.second": Text("同意的第二民警", "second officer who agreed"),
        "remarks": Text("备注", "remarks"),
        "ground": Text("出所原因", "ground of release"),
        **named("ground", GROUNDS),
        "document": Text("释放凭证编号", "number of the document of release"),
        "released_at": Text("出所时间", "released"),
        "note": Text("说明", "note"),
        "release": Text("出所登记", "release"),
    },
    marks={
        "person.unidentified": Text("身份不明", "not identified"),
        "cell.mixed": Text(
            "同监室有异性、未成年人与成年人或同案人员",
            "lodged with the other sex, a minor with adults, or co-defendants",
        ),
    },
    strict=frozenset({"cell", "state", "risk"}),
    raises={
        "admission.accepted": Text("入所收押", "admitted"),
        "person.registered": Text("补登在押人员", "registered, having been here before"),
        "cell.moved": Text("调换监室", "moved to another cell"),
        "risk.changed": Text("风险等级变化", "the grade of risk has changed"),
        "stage.changed": Text("诉讼阶段变化", "the stage of proceedings has changed"),
        "person.released": Text("出所", "released"),
    },
    events=_events,
    settlers=frozenset({Post.INT, Post.LEAD, Post.DIR}),
)
