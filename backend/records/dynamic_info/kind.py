"""The kind ``dynamic_info``: reported by whoever saw it, handled by whoever it falls to (mps2018, 三(一)1). The report's
own words never change; what is thought of it afterwards does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema

from backend.domain.dynamic_info import CATEGORIES, usual
from backend.domain.posts import Post
from backend.kernel.clock import to_text
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
from backend.records.forms import choice, edits_of, listed, named, reference, word

SEVERITIES: Mapping[str, Text] = {
    "ordinary": Text("一般", "ordinary"),
    "important": Text("重要", "important"),
    "urgent": Text("紧急", "urgent"),
}


class Report(Schema):
    """What was seen, about a person or a place (or a person in a place); ``involved`` are other persons held."""

    category = choice(tuple(CATEGORIES))
    severity = choice(tuple(SEVERITIES))
    person = reference(allow_none=True)
    place = reference(allow_none=True)
    involved = listed(reference(), 20)
    text = word(2000)


class _Judged(Report):
    note = word(500, allow_none=True)


Amendment = edits_of(_Judged, "category", "severity", "note")


class Disposal(Schema):
    """What was done about it."""

    disposal = word(1000)


class Withdrawal(Schema):
    """Why it should not have been reported."""

    reason = word(500)


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs(tuple(each for each in (fields["person"], fields["place"], *fields["involved"]) if each))


def _report(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    if said["person"] is None and said["place"] is None:
        return Problem("field.missing", "fields.place")
    about = "person" if said["person"] else "place"
    if wrong := _unknown(said, about, known):
        return Problem("reference.unknown", f"fields.{wrong}")
    place = known.record(said["place"]) if said["place"] else None
    marks = lateness(deed)
    if not usual(said["category"], known.posts()):
        marks += (Mark("category.unusual"),)
    if place is not None and place.state == REMOVED:
        marks += (Mark("place.closed"),)
    reported = {"at": to_text(deed.observed_at), "officer": deed.officer, "posts": sorted(known.posts())}
    doc = {**said, "state": "open", "reported": reported}
    partition = f"{about}/{said[about]}/{Compartment.BASE}"
    return Ruling(doc, partition, "open", said["place"], marks, alarm=said["severity"] == "urgent")


def _unknown(said: Mapping[str, Any], about: str, known: Known) -> str | None:
    """The first field that names something else than it should. What it is about must be there always; the rest need
    not, once custody has waited for it long enough."""
    for name, ids in (("person", [said["person"]]), ("place", [said["place"]]), ("involved", said["involved"])):
        kind = "place" if name == "place" else "person"
        for head in (known.record(each) for each in ids if each):
            if head.kind != kind if head else name == about or not known.forced():
                return name
    return None


def _amend(deed: Deed, head: Head | None, _known: Known) -> Ruling:
    assert head is not None
    doc = {**head.doc, **deed.fields}
    risen = doc["severity"] == "urgent" != head.doc["severity"]
    return Ruling(doc, head.partition, doc["state"], head.place, lateness(deed), alarm=risen)


def _handle(deed: Deed, head: Head | None, _known: Known) -> Ruling | Problem:
    assert head is not None
    if head.doc["state"] != "open":
        return Problem("record.state", state=head.doc["state"])
    handled = {"at": to_text(deed.observed_at), "officer": deed.officer, **deed.fields}
    return Ruling(
        {**head.doc, "state": "handled", "handled": handled}, head.partition, "handled", head.place, lateness(deed)
    )


def _withdraw(_deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """By the post that reported it, or a leader; once handled it stays."""
    assert head is not None
    if not known.posts() & {Post.LEAD, Post.DIR, *head.doc["reported"]["posts"]}:
        return Problem("officer.unauthorised", "officer")
    if head.doc["state"] != "open":
        return Problem("record.state", state=head.doc["state"])
    return Ruling(head.doc, head.partition, REMOVED, head.place)


DYNAMIC_INFO = Kind(
    name="dynamic_info",
    version=1,
    policy=Policy.SHARED,
    compartment=Compartment.BASE,
    writers=frozenset({Post.INT, Post.PAT, Post.DISC, Post.MED, Post.AUX, Post.LEAD, Post.DIR}),
    verbs={
        "report": Verb(Report, _report, Text("上报", "report"), creates=True, needs=_needs),
        "amend": Verb(Amendment, _amend, Text("修订", "amend"), edits=True),
        "handle": Verb(Disposal, _handle, Text("处置", "handle"), watches=("state",)),
        "withdraw": Verb(Withdrawal, _withdraw, Text("撤回", "withdraw"), watches=("state",), removes=True),
    },
    text=Text("监管动态信息", "dynamic information"),
    labels={
        "category": Text("种类", "kind"),
        **named("category", CATEGORIES),
        "severity": Text("程度", "severity"),
        **named("severity", SEVERITIES),
        "person": Text("被监管人员", "person"),
        "place": Text("场所", "place"),
        "involved": Text("涉及人员", "persons involved"),
        "text": Text("内容", "what was seen"),
        "note": Text("批注", "note"),
        "disposal": Text("处置情况", "what was done"),
        "reason": Text("撤回原因", "reason"),
        "state": Text("状态", "state"),
        "state.open": Text("待处置", "open"),
        "state.handled": Text("已处置", "handled"),
        "state.removed": Text("已撤回", "withdrawn"),
        "reported": Text("上报", "report"),
        "handled": Text("处置", "handling"),
    },
    marks={
        "category.unusual": Text("该种类通常由其他岗位采集", "another post usually captures this kind"),
        "place.closed": Text("该场所已撤销", "the place has been closed"),
    },
    strict=frozenset({"severity"}),
    settlers=frozenset({Post.DISC, Post.LEAD, Post.DIR}),
)
