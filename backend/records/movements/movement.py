"""The kind ``movement``: a person is taken out of the facility and comes back. What is planned is held at the gate until it is
approved (H08) or its document is there; that he has left is recorded in any case, and marked if nobody had cleared it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import Schema

from backend.domain.approvals import PLAN, Asked, barred
from backend.domain.movements import KIND, RESTRAINTS, SORTS, crew_of
from backend.domain.posts import Post
from backend.domain.rules.citing import forbids
from backend.kernel.clock import from_text
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
from backend.records.forms import choice, is_moment, listed, moment, named, reference, word, yes_no
from backend.records.steps import step_of

WRITERS = frozenset({Post.INT, Post.PAT, Post.DISC, Post.MED, Post.LEAD, Post.DIR})
GATE = frozenset({Post.INT, Post.LEAD, Post.DIR})
"""Posts that clear a movement at the gate."""
STATES: Mapping[str, Text] = {
    "planned": Text("已计划", "planned"),
    "cleared": Text("已放行", "cleared"),
    "away": Text("在外", "away"),
    "returned": Text("已返回", "returned"),
    "cancelled": Text("已取消", "cancelled"),
}
STEPS: Mapping[str, Text] = {**STATES, "amended": Text("已变更计划", "plan changed"), "away": Text("已出所", "left")}
CONDITIONS: Mapping[str, Text] = {
    "well": Text("正常", "well"),
    "unwell": Text("身体不适", "unwell"),
    "injured": Text("有外伤", "injured"),
}
MOST_STEPS = 100


class Amended(Schema):
    """A plan, but for whom it is of. ``crew``: the officers who escort him; ``destination``: the institution, and no
    diagnosis; ``restraint``: approved with the plan (公通字[1991]38号); ``vehicle``: null where there is none or it is not
    known yet."""

    sort = choice(tuple(SORTS))
    destination = word(200)
    leaves_at = moment()
    returns_by = moment()
    crew = listed(reference(), 12, 1)
    restraint = choice(tuple(RESTRAINTS))
    vehicle = word(40, allow_none=True)


class Plan(Amended):
    """What is to be done with a person."""

    person = reference()


class Clearance(Schema):
    """What opens the gate: an approval with its ``code`` (null where an emergency goes before the paper), or the number of the
    ``document`` with which he is fetched."""

    approval = reference(allow_none=True)
    code = word(8, 8, allow_none=True)
    document = word(80, allow_none=True)


class Left(Schema):
    """Who went with him indeed, and how he was restrained."""

    crew = listed(reference(), 12, 1)
    restraint = choice(tuple(RESTRAINTS))


class Returned(Schema):
    """How he came back: searched, and in what condition; ``note``: needed where he is not well."""

    condition = choice(tuple(CONDITIONS))
    searched = yes_no()
    note = word(500, allow_none=True)


class Cancelled(Schema):
    """Why it does not take place."""

    reason = word(500)


def _needs_person(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["person"],))


def _needs_approval(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["approval"],) if fields["approval"] else ())


def _plan(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    person = known.record(deed.fields["person"])
    if person is None or person.kind != "person":
        return Problem("reference.unknown", "fields.person")
    if person.state != "held":
        return Problem("record.state", "fields.person", state=person.state)
    if wrong := _wrong(deed.fields, known):
        return wrong
    plan = dict(deed.fields)
    doc = {PLAN: plan, "approval": None, "document": None, "state": "planned", "steps": [step_of("planned", deed, {})]}
    return Ruling(doc, f"person/{person.id}/{Compartment.BASE}", "planned", marks=lateness(deed))


def _wrong(plan: Mapping[str, Any], known: Known) -> Problem | None:
    for name in ("leaves_at", "returns_by"):
        if not is_moment(plan[name]):
            return Problem("field.invalid", f"fields.{name}")
    if plan["returns_by"] <= plan["leaves_at"]:
        return Problem("field.invalid", "fields.returns_by")
    if len(set(plan["crew"])) < crew_of(known.facility_type()):
        return forbids("H09", "fields.crew")
    return None


def _on(deed: Deed, head: Head, step: str, *, marks: Iterable[Mark] = (), **changes: Any) -> Ruling:
    """The movement one step further; what the step says stands in it."""
    doc = {**head.doc, **changes, "steps": [*head.doc["steps"], step_of(step, deed, deed.fields)]}
    return Ruling(doc, head.partition, doc["state"], marks=(*lateness(deed), *marks))


def _barred(head: Head, *states: str) -> Problem | None:
    full = len(head.doc["steps"]) >= MOST_STEPS
    return Problem("record.state", state=head.state) if full or head.state not in states else None


def _amend(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """Another plan, which wants an approval of its own."""
    assert head is not None
    if wrong := _barred(head, "planned", "cleared") or _wrong(deed.fields, known):
        return wrong
    plan = {**head.doc[PLAN], **deed.fields}
    return _on(deed, head, "amended", plan=plan, state="planned", approval=None, document=None)


def _clear(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """The gate: what is only planned is refused until it may be done."""
    assert head is not None
    if wrong := _barred(head, "planned"):
        return wrong
    if not known.posts() & GATE:
        return Problem("officer.unauthorised", "officer")
    said, plan = deed.fields, head.doc[PLAN]
    matter = SORTS[plan["sort"]].matter
    if matter is None and said["document"] is None:
        return Problem("field.missing", "fields.document")
    if matter is not None:
        approval = known.record(said["approval"]) if said["approval"] else None
        if said["approval"] and approval is None:
            return Problem("reference.unknown", "fields.approval")
        if wrong := barred(approval, Asked(matter, head.id, plan, deed.observed_at, said["code"])):
            return wrong
    return _on(deed, head, "cleared", state="cleared", approval=said["approval"], document=said["document"])


def _leave(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """He has left: recorded whoever let him, and marked where nobody had cleared it."""
    assert head is not None
    if wrong := _barred(head, "planned", "cleared"):
        return wrong
    marks = []
    if head.state != "cleared":
        marks.append(Mark("movement.uncleared", SORTS[head.doc[PLAN]["sort"]].rule))
    if len(set(deed.fields["crew"])) < crew_of(known.facility_type()):
        marks.append(Mark("movement.crew", "H09"))
    if deed.fields["restraint"] not in ("none", head.doc[PLAN]["restraint"]):
        marks.append(Mark("movement.restraint", "X09"))
    return _on(deed, head, "away", marks=marks, state="away")


def _return(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    said = deed.fields
    if wrong := _barred(head, "away"):
        return wrong
    if said["condition"] != "well" and said["note"] is None:
        return Problem("field.missing", "fields.note")
    marks = [Mark("movement.late")] if deed.observed_at > from_text(head.doc[PLAN]["returns_by"]) else []
    if not said["searched"]:
        marks.append(Mark("movement.unsearched"))
    return _on(deed, head, "returned", marks=marks, state="returned")


def _cancel(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    return _barred(head, "planned", "cleared") or _on(deed, head, "cancelled", state="cancelled")


def _events(before: Version | None, after: Version) -> Iterable[Event]:
    name = _RAISED.get(after.state)
    if name is not None and before is not None and before.state != after.state:
        plan, step = after.doc[PLAN], after.doc["steps"][-1]
        yield Event(name, from_text(step["at"]), plan["person"], facts={"sort": plan["sort"]})


_RAISED: Mapping[str, str] = {"away": "movement.left", "returned": "movement.returned"}
_STATE = ("state",)

MOVEMENT = Kind(
    name=KIND,
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.BASE,
    writers=WRITERS,
    verbs={
        "plan": Verb(Plan, _plan, Text("拟定押解计划", "plan"), creates=True, needs=_needs_person),
        "amend": Verb(Amended, _amend, Text("变更计划", "change the plan"), watches=_STATE),
        "clear": Verb(
            Clearance, _clear, Text("放行", "clear at the gate"), signoff=True, needs=_needs_approval, watches=_STATE
        ),
        "leave": Verb(Left, _leave, Text("出所", "leave"), signoff=True, watches=_STATE),
        "return": Verb(Returned, _return, Text("返回", "return"), signoff=True, watches=_STATE),
        "cancel": Verb(Cancelled, _cancel, Text("取消", "cancel"), watches=_STATE),
    },
    text=Text("出所押解", "movement under escort"),
    labels={
        "plan": Text("押解计划", "plan"),
        "person": Text("被押解人员", "person"),
        "sort": Text("押解事由", "sort"),
        **named("sort", {name: sort.text for name, sort in SORTS.items()}),
        "destination": Text("目的地", "destination"),
        "leaves_at": Text("计划出所时间", "leaves"),
        "returns_by": Text("最迟返回时间", "back by"),
        "crew": Text("押解民警", "escort"),
        "vehicle": Text("车辆", "vehicle"),
        "approval": Text("审批记录", "approval"),
        "code": Text("放行码", "code"),
        "document": Text("提押凭证编号", "number of the document"),
        "restraint": Text("戒具", "restraint"),
        **named("restraint", RESTRAINTS),
        "condition": Text("返回时身体状况", "condition"),
        **named("condition", CONDITIONS),
        "searched": Text("已安全检查", "searched"),
        "note": Text("说明", "note"),
        "reason": Text("理由", "reason"),
        "state": Text("状态", "state"),
        **named("state", STATES),
        "steps": Text("办理过程", "steps"),
        **named("steps.step", STEPS),
    },
    marks={
        "movement.uncleared": Text("未经放行出所", "left without having been cleared"),
        "movement.crew": Text("押解警力不足", "too few officers in the escort"),
        "movement.restraint": Text("使用的戒具未列入押解计划", "restrained otherwise than the plan says"),
        "movement.late": Text("超过最迟返回时间", "back later than planned"),
        "movement.unsearched": Text("返回时未作安全检查", "not searched on return"),
    },
    settlers=frozenset({Post.LEAD, Post.DIR}),
    raises={
        "movement.left": Text("押解出所", "a person has left under escort"),
        "movement.returned": Text("押解返回", "a person is back from an escort"),
    },
    events=_events,
)  # fmt: skip
