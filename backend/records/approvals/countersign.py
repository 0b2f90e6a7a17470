"""The kind ``approval.countersign`` (会签): one officer's agreement, or not, with one decision, by its digest. A fact of its
own, so that those who countersign at the same time, each without signal, never stand in each other's way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import Schema

from backend.domain.approvals import COUNTERSIGN as NAME
from backend.domain.approvals import KIND
from backend.domain.posts import Post
from backend.kernel.events import Event, Version
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Mark, Needs, Policy, Ruling, Text, Verb, lateness
from backend.kernel.problems import Problem
from backend.records.forms import choice, named, reference, word

OPINIONS: Mapping[str, Text] = {"agree": Text("同意", "agrees"), "disagree": Text("不同意", "disagrees")}


class Countersignature(Schema):
    """``digest``: of the decision that he had before him; ``note``: needed by who disagrees."""

    approval = reference()
    digest = word(43, 43)
    opinion = choice(tuple(OPINIONS))
    note = word(500, allow_none=True)


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["approval"],))


def _sign(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    said = deed.fields
    head = known.record(said["approval"])
    if head is None or head.kind != KIND:
        return Problem("reference.unknown", "fields.approval")
    if deed.officer not in head.doc["countersigners"]:
        return Problem("officer.unauthorised", "officer")
    if said["digest"] != head.doc["digest"]:
        return Problem("record.conflict", "fields.digest", version=head.version)
    if said["opinion"] == "disagree" and said["note"] is None:
        return Problem("field.missing", "fields.note")
    marks = () if head.state in {"requested", "emergency"} else (Mark("approval.decided"),)
    return Ruling({**said, "by": deed.officer}, head.partition, "signed", head.place, lateness(deed) + marks)


def _events(_before: Version | None, after: Version) -> Iterable[Event]:
    facts = {name: after.doc[name] for name in ("approval", "opinion")}
    yield Event("approval.countersigned", after.observed_at, facts=facts)


COUNTERSIGN = Kind(
    name=NAME,
    version=1,
    policy=Policy.FACT,
    compartment=Compartment.BASE,
    writers=frozenset({Post.INT, Post.PAT, Post.DISC, Post.MED, Post.LEAD, Post.DIR}),
    verbs={
        "sign": Verb(
            Countersignature, _sign, Text("会签", "countersign"), creates=True, signoff=True, needs=_needs
        )
    },
    text=Text("会签", "countersignature"),
    labels={
        "approval": Text("审批记录", "approval"),
        "digest": Text("内容摘要值", "digest of the decision"),
        "opinion": Text("会签意见", "opinion"),
        **named("opinion", OPINIONS),
        "note": Text("说明", "note"),
        "by": Text("会签人", "who signed"),
    },
    marks={"approval.decided": Text("会签时审批已办结", "at receipt it had been decided or sent back")},
    raises={"approval.countersigned": Text("会签", "an officer has countersigned, or not agreed")},
    events=_events,
)  # fmt: skip
