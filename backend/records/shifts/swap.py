"""The kind ``shift.swap`` (换班): two officers serve each other's shifts of one or two days. The other one agrees, then a
leader who is neither of them approves; until then everybody serves his own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from marshmallow import Schema

from backend.domain.calendars import start_of
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Mark, Policy, Ruling, Text, Verb
from backend.kernel.problems import Problem
from backend.records.forms import day, is_day, listed, reference, word
from backend.records.shifts.steps import LEADERS, STAFF, STATE, barred, began, leads, moved

STATES: Mapping[str, Text] = {
    "requested": Text("已申请", "asked for"),
    "agreed": Text("对方已同意", "agreed"),
    "approved": Text("已批准", "approved"),
    "declined": Text("对方不同意", "declined"),
    "refused": Text("未批准", "refused"),
    "withdrawn": Text("已撤回", "withdrawn"),
}


class SwapFields(Schema):
    """With whom, and the days whose shifts both serve for each other: one, where one stands in for the other, or two."""

    colleague = reference()
    days = listed(day(), 2, 1)
    reason = word(200)


class Agreed(Schema):
    """There is nothing to add."""


class Said(Schema):
    """Why not."""

    reason = word(500)


def _request(deed: Deed, _head: Head | None, _known: Known) -> Ruling | Problem:
    said = deed.fields
    if said["colleague"] == deed.officer:
        return Problem("field.invalid", "fields.colleague")
    for at, each in enumerate(said["days"]):
        if not is_day(each) or each in said["days"][:at]:
            return Problem("field.invalid", f"fields.days.{at}")
    return began(deed, {"officer": deed.officer, **said}, "requested")


def _agree(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    return barred(head, "requested", allowed=_colleague(deed, head)) or moved(deed, head, "agreed")


def _decline(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    return barred(head, "requested", "agreed", allowed=_colleague(deed, head)) or moved(deed, head, "declined")


def _approve(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    if wrong := barred(head, "agreed", allowed=_decides(deed, head, known)):
        return wrong
    begun = start_of(min(map(date.fromisoformat, head.doc["days"]))) < deed.observed_at
    return moved(deed, head, "approved", (Mark("swap.afterwards"),) if begun else ())


def _refuse(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    wrong = barred(head, "requested", "agreed", allowed=_decides(deed, head, known))
    return wrong or moved(deed, head, "refused")


def _withdraw(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """By who asked; once it is approved, by a leader alone."""
    assert head is not None
    his = deed.officer == head.doc["officer"] and head.state != "approved"
    wrong = barred(head, "requested", "agreed", "approved", allowed=his or _decides(deed, head, known))
    return wrong or moved(deed, head, "withdrawn")


def _colleague(deed: Deed, head: Head) -> bool:
    return bool(deed.officer == head.doc["colleague"])


def _decides(deed: Deed, head: Head, known: Known) -> bool:
    return leads(known) and deed.officer not in (head.doc["officer"], head.doc["colleague"])


SWAP = Kind(
    name="shift.swap",
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.ROSTER,
    writers=STAFF,
    verbs={
        "request": Verb(SwapFields, _request, Text("申请换班", "ask for a swap"), creates=True),
        "agree": Verb(Agreed, _agree, Text("同意换班", "agree"), watches=STATE),
        "decline": Verb(Said, _decline, Text("不同意换班", "decline"), watches=STATE),
        "approve": Verb(Agreed, _approve, Text("批准换班", "approve"), watches=STATE),
        "refuse": Verb(Said, _refuse, Text("不批准换班", "refuse"), watches=STATE),
        "withdraw": Verb(Said, _withdraw, Text("撤回换班", "withdraw"), watches=STATE),
    },
    text=Text("换班", "swap of shifts"),
    labels={
        "officer": Text("申请人", "who asks"),
        "colleague": Text("换班民警", "with whom"),
        "days": Text("换班日期", "days"),
        "reason": Text("原因", "reason"),
        "steps": Text("经过", "steps"),
        "state": Text("状态", "state"),
        **{f"state.{word_}": text for word_, text in STATES.items()},
    },
    marks={"swap.afterwards": Text("首个换班日开始后才批准", "approved when its first day had begun")},
    settlers=LEADERS,
)
