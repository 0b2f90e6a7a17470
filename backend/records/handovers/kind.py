"""The kind ``handover``: what a shift leaves to the next, as the outgoing officer saw it, signed by both (duty rules P09, P10).

Both sign on one handheld (a second sign-off), or the incoming officer reads a code that is the digest of what was signed
and signs that at his own, with or without signal. Whatever of the shift comes after both have signed reopens it, for
everybody to see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from backend.domain.posts import POLICE, Post
from backend.kernel.clock import from_text, to_text
from backend.kernel.events import Event, Version
from backend.kernel.ids import b64, sha256
from backend.kernel.kind import Compartment, Deed, Head, Kind, Known, Needs, Policy, Ruling, Text, Verb, lateness
from backend.kernel.problems import Problem
from backend.records.forms import is_moment, named
from backend.records.handovers.words import SORTS, STATES, STEPS, Receipt, Refusal, Reopening, Review, Signing
from backend.records.steps import step_of

NAME = "handover"
LEADERS = frozenset({Post.LEAD, Post.DIR})
MOST_STEPS = 100


def digest_of(fields: Mapping[str, Any]) -> str:
    """SHA-256 over the fields of ``sign`` as canonical JSON (RFC 8785), base64url: what the code shows."""
    return b64(sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)))


def _needs(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["place"],) if fields["place"] else ())


def _sign(deed: Deed, _head: Head | None, known: Known) -> Ruling | Problem:
    """By the outgoing officer; by both, where the incoming one signs beside him."""
    said = deed.fields
    if Post.SYS in known.posts():
        return Problem("officer.unauthorised", "officer")
    for name in ("since", "until"):
        if not is_moment(said[name]):
            return Problem("field.invalid", f"fields.{name}")
    if said["until"] <= said["since"]:
        return Problem("field.invalid", "fields.until")
    if said["incoming"] == deed.officer:
        return Problem("field.invalid", "fields.incoming")
    place = known.record(said["place"]) if said["place"] else None
    if said["place"] and (place.kind != "place" if place else not known.forced()):
        return Problem("reference.unknown", "fields.place")
    both = bool(deed.second) and said["incoming"] in (None, deed.second)
    state = "signed" if both else "offered"
    steps = [step_of("offered", deed, {})]
    doc = {**said, "state": state, "outgoing": deed.officer, "digest": digest_of(said), "steps": steps}
    if both:
        doc["incoming"] = deed.second
        steps.append({"step": "signed", "at": to_text(deed.observed_at), "by": deed.second})
    subject = f"place/{said['place']}" if said["place"] else f"facility/{deed.facility}"
    return Ruling(doc, f"{subject}/{Compartment.BASE}", state, said["place"], lateness(deed))


def _on(deed: Deed, head: Head, state: str, step: str, **changes: Any) -> Ruling:
    said = {name: value for name, value in deed.fields.items() if name != "digest"}
    steps = [*head.doc["steps"], step_of(step, deed, said)]
    doc = {**head.doc, **changes, "state": state, "steps": steps}
    return Ruling(doc, head.partition, state, head.place)


def _barred(head: Head, states: frozenset[str], *, allowed: bool) -> Problem | None:
    if head.state not in states or len(head.doc["steps"]) >= MOST_STEPS:
        return Problem("record.state", state=head.state)
    return None if allowed else Problem("officer.unauthorised", "officer")


def _takes_over(deed: Deed, head: Head, known: Known) -> bool:
    """Who was named; where nobody was, any other officer who may hand over himself."""
    named_ = head.doc["incoming"] in (None, deed.officer)
    return named_ and head.doc["outgoing"] != deed.officer and Post.SYS not in known.posts()


def _receive(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    if wrong := _barred(head, frozenset({"offered"}), allowed=_takes_over(deed, head, known)):
        return wrong
    if deed.fields["digest"] != head.doc["digest"]:
        return Problem("field.invalid", "fields.digest")
    return _on(deed, head, "signed", "signed", incoming=deed.officer)


def _decline(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    assert head is not None
    wrong = _barred(head, frozenset({"offered"}), allowed=_takes_over(deed, head, known))
    return wrong or _on(deed, head, "declined", "declined", incoming=deed.officer)


def _needs_late(fields: Mapping[str, Any], _head: Head | None) -> Needs:
    return Needs((fields["late"],))


def _reopen(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """By the server, which sees what comes late; by a leader, who finds it."""
    assert head is not None
    if wrong := _barred(head, frozenset({"signed"}), allowed=bool(known.posts() & (LEADERS | {Post.SYS}))):
        return wrong
    if known.record(deed.fields["late"]) is None and not known.forced():
        return Problem("reference.unknown", "fields.late")
    return _on(deed, head, "reopened", "reopened")


def _review(deed: Deed, head: Head | None, known: Known) -> Ruling | Problem:
    """By who took over, or a leader."""
    assert head is not None
    allowed = head.doc["incoming"] == deed.officer or bool(known.posts() & LEADERS)
    wrong = _barred(head, frozenset({"reopened"}), allowed=allowed)
    return wrong or _on(deed, head, "signed", "reviewed")


def _events(before: Version | None, after: Version) -> Iterator[Event]:
    doc = after.doc
    known = len(before.doc["steps"]) if before is not None else 0
    for step in doc["steps"][known:]:
        if step["step"] not in {"signed", "reopened", "reviewed"}:
            continue
        facts = {"sort": doc["sort"]}
        if step["step"] == "signed":
            facts |= {"since": doc["since"], "until": doc["until"]}
        yield Event(f"handover.{step['step']}", from_text(step["at"]), None, doc["place"], facts)


HANDOVER = Kind(
    name=NAME,
    version=1,
    policy=Policy.DECISION,
    compartment=Compartment.BASE,
    writers=POLICE | {Post.AUX, Post.SYS},
    verbs={
        "sign": Verb(Signing, _sign, Text("交班签认", "sign what is handed over"), True, True, _needs),
        "receive": Verb(Receipt, _receive, Text("接班签认", "take over"), signoff=True, by_value=True),
        "decline": Verb(Refusal, _decline, Text("退回交班", "decline"), watches=("state",), by_value=True),
        "reopen": Verb(Reopening, _reopen, Text("重新打开", "reopen"), needs=_needs_late, by_value=True),
        "review": Verb(Review, _review, Text("复核迟到记录", "look at what came late"), by_value=True),
    },
    text=Text("交接班", "handover"),
    labels={
        "sort": Text("类别", "sort"),
        **named("sort", SORTS),
        "place": Text("责任区域", "area"),
        "since": Text("班次开始", "shift began"),
        "until": Text("班次结束", "shift ended"),
        "outgoing": Text("交班民警", "outgoing officer"),
        "incoming": Text("接班民警", "incoming officer"),
        "duties": Text("未完成勤务", "open duties"),
        "duties.duty": Text("勤务", "duty"),
        "duties.words": Text("说明", "what is to be known"),
        "risks": Text("风险人员", "persons at risk"),
        "risks.person": Text("人员", "person"),
        "risks.words": Text("情况", "what is to be known"),
        "sick": Text("病号", "sick list"),
        "sick.person": Text("人员", "person"),
        "sick.words": Text("情况", "what is to be known"),
        "counts": Text("清点人数", "head counts"),
        "counts.place": Text("场所", "place"),
        "counts.counted": Text("人数", "counted"),
        "rollcall": Text("点名记录", "roll call"),
        "words": Text("交班说明", "what else is to be known"),
        "digest": Text("交班内容摘要", "digest of what was signed"),
        "reason": Text("退回理由", "why it is declined"),
        "late": Text("迟到的记录", "what came late"),
        "state": Text("状态", "state"),
        **named("state", STATES),
        "steps": Text("办理过程", "steps"),
        **named("steps.step", STEPS),
    },
    settlers=LEADERS,
    raises={
        "handover.signed": Text("双方已签认交接班", "a handover was signed by both"),
        "handover.reopened": Text("交接班因迟到记录重新打开", "a handover was reopened"),
        "handover.reviewed": Text("交接班迟到记录已复核", "what came late to a handover was looked at"),
    },
    events=_events,
)
